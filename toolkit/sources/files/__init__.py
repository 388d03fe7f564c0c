"""Files of JSON, and frames."""
