"""The numbers that a campaign found: sampling map and atlas, no drawing."""
