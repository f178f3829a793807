"""Everything that decides: no SQL, no vendor client, no file format."""

__version__ = "0.1.0"
