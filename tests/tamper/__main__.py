"""Carries the attacks out on SQLite and writes docs/reference/tampering.md anew: ``python -m tests.tamper``."""

import tempfile
from pathlib import Path

from tests.tamper.page import page
from tests.tamper.run import results
from tests.tamper.scene import PAGE


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(results(f"sqlite:///{folder}/scene.db", Path(folder))), encoding="utf-8")


if __name__ == "__main__":
    main()
