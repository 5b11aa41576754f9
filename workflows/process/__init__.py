"""From the files of a microscope to a report, step by step; what was done already is not repeated."""
