"""Every block of the README and of the documentation works as it is printed.

Run with ``UPDATE_GOLDEN=1`` to write what the blocks print anew after a change that is meant.
"""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest

from docs.generate.commands import helps
from refundflow import verifier
from tests.support.documents import EXECUTED, LOOKED_AT, ROOT, blocks, documents, replayed

ON_POSTGRES = "postgresql.md"
DOCUMENTS = documents()
EXECUTABLE = [
    path for path in DOCUMENTS if any(block.language in EXECUTED for block in blocks(path.read_text(encoding="utf-8")))
]
_LINES = re.compile(r"^\$ (.+)$", re.MULTILINE)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in EXECUTABLE if path.name != ON_POSTGRES], ids=_name)
def test_the_blocks_of_a_page_run_one_after_the_other(path: Path, tmp_path: Path) -> None:
    """Every Python and shell block of a page succeeds and prints what the page says."""
    _compare(path, replayed(path, tmp_path, {}))


@pytest.mark.slow
def test_the_blocks_of_the_page_on_postgresql_run_there(tmp_path: Path, postgres_url: str) -> None:
    """The page about PostgreSQL is true on a PostgreSQL server."""
    (path,) = (path for path in EXECUTABLE if path.name == ON_POSTGRES)

    _compare(path, replayed(path, tmp_path, {"REFUNDFLOW_DATABASE_URL": postgres_url}))


def _compare(path: Path, now: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(now, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == now, "if this change is meant, run with UPDATE_GOLDEN=1"


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_a_block_is_executed_or_of_a_kind_that_is_looked_at(path: Path) -> None:
    """No block escapes by its language, and JSON and TOML blocks can be read."""
    for block in blocks(path.read_text(encoding="utf-8")):
        assert block.language in (*EXECUTED, *LOOKED_AT), (
            f"{_name(path)}:{block.line}: {block.language or 'no'} language"
        )
        if block.language == "json":
            json.loads(block.text)
        if block.language == "toml":
            tomllib.loads(block.text)


def test_what_a_person_is_told_to_type_exists() -> None:
    """Commands, make targets and extras of blocks that are not executed exist."""
    commands = {path for path, _ in helps()}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    typed = [
        line
        for path in DOCUMENTS
        for block in blocks(path.read_text(encoding="utf-8"))
        if block.language == "console"
        for line in _LINES.findall(block.text)
    ]

    for line in typed:
        words = line.split()
        match words[0]:
            case "refundflow":
                assert {" ".join(words[:2]), " ".join(words[:3])} & commands, line
            case "make":
                assert words[1] in targets, line
            case "pip":
                extras = [name for group in re.findall(r"\[([\w,]+)\]", line) for name in group.split(",")]
                assert set(extras) <= set(project["optional-dependencies"]), line
            case other:
                known = ["export", "git", "cd", "createdb", "cat", "python", "pg_dump", "pg_restore", "sqlite3"]
                assert other in known or other.startswith("mining/"), line


def test_every_finding_of_the_verifier_is_explained_to_auditors() -> None:
    """Whoever meets a code on the page for auditors finds what it means, and no code is there that cannot come."""
    source = (ROOT / "refundflow" / "verifier.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "how-to" / "auditors.md").read_text(encoding="utf-8")
    blamed = re.findall(r'(?:blame\(|yield |: )"([A-Z_]{3,})"', source)
    ruled = re.findall(r'^    \(.*?, "([A-Z_]{3,})",', source, re.MULTILINE)
    told = {
        code
        for row in re.findall(r"^\| (`[A-Z_]+`.*?) \|", page, re.MULTILINE)
        for code in re.findall(r"`([A-Z_]+)`", row)
    }

    assert told == {*blamed, *ruled, *verifier.JUDGED.values(), "DOCUMENT"}
