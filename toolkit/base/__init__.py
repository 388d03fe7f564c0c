"""Words and values."""
