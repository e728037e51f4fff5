"""Writes the reference pages anew, or with ``--check`` only names the stale ones."""

import sys

from docs.generate import stale, write


def main() -> int:
    """Run what the arguments say and return the exit status."""
    if "--check" not in sys.argv[1:]:
        write()
        return 0
    found = list(stale())
    for name in found:
        print(f"docs/reference/{name} is stale: run `make docs`", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
