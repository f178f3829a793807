"""`python -m daemon`: the `sidwatch` command where its script is not on the path."""

from daemon.cli import main

if __name__ == "__main__":
    main()
