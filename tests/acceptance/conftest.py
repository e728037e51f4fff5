"""Desks for acceptance tests: a prepared rehearsal database, on SQLite or on both databases."""

from pathlib import Path

import pytest

from tests.acceptance.desk import Desk, rehearsal
from tests.support.databases import Databases


@pytest.fixture
def desk(sqlite_databases: Databases, tmp_path: Path) -> Desk:
    """Give a rehearsal database on SQLite with six order lines."""
    return Desk(url=sqlite_databases.copy_of("desk", lambda url: rehearsal(url, tmp_path)), folder=tmp_path)


@pytest.fixture
def both_desks(databases: Databases, tmp_path: Path) -> Desk:
    """Give a rehearsal database with six order lines, once on SQLite and once on PostgreSQL."""
    return Desk(url=databases.copy_of("desk", lambda url: rehearsal(url, tmp_path)), folder=tmp_path)


@pytest.fixture
def empty_desk(sqlite_url: str, tmp_path: Path) -> Desk:
    """Give a database that nobody has made ready yet."""
    return Desk(url=sqlite_url, folder=tmp_path)
