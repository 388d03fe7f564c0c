"""JSON in columns."""
