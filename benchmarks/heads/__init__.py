"""Learners side by side: what a head costs when 256 rows come in, and what it is worth."""
