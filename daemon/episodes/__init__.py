"""Episodes: what happened in one, and what people do about it."""
