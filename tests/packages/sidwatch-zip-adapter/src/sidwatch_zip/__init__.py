"""An adapter of sidwatch for the pictures of one family in a ZIP archive."""
