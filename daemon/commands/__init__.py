"""The commands of `sidwatch`, one file per group; what they print, never what they decide."""
