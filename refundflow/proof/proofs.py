"""Proofs as small files of JSON, and checking them with nothing but the public keys.

A proof of inclusion (``refundflow-proof/1``) has the checkpoint, the chain, and for each entry its number, its leaf,
the SHA-256 of its body and the path to the root. A proof of consistency (``refundflow-consistency/1``) has two
checkpoints and the path between them. Hashes are hexadecimal digits.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from refundflow.errors import BadInput, ProofFailed
from refundflow.proof import merkle
from refundflow.proof.checkpoints import Head, opened
from refundflow.proof.log import Log
from refundflow.proof.notes import VerifyingKey
from refundflow.store import StoredEntry
from refundflow.values import Checked

Json = Any
INCLUSION, CONSISTENCY = "refundflow-proof/1", "refundflow-consistency/1"


def inclusion_file(log: Log, subject: str, entries: Iterable[StoredEntry]) -> dict[str, Json]:
    """Return the proof that entries of a chain are in the log."""
    told = []
    for entry in entries:
        leaf = log.leaf_of(entry.gid)
        path = [item.hex() for item in log.inclusion(leaf)]
        told.append({"seq": entry.seq, "leaf": leaf, "hash": entry.hash, "path": path})
    return {"format": INCLUSION, "checkpoint": note_of(log), "subject": subject, "entries": told}


def consistency_file(first: Log, second: Log) -> dict[str, Json]:
    """Return the proof that the log at one checkpoint begins with what it was at an earlier one."""
    path = [item.hex() for item in second.consistency(first.size)]
    return {"format": CONSISTENCY, "first": note_of(first), "second": note_of(second), "path": path}


def note_of(log: Log) -> str:
    """Return the signed checkpoint of a log.

    Raises:
        BadInput: there is none, or nobody has signed it.
    """
    if log.checkpoint is None or log.checkpoint.note is None:
        raise BadInput("there is no signed checkpoint yet: run refundflow audit checkpoint", field="checkpoint")
    return log.checkpoint.note


def check(text: str, keys: Sequence[VerifyingKey]) -> Checked:
    """Check a proof of either kind, or a checkpoint alone.

    Raises:
        BadInput: it is no proof.
        ProofFailed: it does not hold; what fails is named.
    """
    if not text.lstrip().startswith("{"):
        head = opened(text, keys)
        return Checked(kind="checkpoint", origin=head.origin, size=head.size)
    try:
        told = json.loads(text)
        kind = told["format"]
        if kind == INCLUSION:
            return _check_inclusion(told, keys)
        if kind == CONSISTENCY:
            return _check_consistency(told, keys)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise BadInput(f"this is no proof of refundflow: {problem!r}", field="file") from problem
    raise BadInput(f"{kind!r} is no kind of proof: {INCLUSION} or {CONSISTENCY}", field="file")


def _check_inclusion(told: Mapping[str, Json], keys: Sequence[VerifyingKey]) -> Checked:
    head = opened(told["checkpoint"], keys)
    wrong = [
        f"{told['subject']}#{item['seq']}: it is not leaf {item['leaf']} of the log of size {head.size}"
        for item in told["entries"]
        if not _included(head, item)
    ]
    if wrong or not told["entries"]:
        raise ProofFailed(wrong or ["the proof names no entry"])
    return Checked(
        kind="inclusion", origin=head.origin, size=head.size, subject=str(told["subject"]), entries=len(told["entries"])
    )


def _included(head: Head, item: Mapping[str, Json]) -> bool:
    hashed = merkle.leaf_hash(bytes.fromhex(item["hash"]))
    return merkle.verify_inclusion(item["leaf"], head.size, hashed, _path(item), head.root)


def _check_consistency(told: Mapping[str, Json], keys: Sequence[VerifyingKey]) -> Checked:
    first, second = opened(told["first"], keys), opened(told["second"], keys)
    if first.origin != second.origin:
        raise ProofFailed([f"the checkpoints are of two logs: {first.origin} and {second.origin}"])
    if not merkle.verify_consistency(first.size, second.size, _path(told), first.root, second.root):
        raise ProofFailed([f"the log of size {second.size} does not begin with the log of size {first.size}"])
    return Checked(kind="consistency", origin=second.origin, size=second.size, first=first.size)


def _path(told: Mapping[str, Json]) -> list[bytes]:
    return [bytes.fromhex(item) for item in told["path"]]
