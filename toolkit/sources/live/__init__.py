"""Updates over HTTP."""
