"""The report builder."""
