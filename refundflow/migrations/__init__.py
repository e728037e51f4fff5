"""The history of the schema: which revisions there are, which are pending, and how they are applied."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import URL, Connection, NullPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from refundflow.errors import BadInput, Busy, Misconfigured, NotInitialised, SchemaTooNew
from refundflow.migrations.guards import assert_guards, privileges_beyond
from refundflow.migrations.partitions import check_partitions, partitioned, partitions_of

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "HEAD",
    "REVISIONS",
    "Revision",
    "assert_guards",
    "connect",
    "parse",
    "partitions_of",
    "pending",
    "privileges_beyond",
    "require_current",
    "upgrade",
]

# Every revision from the first to the newest; a test compares them with the files in versions/.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
HEAD = REVISIONS[-1]
_LOCK = 7_265_667_500_001  # of pg_advisory_xact_lock, so that two upgrades do not meet


class Revision(NamedTuple):
    """One step of the schema and what it does."""

    name: str
    title: str


def parse(url: str) -> URL:
    """Read a database URL.

    Raises:
        BadInput: neither an SQLite file nor PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # not told again: it may hold a password, in a place where nobody would look for one
        needed = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        raise BadInput(f"the database URL cannot be read; needed: {needed}", field="url") from None
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise BadInput(f"{kind}: only sqlite and postgresql are supported", field="url")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise BadInput("an SQLite database must be a file: sqlite:///refundflow.db", field="url")
    if not Path(parsed.database).absolute().parent.is_dir():
        raise BadInput(f"{parsed.database}: the folder does not exist", field="url")
    return parsed


@contextmanager
def connect(url: str, *, write: bool = False) -> Iterator[Connection]:
    """Open one connection in one transaction; to `write` takes the writers' lock of SQLite at once.

    Raises:
        Misconfigured: the database cannot be reached.
        Busy: it went away meanwhile.
    """
    parsed = parse(url)
    sqlite = parsed.drivername == "sqlite"
    arguments = {"isolation_level": None, "timeout": 30} if sqlite else {}
    engine = create_engine(parsed, poolclass=NullPool, connect_args=arguments)
    if sqlite:
        begin = "BEGIN IMMEDIATE" if write else "BEGIN"
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    try:
        opened = engine.connect()
    except OperationalError as problem:
        where = parsed.render_as_string(hide_password=True)
        raise Misconfigured(f"cannot reach the database {where}: {problem.orig}", field="url") from problem
    try:
        with opened as connection, connection.begin():
            yield connection
    except DatabaseError as problem:
        if problem.connection_invalidated:
            raise Busy("the database went away: try again in a moment") from problem
        name = getattr(problem.orig, "sqlite_errorname", "")
        if name == "SQLITE_NOTADB":
            raise Misconfigured(f"{parsed.database} is no SQLite database", field="url") from problem
        if name.startswith("SQLITE_READONLY"):
            told = f"{parsed.database}, or its folder, may not be written by this account; to read takes that too"
            raise Misconfigured(told, field="url") from problem
        raise


def pending(url: str) -> tuple[Revision, ...]:
    """Name the revisions that `upgrade` would apply, in order; all of them where there is no schema.

    Raises:
        SchemaTooNew: the database was made by a newer version.
    """
    if _missing_file(url):
        return _after(None)
    with connect(url) as connection:
        return _after(_current(connection))


def require_current(url: str) -> None:
    """Check that the schema is the one of this version.

    Raises:
        NotInitialised: there is no schema, or an older one.
        SchemaTooNew: the database was made by a newer version.
    """
    current = None
    if not _missing_file(url):
        with connect(url) as connection:
            current = _current(connection)
    if current is None:
        where = parse(url).render_as_string(hide_password=True)
        raise NotInitialised(f"{where} is not initialised: run refundflow init")
    if current not in REVISIONS:
        raise _too_new(current)
    if current != HEAD:
        raise NotInitialised(f"the database has schema {current}, not {HEAD}: run refundflow upgrade")


def upgrade(url: str, *, partitions: int | None = None) -> tuple[Revision, ...]:
    """Apply all pending revisions in one transaction and check the guards; return what was applied.

    `partitions` splits the tables of a new database on PostgreSQL by order id, for ever (None: whole, or as they are).

    Raises:
        BadInput: there cannot be so many partitions, or the database was made in another number.
        SchemaTooNew: the database was made by a newer version.
        ProofFailed: an append-only guard does not stand afterwards; nothing was applied.
    """
    from alembic import command

    _make_private(url)
    with connect(url, write=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        current = _current(connection)
        count = partitions_of(connection)
        if partitions is not None:
            check_partitions(connection, partitions)
            if current is not None and partitions != count:
                raise BadInput(f"this database has {count or 'no'} partitions, for ever", field="partitions")
            count = partitions
        steps = _after(current)
        if steps:
            configuration = _configuration()
            configuration.attributes["connection"] = connection
            with partitioned(connection, count):
                command.upgrade(configuration, "head")
        assert_guards(connection)
    return steps


def _make_private(url: str) -> None:
    """Make a new SQLite file that nobody else can read: texts of buyers lie in it beside their keys."""
    if _missing_file(url):
        with suppress(OSError):  # told by whoever opens it
            os.close(os.open(str(parse(url).database), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _missing_file(url: str) -> bool:
    parsed = parse(url)
    return parsed.drivername == "sqlite" and not Path(str(parsed.database)).exists()


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _too_new(current: str) -> SchemaTooNew:
    return SchemaTooNew(f"the database has schema {current}; this refundflow knows up to {HEAD}: install a newer one")


def _after(current: str | None) -> tuple[Revision, ...]:
    from alembic.script import ScriptDirectory

    if current is not None and current not in REVISIONS:
        raise _too_new(current)
    names = REVISIONS[REVISIONS.index(current) + 1 :] if current else REVISIONS
    scripts = ScriptDirectory.from_config(_configuration())
    return tuple(Revision(name, scripts.get_revision(name).doc.rstrip(".")) for name in names)


def _configuration() -> "Config":
    from alembic.config import Config

    configuration = Config()
    # the option is a format string: a % in the path of the installation stands for itself
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration
