"""The head of the log that an export is bound to, and the proof of what it leaves out."""

import base64
from collections.abc import Iterable
from typing import Any, NamedTuple

from refundflow.errors import ProofFailed
from refundflow.proof import Log, origin_of
from refundflow.store import Tx
from states import times

Json = Any


class Head(NamedTuple):
    """A head of the log: how many leaves lie below it, and what proves that; JSON values only."""

    origin: str
    size: int
    root: str  # base64
    note: str | None  # the signed checkpoint; None: nobody has signed
    last_gid: int  # of the entry of the last leaf
    keys: list[Json]


def newest_head(tx: Tx, secret: bytes) -> Head:
    """Return the newest checkpoint as an export needs it.

    Raises:
        ProofFailed: there is none.
    """
    log = Log(tx)
    found = log.checkpoint
    if found is None:
        raise ProofFailed(["log: there is no checkpoint yet"])
    keys = [
        {"vkey": str(known.key), "since": times.text(known.since), "until": known.until and times.text(known.until)}
        for known in log.keys
    ]
    root = base64.b64encode(bytes.fromhex(found.root)).decode()
    return Head(origin_of(tx, secret), found.size, root, found.note, log.last_gid, keys)


def pruned(tx: Tx, head: Head, wanted: Iterable[int]) -> list[Json]:
    """Return the nodes that, with the wanted leaves, give the root of a head: [level, index, hash]."""
    return [list(node) for node in Log(tx, head.size).pruned(wanted)]
