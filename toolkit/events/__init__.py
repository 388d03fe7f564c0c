"""What users did, beside who they are."""
