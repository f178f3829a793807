"""Detectors side by side: ours and river's, on the same simulated streams."""
