"""Fixtures of all tests: both databases, fresh for every test, and the folder of shared reference data.

`database_url` runs a test twice, on SQLite and on PostgreSQL, each time with a new empty database. A test that is
marked `partitioned` runs a third time, on tables that are hash-partitioned by order id; with `--partitioned` all do.
`market` and `live` open a rehearsal and a live database through the facade, `refunds` is the facade of
the first. `databases` makes as many as a test needs, empty or copied from a prepared one; `sqlite_url` and
`postgres_url` are for tests of one kind alone. `shared` is the folder of the reference data that lies
beside the project.
"""

import logging
import os
from collections.abc import Iterator
from logging.handlers import BufferingHandler
from pathlib import Path

import pytest
from hypothesis import settings

from refundflow.service import Refunds
from tests.support.databases import Databases, PartitionedDatabases, PostgresDatabases, SqliteDatabases
from tests.support.market import Market, prepare_live, prepare_rehearsal
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
KINDS_OF = {
    "sqlite": "sqlite_databases", "postgresql": "postgres_databases", "partitioned": "partitioned_databases",
}  # fmt: skip
KINDS = ["sqlite", "postgresql"]

settings.register_profile("quick", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("quick"), derandomize=True)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "quick"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL server per session (per pytest-xdist worker), started when first asked for."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def _prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def sqlite_databases(tmp_path: Path, _prepared_sqlite: Path) -> Databases:
    """Make SQLite databases for this test."""
    return SqliteDatabases(folder=tmp_path, prepared=_prepared_sqlite)


@pytest.fixture
def postgres_databases(postgres_server: PostgresServer) -> Iterator[Databases]:
    """Make PostgreSQL databases for this test."""
    databases = PostgresDatabases(postgres_server)
    yield databases
    databases.close()


@pytest.fixture
def partitioned_databases(postgres_server: PostgresServer) -> Iterator[Databases]:
    """Make PostgreSQL databases with hash-partitioned tables for this test."""
    databases = PartitionedDatabases(postgres_server)
    yield databases
    databases.close()


@pytest.fixture(autouse=True)
def _nothing_stands_still() -> Iterator[None]:
    """Fail a test in which a line stood still unawares: what is beside it goes on, and only the log says so."""
    told = BufferingHandler(capacity=1_000)
    told.setLevel(logging.ERROR)
    logging.getLogger("refundflow.work").addHandler(told)
    yield
    logging.getLogger("refundflow.work").removeHandler(told)
    assert [record.getMessage() for record in told.buffer] == []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to run on partitioned tables all that runs on a database of each kind."""
    parser.addoption("--partitioned", action="store_true", help="run tests of databases on partitioned tables too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that makes databases once on each kind."""
    if "databases" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("partitioned")
        # `partitioned(False)`: never, for what is said of whole tables only
        more = marker.args != (False,) if marker else metafunc.config.getoption("partitioned")
        metafunc.parametrize("databases", [*KINDS, "partitioned"] if more else KINDS, indirect=True)


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> Databases:
    """Make databases for this test, which runs once on SQLite and once on PostgreSQL."""
    made: Databases = request.getfixturevalue(KINDS_OF[request.param])
    return made


@pytest.fixture
def database_url(databases: Databases) -> str:
    """Give the URL of a fresh, empty database, once on SQLite and once on PostgreSQL."""
    return databases.empty()


@pytest.fixture
def market(databases: Databases) -> Iterator[Market]:
    """Open a fresh rehearsal database with a fake channel, once on SQLite and once on PostgreSQL."""
    opened = Market(databases.copy_of("rehearsal", prepare_rehearsal))
    yield opened
    opened.close()


@pytest.fixture
def refunds(market: Market) -> Refunds:
    """Give the facade of the rehearsal database."""
    return market.refunds


@pytest.fixture
def live(databases: Databases) -> Iterator[Market]:
    """Open a fresh live database with registered staff and a fake channel, once on each database."""
    opened = Market(databases.copy_of("live", prepare_live))
    yield opened
    opened.close()


@pytest.fixture
def sqlite_url(sqlite_databases: Databases) -> str:
    """Give the URL of a fresh, empty SQLite database."""
    return sqlite_databases.empty()


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> str:
    """Give the URL of a fresh, empty PostgreSQL database."""
    return postgres_databases.empty()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of shared reference data; without it, a test is skipped (in CI it fails)."""
    if not SHARED.is_dir():
        message = "needs the reference data in ../shared, beside the project"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED
