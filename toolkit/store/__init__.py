"""What was written, when, for good."""
