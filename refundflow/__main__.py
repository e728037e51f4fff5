"""Run the command line by ``python -m refundflow``."""

from refundflow.cli import main

if __name__ == "__main__":
    main()
