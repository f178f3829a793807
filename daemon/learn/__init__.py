"""Learning: what asks for a new version, the statistics it is solved from, and what follows for the episodes."""
