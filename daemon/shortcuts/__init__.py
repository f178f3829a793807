"""The shortcut audit: whether file metadata alone gives a batch's labels away, and what may be learned of it then."""
