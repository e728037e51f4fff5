"""The keys of the log: the private one in a file outside of the database, the public ones in the chain "keys"."""

import json
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from refundflow import config
from refundflow.disk import keep_names
from refundflow.errors import BadInput, Misconfigured
from refundflow.proof.notes import SigningKey, VerifyingKey, sign_note
from refundflow.store import REGISTER_ORDER, Tx
from states import times
from states.case import merge

SUBJECT = "keys"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key of the register: since when it may sign, and until when (None: still)."""

    key: VerifyingKey
    since: datetime
    until: datetime | None


def register_of(bodies: Iterable[Mapping[str, Any]]) -> list[KnownKey]:
    """Return what the parsed entries of the chain "keys" say, the oldest key first."""
    document: dict[str, Any] = {}
    for body in bodies:
        document = merge(document, body["patch"])
    return [
        KnownKey(
            VerifyingKey.parse(item["vkey"]),
            times.moment(item["since"]),
            times.moment(item["until"]) if item.get("until") else None,
        )
        for item in document.values()
        if isinstance(item, dict)
    ]


def known_keys(tx: Tx) -> list[KnownKey]:
    """Return the keys of the register, the oldest first."""
    return register_of(json.loads(entry.body) for entry in tx.entries(SUBJECT, order_id=REGISTER_ORDER))


def origin_of(tx: Tx, secret: bytes) -> str:
    """Return the name of the log: that of its keys, or before there is one, one that follows from the database."""
    known = known_keys(tx)
    return known[0].key.name if known else default_origin(secret)


def default_origin(secret: bytes) -> str:
    """Return the name that a log has when nobody gives it one."""
    return f"refundflow/{sha256(b'origin of the log' + secret).hexdigest()[:8]}"


def read_key(path: Path) -> SigningKey:
    """Read a private key from its file.

    Raises:
        Misconfigured: it is not there, others can read it, or it is none.
    """
    name = config.SIGNING_KEY
    try:
        with path.open(encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Misconfigured(f"{name}: {path} can be read by others: chmod 600 {path}", field=name)
            return SigningKey.parse(file.read(10_000))
    except FileNotFoundError as problem:
        raise Misconfigured(f"{name}: there is no {path}: run refundflow audit keys create", field=name) from problem
    except OSError as problem:
        raise Misconfigured(f"{name}: {path}: {problem.strerror}", field=name) from problem
    except (BadInput, UnicodeDecodeError) as problem:
        if isinstance(problem, Misconfigured):
            raise
        raise Misconfigured(f"{name}: {path} holds no signing key", field=name) from problem


def write_key(path: Path, key: SigningKey) -> None:
    """Write a private key to a new file that nobody else can read, and bring it to the disk.

    Raises:
        BadInput: there is such a file already, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, key.written().encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        keep_names(path.parent)
    except OSError as problem:
        raise BadInput(f"{path}: {problem.strerror}; needed: the path of a new file", field="key") from problem


def replace_key(path: Path, following: Path, key: SigningKey) -> Path:
    """Let a key's successor take its file; return where the old one lies now, to be kept or destroyed."""
    old = path.with_name(f"{path.name}.{key.verifying.id}")
    with suppress(FileExistsError):
        os.link(path, old)
    following.replace(path)
    keep_names(path.parent)
    return old


def sign(text: str, key: SigningKey | None = None) -> str:
    """Sign a text, by default with the key that the environment names.

    Raises:
        Misconfigured: no key is named, or it cannot be read.
    """
    if key is None:
        path = config.read().signing_key
        if path is None:
            raise Misconfigured(f"{config.SIGNING_KEY} names no key", field=config.SIGNING_KEY)
        key = read_key(path)
    return sign_note(text, key)
