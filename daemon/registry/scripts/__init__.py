"""The script in an exported folder, one for each kind of head; copied, never imported."""
