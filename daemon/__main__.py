"""`python -m daemon`: the same as the `sidwatch` command."""

from daemon.cli import main

main()
