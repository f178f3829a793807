"""Child processes: what can hang, crash or be attacked runs in one, with a deadline and a memory limit."""

from daemon.children.child import Child

__all__ = ["Child"]
