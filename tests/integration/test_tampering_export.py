"""Every attack on an export is found, and the document of attacks is what the run says."""

import pytest

from tests.support.tampering import DOCUMENT, EDITS, Outcome, run, table


@pytest.fixture(scope="module")
def results() -> dict[str, Outcome]:
    """Try every attack once."""
    return run()


@pytest.mark.slow
def test_every_attack_is_found_with_one_earlier_checkpoint(results: dict[str, Outcome]) -> None:
    """Whoever changed what, in whatever place, with the operator's key or without."""
    assert {name: item.tries - item.held for name, item in results.items() if item.held != item.tries} == {}


@pytest.mark.slow
def test_changes_of_files_need_no_checkpoint(results: dict[str, Outcome]) -> None:
    """What does not make the whole history anew is found with the public key alone."""
    edits = {name: item for name, item in results.items() if name.partition(" | ")[0] in EDITS}
    assert {name: item.tries - item.alone for name, item in edits.items() if item.alone != item.tries} == {}


@pytest.mark.slow
def test_the_document_of_attacks_is_current(results: dict[str, Outcome]) -> None:
    """It is generated: `python -m tests.support.tampering`."""
    assert DOCUMENT.read_text(encoding="utf-8") == table(results)
