"""`python -m store.migrations.check`: exit status 1 when a table changed without a migration."""

from __future__ import annotations

import sys

from store.database import check


def main() -> int:
    """Print the differences between the tables and the migrations; 0 when there are none."""
    differences = check()
    for line in differences:
        print(line, file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
