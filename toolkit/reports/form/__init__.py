"""What the report builder asks."""
