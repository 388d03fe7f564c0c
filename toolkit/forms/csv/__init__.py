"""The CSV wizard."""
