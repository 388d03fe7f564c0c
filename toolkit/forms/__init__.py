"""Forms for notebooks: what they know and do apart from how they look."""
