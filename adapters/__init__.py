"""One file per kind of source, plus `base` (the contract) and `checks` (its proof)."""
