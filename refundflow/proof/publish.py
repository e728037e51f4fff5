"""Checkpoints and tiles kept outside of the database, laid out as C2SP tlog-tiles says.

`checkpoint` is the newest, `checkpoints/SIZE` each one for ever, `tile/LEVEL/NUMBER` the hashes. What stands there
is never replaced by something else, but for `checkpoint`.
"""

from collections.abc import Iterator
from typing import Protocol

from refundflow.errors import ProofFailed
from refundflow.proof.checkpoints import Head, unverified
from refundflow.proof.notes import split_note
from refundflow.proof.tiles import SIZE, partial_width
from refundflow.store import StoredCheckpoint, Tx

NEWEST = "checkpoint"


class Place(Protocol):
    """Where checkpoints are published."""

    def read(self, name: str) -> bytes | None:
        """Return what stands under a name, None where nothing does."""
        ...

    def keep(self, name: str, content: bytes) -> bool:
        """Write what stays as it is; False where something stands there already."""
        ...

    def replace(self, name: str, content: bytes) -> None:
        """Write what takes the place of what stood there, whole or not at all."""
        ...

    def drop(self, name: str) -> None:
        """Remove partial tiles that are whole by now, where that is possible."""
        ...

    def sizes(self) -> Iterator[int]:
        """Yield the sizes under `checkpoints/` in ascending order."""
        ...


def published_head(place: Place) -> Head | None:
    """Return the newest published head of the tree, None where nothing was published yet."""
    found = place.read(NEWEST)
    return unverified(found.decode("utf-8", "replace")) if found is not None else None


def publish(tx: Tx, place: Place) -> int:
    """Publish every signed checkpoint that is not there yet, in order, its tiles first; return how many.

    Raises:
        ProofFailed: another checkpoint of the same size, or another tile, stands there.
    """
    before = published_head(place)
    known = tx.checkpoint_of(before.size) if before else None
    size, done = before.size if before else 0, 0
    last: StoredCheckpoint | None = None
    newest = tx.newest_checkpoint()
    for stored in tx.checkpoints(after_number=known.number if known else 0):
        if stored.note is None or (stored.size < size):
            continue
        _publish_tiles(tx, place, size, stored.size, newest.size if newest else stored.size)
        _keep_checkpoint(place, stored.size, stored.note)
        size, last, done = stored.size, stored, done + 1
    if last is None and newest is not None and known is not None and newest.number == known.number:
        last = newest
    if last is not None and last.note is not None:
        meanwhile = published_head(place)  # somebody else may have come further
        if meanwhile is None or meanwhile.size <= last.size:
            place.replace(NEWEST, last.note.encode())
    return done


def _keep_checkpoint(place: Place, size: int, note: str) -> None:
    name = f"checkpoints/{size}"
    if place.keep(name, note.encode()):
        return
    found = (place.read(name) or b"").decode("utf-8", "replace")
    if split_note(found)[0] != split_note(note)[0]:  # other signatures under the same text are none of another log
        raise ProofFailed([f"{name}: another checkpoint of this size was published before: there are two histories"])


def _publish_tiles(tx: Tx, place: Place, before: int, size: int, newest: int) -> None:
    """Write the tiles that a tree of `size` has and one of size `before` had not."""
    level = 0
    while size >> (8 * level):
        had, _ = partial_width(before, level)
        full, width = partial_width(size, level)
        for number in range(had, full):
            _keep_tile(place, tile_name(level, number), tx.tile(level, number).hashes)
            place.drop(f"{tile_name(level, number)}.p")
        if width and partial_width(newest, level)[0] == full:  # else the whole tile comes with a later checkpoint
            hashes = tx.tile(level, full).hashes[: width * SIZE]
            _keep_tile(place, f"{tile_name(level, full)}.p/{width}", hashes)
        level += 1


def _keep_tile(place: Place, name: str, hashes: bytes) -> None:
    if not place.keep(name, hashes) and place.read(name) != hashes:
        raise ProofFailed([f"{name}: another tile was published before: there are two histories"])


def tile_name(level: int, number: int) -> str:
    """Return the name of a full tile, such as ``tile/0/x001/234`` for number 1234."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    return f"tile/{level}/{'/'.join(reversed(parts))}"
