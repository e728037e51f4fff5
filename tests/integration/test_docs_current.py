"""The generated pages say what the code says, and every link leads somewhere."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from docs.generate import FOLDER, OF_RUNS, pages, stale
from docs.generate.documents import SHOWN, rows
from tests.support.documents import ROOT, documents

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def test_the_generated_pages_are_current() -> None:
    """The reference pages are what `make docs` would write now."""
    assert list(stale()) == [], "run `make docs`"


def test_nothing_else_stands_among_the_generated_pages() -> None:
    """A page that is generated no more does not stay behind."""
    assert {path.name for path in FOLDER.iterdir()} == {*pages(), *OF_RUNS}


@pytest.mark.parametrize("kind", [kind for kind, _ in SHOWN])
def test_every_json_key_has_a_meaning(kind: type) -> None:
    """No key of a value that `--json` prints is left unexplained (docs/generate/meanings.py)."""
    assert [key for key, _, meaning in rows(kind) if not meaning] == []
    assert len(list(rows(kind))) == len(fields(kind))


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    """Links inside the project name files and headings that exist."""
    for target in _LINK.findall(path.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        assert other.exists(), f"{path.name} → {target}"
        if anchor:
            assert anchor in _anchors(other.read_text(encoding="utf-8")), f"{path.name} → {target}"


def _anchors(text: str) -> set[str]:
    """Return the anchors of the headings as they are made on the web."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.strip().replace(" ", "-") for heading in words}
