"""Before anything runs: what it will cost, and how it is sent to a scheduler."""
