"""The settings that refundflow reads from its environment, validated where they are read."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from refundflow.errors import Misconfigured

DATABASE_URL = "REFUNDFLOW_DATABASE_URL"
ACTOR = "REFUNDFLOW_ACTOR"
POLICY = "REFUNDFLOW_POLICY"
FAKE_CHANNEL = "REFUNDFLOW_FAKE_CHANNEL"
SIGNING_KEY = "REFUNDFLOW_SIGNING_KEY"
CHECKPOINTS = "REFUNDFLOW_CHECKPOINTS"
SYNCHRONOUS = "REFUNDFLOW_SYNCHRONOUS"
DEFAULT_URL = "sqlite:///refundflow.db"
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgresql+psycopg": "postgresql",
}
Synchronous = Literal["full", "normal"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one process.

    `policy` is the file of the policy that refunds get when they are submitted (None: the packaged
    one), `fake_channel` the file in which the fake channel keeps what it knows, `signing_key` the file of the key
    that signs checkpoints, `checkpoints` the folder or bucket in which they are published, `synchronous` whether an
    SQLite file is flushed at every commit ("full") or only now and then ("normal").
    """

    database_url: str = DEFAULT_URL
    actor: str | None = None
    policy: Path | None = None
    fake_channel: Path | None = None
    signing_key: Path | None = None
    checkpoints: str | None = None
    synchronous: Synchronous = "full"


def read(environment: Mapping[str, str] | None = None, *, default_url: str = DEFAULT_URL) -> Config:
    """Read the settings from the environment; `default_url` stands where it names no database.

    Raises:
        Misconfigured: the database URL names no database that refundflow runs on, or a setting has no such value.
    """
    given = os.environ if environment is None else environment
    return Config(
        database_url=checked_url(given.get(DATABASE_URL) or default_url),
        actor=given.get(ACTOR) or None,
        policy=_path(given.get(POLICY)),
        fake_channel=_path(given.get(FAKE_CHANNEL)),
        signing_key=_path(given.get(SIGNING_KEY)),
        checkpoints=given.get(CHECKPOINTS) or None,
        synchronous=_synchronous(given.get(SYNCHRONOUS) or "full"),
    )


def _path(given: str | None) -> Path | None:
    return Path(given) if given else None


def _synchronous(given: str) -> Synchronous:
    if given not in ("full", "normal"):
        raise Misconfigured(f"{SYNCHRONOUS}: {given!r} is neither full nor normal", field=SYNCHRONOUS)
    return cast(Synchronous, given)


def checked_url(url: str) -> str:
    """Return the URL if it names an SQLite file or a PostgreSQL database.

    Raises:
        Misconfigured: another database, or no URL at all; a password in it is not repeated.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise Misconfigured(
            f"{DATABASE_URL}: not a URL; write sqlite:///FILE or postgresql://USER@HOST/NAME",
            field=DATABASE_URL,
        )
    kind = _DRIVERS.get(scheme)
    if kind is None:
        raise Misconfigured(
            f"{DATABASE_URL}: {scheme!r} is not supported; allowed: {', '.join(_DRIVERS)}", field=DATABASE_URL
        )
    if kind == "sqlite" and not _names_a_file(rest):
        raise Misconfigured(
            f"{DATABASE_URL}: an SQLite database must be a file: write sqlite:///FILE", field=DATABASE_URL
        )
    return url


def _names_a_file(rest: str) -> bool:
    """Tell whether what follows `sqlite://` is the path of a file (a memory has no second process)."""
    path = rest.partition("?")[0]
    return path.startswith("/") and len(path) > 1 and ":memory:" not in path
