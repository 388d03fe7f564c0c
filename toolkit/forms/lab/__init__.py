"""The operator lab."""
