"""Corrections: what people decided about samples and families, against or beyond what was delivered."""
