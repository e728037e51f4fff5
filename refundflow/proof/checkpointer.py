"""Numbering entries as leaves, and making heads of the tree: each a short transaction, by one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from refundflow.errors import Misconfigured, ProofFailed
from refundflow.proof import merkle
from refundflow.proof.checkpoints import Head
from refundflow.proof.keys import known_keys, origin_of
from refundflow.proof.notes import SigningKey, sign_note
from refundflow.proof.tiles import growth, stored_tree
from refundflow.store import LogEnd, StoredCheckpoint, Tx

BATCH = 1_024  # entries numbered in one transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Cadence:
    """How often a checkpoint is made: after so long or so many entries, and where nothing happened, more rarely."""

    after: timedelta = timedelta(seconds=60)
    entries: int = 1_000
    empty: timedelta = timedelta(hours=1)

    def is_due(self, newest: StoredCheckpoint | None, new: int, now: datetime) -> bool:
        """Tell whether a checkpoint is to be made now, with so many new entries."""
        if newest is None:
            return new > 0
        age = now - newest.made_at
        return (new > 0 and (age >= self.after or new >= self.entries)) or age >= self.empty


def new_entries(tx: Tx) -> int:
    """Return how many entries no signed checkpoint has yet; gaps in their numbers count too."""
    newest, end = tx.newest_signed_checkpoint(), tx.log_end()
    return max(tx.newest_gid() - end.last_gid, 0) + end.size - (newest.size if newest else 0)


def next_leaves(tx: Tx, horizon: int, batch: int = BATCH) -> tuple[LogEnd, list[tuple[int, bytes]]]:
    """Return the end of the log and the next leaves behind it, each (number of its entry, leaf hash).

    Raises:
        ProofFailed: the hash of an entry is none.
    """
    end = tx.log_end()
    leaves = []
    for gid, told in tx.unnumbered(end.last_gid, horizon, batch):
        try:
            data = bytes.fromhex(told)
        except ValueError as problem:
            raise ProofFailed([f"log: the hash of the entry {gid} cannot be read: run refundflow audit verify"]) from (
                problem
            )
        leaves.append((gid, merkle.leaf_hash(data)))
    return end, leaves


def number(tx: Tx, end: LogEnd, leaves: Sequence[tuple[int, bytes]]) -> bool:
    """Add leaves behind the end of the log that was read; False when somebody else was first."""
    tx.hold_log()
    if tx.log_end() != end:
        return False
    tx.add_pieces(growth(lambda level, place: tx.tile(level, place).hashes, end, leaves))
    return True


def make_checkpoint(
    tx: Tx, secret: bytes, keys: Sequence[SigningKey], now: datetime, published: Head | None = None, *, again: bool
) -> StoredCheckpoint:
    """Make a head of the tree of all numbered leaves, signed by every one of `keys`; none: unsigned.

    Where the newest one says the same it is returned, unless one is wanted `again`. `published` is what is known
    outside of the database: the new one must begin with it.

    Raises:
        Misconfigured: a key is not registered, was retired, or has another name than the log.
        ProofFailed: the database does not hold what was published.
    """
    tx.hold_log()
    size, newest = tx.log_end().size, tx.newest_checkpoint()
    tree = stored_tree(tx, size)
    if published is not None:
        _require_published(tx, published, size)
    if newest is not None and newest.size > size:
        raise ProofFailed([f"log: {size} leaves are left of {newest.size} that the newest checkpoint has"])
    root, note = merkle.root(tree), None
    if keys:
        _require_registered(tx, keys)
        note = sign_note(Head(origin_of(tx, secret), size, root).text, *keys)
    same = newest is not None and (newest.size, newest.root) == (size, root.hex()) and note in (newest.note, None)
    if newest is not None and same and not again:
        return newest
    return tx.add_checkpoint(size, root.hex(), note, now)


def _require_registered(tx: Tx, keys: Sequence[SigningKey]) -> None:
    active = {known.key for known in known_keys(tx) if known.until is None}
    for key in keys:
        if key.verifying not in active:
            raise Misconfigured(
                f"the key {key.verifying} is not registered, or was retired: run refundflow audit keys create",
                field="signing_key",
            )


def _require_published(tx: Tx, published: Head, size: int) -> None:
    """Refuse to sign a second history beside the one that is known outside."""
    if published.size > size:
        raise ProofFailed([
            f"log: a checkpoint of size {published.size} was published, here are only {size} leaves: "
            "part of the log is gone, or an old state was restored; nothing was signed"
        ])  # fmt: skip
    if merkle.root(stored_tree(tx, published.size)) != published.root:
        raise ProofFailed([
            f"log: the published checkpoint of size {published.size} has another root: nothing was signed"
        ])  # fmt: skip
