"""Measures and amounts."""
