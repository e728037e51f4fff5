"""Fresh databases for tests: an empty one, or a copy of one that was prepared once."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from psycopg import sql

from refundflow import migrations
from tests.support.postgres import PostgresServer

Prepare = Callable[[str], None]


class Databases(Protocol):
    """Makes databases of one kind for one test and removes them after it."""

    def empty(self) -> str:
        """Make an empty database; the answer is its URL."""
        ...

    def copy_of(self, name: str, prepare: Prepare) -> str:
        """Make a copy of the database `name`; `prepare` fills that one, once per session, given its URL."""
        ...

    def close(self) -> None:
        """Remove what was made for this test; prepared ones stay."""
        ...


class SqliteDatabases:
    """SQLite files: the test's in its own folder, the prepared ones in `prepared`, the session's folder."""

    def __init__(self, *, folder: Path, prepared: Path) -> None:
        self._folder, self._prepared = folder, prepared
        self._numbers = itertools.count(1)

    def _next(self) -> Path:
        return self._folder / f"refundflow-{next(self._numbers)}.db"

    def empty(self) -> str:
        """Name a file that does not exist yet."""
        return _sqlite_url(self._next())

    def copy_of(self, name: str, prepare: Prepare) -> str:
        """Copy the prepared file; it must have been closed, so that no journal stands beside it."""
        prepared = self._prepared / f"{name}.db"
        if not prepared.exists():
            unfinished = self._prepared / f"{name}.unfinished"
            unfinished.unlink(missing_ok=True)
            prepare(_sqlite_url(unfinished))
            unfinished.rename(prepared)
        path = self._next()
        shutil.copyfile(prepared, path)
        return _sqlite_url(path)

    def close(self) -> None:
        """Leave the files: pytest removes its folders."""


class PostgresDatabases:
    """Databases of one server."""

    _numbers = itertools.count(1)

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._made: list[str] = []

    def _create(self, name: str, *, template: str) -> str:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with self._server.connect() as connection:
            connection.execute(statement)
        return self._server.url(name)

    def _exists(self, name: str) -> bool:
        with self._server.connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            return found.fetchone() is not None

    def _next(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        url = self._create(name, template=template)
        self._made.append(name)
        return url

    def empty(self) -> str:
        """Make a database from the server's own template."""
        return self._next("template0")

    def copy_of(self, name: str, prepare: Prepare) -> str:
        """Make a database from the prepared one; nobody may be connected to that."""
        prepared = f"prepared_{name}"
        if not self._exists(prepared):
            prepare(self._create(f"unfinished_{name}", template="template0"))
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            with self._server.connect() as connection:
                connection.execute(rename.format(sql.Identifier(f"unfinished_{name}"), sql.Identifier(prepared)))
        return self._next(prepared)

    def close(self) -> None:
        """Drop this test's databases, whoever is still connected."""
        with self._server.connect() as connection:
            for name in self._made:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.clear()


PARTITIONS = 4


class PartitionedDatabases(PostgresDatabases):
    """Databases of one server whose tables are hash-partitioned; an empty one has its schema, but no mode yet."""

    def empty(self) -> str:
        """Copy a database in which only the schema was made."""
        return super().copy_of("partitioned", split)

    def copy_of(self, name: str, prepare: Prepare) -> str:
        """Make a database from the prepared one, which was split before it was prepared."""

        def split_and_prepare(url: str) -> None:
            split(url)
            prepare(url)

        return super().copy_of(f"{name}_partitioned", split_and_prepare)


def split(url: str) -> None:
    """Make the partitioned schema."""
    migrations.upgrade(url, partitions=PARTITIONS)


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"
