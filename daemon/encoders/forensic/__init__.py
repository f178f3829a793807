"""The forensic encoder: statistics of the pixels that cameras and generators leave, without weights."""

from daemon.encoders.forensic.encoder import ForensicEncoder

__all__ = ["ForensicEncoder"]
