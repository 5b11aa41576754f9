"""What is tried next, and in which order."""
