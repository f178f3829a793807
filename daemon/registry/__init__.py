"""What can be said of a version and given away: its names, its card, how two of them differ, an exported folder."""
