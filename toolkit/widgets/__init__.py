"""Forms for the notebook."""
