"""The report: what was released, what evaded, how fast it was noticed and repaired, what was decided, what is open."""
