"""What a report asks."""
