"""Where updates come from: CSV files, messages, a local server, other products."""
