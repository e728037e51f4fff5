"""The command line: a command parses what was typed, calls the facade once, and prints the answer."""

import sys


def main() -> None:
    """Run the command line; the exit status is documented with the errors."""
    try:
        from refundflow.cli.app import application
        from refundflow.cli.failures import forgiving

        forgiving()
        application()(prog_name="refundflow")
    except KeyboardInterrupt:
        sys.exit(130)
