"""Retention, frequency, lifecycle."""
