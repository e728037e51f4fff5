"""Every attack on a database is found by whoever holds one earlier checkpoint, or it is said why not."""

from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.tamper.page import UNDETECTED, page
from tests.tamper.run import results
from tests.tamper.scene import PAGE


@pytest.mark.partitioned(False)
@pytest.mark.slow
def test_every_attack_is_found_or_spoken_of(databases: Databases, tmp_path: Path) -> None:
    """What is not found is the list with reasons, on both databases, and the page says what this run found."""
    found = results(databases.empty(), tmp_path)

    assert {(item.group, item.name) for item in found if not item.detected} == set(UNDETECTED)
    assert all(item.alone is None or item.held is not None for item in found)
    if databases.__class__.__name__ == "SqliteDatabases":
        assert PAGE.read_text(encoding="utf-8") == page(found), "run python -m tests.tamper"
