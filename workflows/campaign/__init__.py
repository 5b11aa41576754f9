"""What is wanted: axes, methods, seeds and the conditions that a campaign file names."""
