"""The history of the schema: which revisions there are, which are pending, and how they are applied."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import URL, Connection, NullPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError

from refundflow.errors import BadInput, Busy, Misconfigured, NotInitialised, SchemaTooNew
from refundflow.migrations.guards import assert_guards, privileges_beyond, privileges_lacking
from refundflow.migrations.partitions import check_partitions, partitioned, partitions_of

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "HEAD",
    "REVISIONS",
    "Revision",
    "assert_guards",
    "connect",
    "forbidden",
    "parse",
    "partitions_of",
    "pending",
    "privileges_beyond",
    "privileges_lacking",
    "require_current",
    "shown",
    "upgrade",
]

# Every revision from the first to the newest; a test compares them with the files in versions/.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
HEAD = REVISIONS[-1]
_LOCK = 7_265_667_500_001  # of pg_advisory_xact_lock, so that two upgrades do not meet
# What PostgreSQL says that takes no connection now and will soon; the driver is told no code of it, only the text.
_NOT_NOW = ("too many", "connection slots", "the database system is")
_FORBIDDEN = {
    "42501": "the database forbids it to this role, which needs what docs/how-to/postgresql.md grants",
    "25006": "this database may only be read: name the server that is written to",
}
_STANDBY = "recovery"  # stands in what a standby says where it has no code of its own


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
        if url.count("@") > 1:  # behind the first one stands the host, which messages name
            raise BadInput("the database URL has more than one @: in a password write it as %40", field="url")
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise BadInput(f"{kind}: only sqlite and postgresql are supported", field="url")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise BadInput("an SQLite database must be a file: sqlite:///refundflow.db", field="url")
    if not Path(parsed.database).absolute().parent.is_dir():
        raise BadInput(f"{parsed.database}: the folder does not exist", field="url")
    return parsed


def shown(url: str) -> str:
    """Write a database URL for people: without any password.

    Raises:
        BadInput: neither an SQLite file nor PostgreSQL.
    """
    parsed = parse(url)
    named = parsed.set(drivername=parsed.get_backend_name())
    secret = [name for name in named.query if "password" in name]
    return named.difference_update_query(secret).render_as_string(hide_password=True)


def forbidden(problem: object) -> Misconfigured | None:
    """Read PostgreSQL's refusal of a privilege, or of any change, as a setting to be mended; None: it is another."""
    code = getattr(problem, "sqlstate", None)
    if code == "0A000" and _STANDBY in str(problem):
        code = "25006"
    told = _FORBIDDEN.get(code or "")
    return Misconfigured(f"{told} ({_line(problem)})", field="url") if told else None


def _line(problem: object) -> str:
    return " ".join(str(problem).split())


@contextmanager
def connect(url: str, *, write: bool = False) -> Iterator[Connection]:
    """Open one connection in one transaction; to `write` takes the writers' lock of SQLite at once.

    Raises:
        Misconfigured: the database cannot be reached, or forbids what is asked.
        Busy: it takes no connection now, or went away meanwhile.
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
    except DatabaseError as problem:
        told = _line(problem.orig)
        if any(words in told for words in _NOT_NOW) or getattr(problem.orig, "sqlstate", None):
            raise Busy(f"the database takes no connection now: {told}: try again in a moment") from problem
        raise Misconfigured(f"cannot reach the database {shown(url)}: {told}", field="url") from problem
    try:
        with opened as connection, connection.begin():
            yield connection
    except DatabaseError as problem:
        if problem.connection_invalidated:
            raise Busy("the database went away: try again in a moment") from problem
        if (refusal := forbidden(problem.orig)) is not None:
            raise refusal from problem
        name = getattr(problem.orig, "sqlite_errorname", "")
        if name == "SQLITE_NOTADB":
            raise Misconfigured(f"{parsed.database} is no SQLite database", field="url") from problem
        if name.startswith("SQLITE_CORRUPT"):
            told = f"{parsed.database} is damaged: restore a backup, then run refundflow audit verify"
            raise Misconfigured(told, field="url") from problem
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
        raise NotInitialised(f"{shown(url)} is not initialised: run refundflow init")
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
