"""Parts that forms share."""
