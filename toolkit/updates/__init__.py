"""What an update does."""
