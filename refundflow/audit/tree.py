"""The proof of the log: every entry is the leaf that it was numbered as, and the tiles and heads follow from it."""

from collections.abc import Callable, Iterator
from hashlib import sha256

from refundflow.audit.heads import LOG, Heads, Outside
from refundflow.audit.replay import Finding, parse
from refundflow.proof import merkle
from refundflow.proof.keys import SUBJECT as KEYS
from refundflow.store import TILE_WIDTH, Logged, Tx

SIZE = merkle.HASH_SIZE
Leaf = tuple[int, int, bytes]  # leaf number, number of its entry, stored hash


class LogProof:
    """One walk along the log: entries in log order beside the leaves of the tiles."""

    def __init__(self, tx: Tx, secret: bytes, outside: Outside) -> None:
        self._tx = tx
        self.heads = Heads(tx, secret, outside)
        self.leaves = 0
        self._growing = merkle.Growing()
        self._levels: list[bytearray] = []  # what the tiles above level 0 should hold
        self._tile = merkle.Growing()
        self._problem: Finding | None = None

    def findings(self, progress: Callable[[int], None]) -> Iterator[Finding]:
        """Yield whatever does not hold; `progress` is told how many more entries were read."""
        leaves = self._stored_leaves()
        leaf = next(leaves, None)
        yield from self.heads.reached(0, merkle.EMPTY)
        if leaf is None and not self.heads.any:
            yield from self.heads.end(0)
            return
        for entry in self._tx.logged():
            progress(1)
            while leaf is not None and leaf[1] < entry.gid:
                yield self._without_entry(leaf)
                yield from self._grown(leaf)
                leaf = next(leaves, None)
            yield from self.heads.back_dated(entry)
            if leaf is None:
                continue  # no leaf yet: the next checkpoint numbers it
            if leaf[1] != entry.gid:
                yield Finding(entry.subject, entry.seq, f"it has no leaf, but what came later has {leaf[0]}: inserted")
                continue
            if merkle.leaf_hash(sha256(entry.body).digest()) != leaf[2]:
                yield Finding(
                    entry.subject, entry.seq, f"its body is not what leaf {leaf[0]} binds; {self.heads.since(leaf[0])}"
                )
            self._take_key(leaf[0], entry)
            yield from self._grown(leaf)
            leaf = next(leaves, None)
        while leaf is not None:
            yield self._without_entry(leaf)
            yield from self._grown(leaf)
            leaf = next(leaves, None)
        if self._problem is not None:
            yield self._problem
        yield from self._upper_tiles()
        yield from self.heads.end(self.leaves)

    def _grown(self, leaf: Leaf) -> Iterator[Finding]:
        """Add a leaf as it is stored, and compare the heads of the size that this gives."""
        self.leaves += 1
        self._growing.add(leaf[2])
        self._tile.add(leaf[2])
        if self.leaves % TILE_WIDTH == 0:
            self._full_tile(0, self._tile.root)
            self._tile = merkle.Growing()
        if self.heads.wants(self.leaves):
            yield from self.heads.reached(self.leaves, self._growing.root)

    def _full_tile(self, level: int, root: bytes) -> None:
        if len(self._levels) == level:
            self._levels.append(bytearray())
        hashes = self._levels[level]
        hashes += root
        if len(hashes) % (TILE_WIDTH * SIZE) == 0:
            whole = hashes[-TILE_WIDTH * SIZE :]
            self._full_tile(
                level + 1, merkle.root_of(bytes(whole[place : place + SIZE]) for place in range(0, len(whole), SIZE))
            )

    def _stored_leaves(self) -> Iterator[Leaf]:
        """Yield the leaves of the tiles in order, up to where they cannot be read on."""
        try:
            yield from self._readable_leaves()
        except ValueError as problem:
            self._problem = Finding(LOG, 0, str(problem))

    def _readable_leaves(self) -> Iterator[Leaf]:
        position, last = 0, 0
        for piece in self._tx.pieces(0):
            gids = piece.gids or ()
            hashes = [piece.hashes[place : place + SIZE] for place in range(0, len(piece.hashes), SIZE)]
            sound = (
                piece.number * TILE_WIDTH + piece.start == position
                and len(hashes) == len(gids)
                and len(piece.hashes) % SIZE == 0
                and list(gids) == sorted(set(gids))
                and gids[0] > last
            )
            if not sound:
                what = (
                    f"tile 0/{piece.number} cannot be read from place {piece.start} on: leaf {position} should follow"
                )
                self._problem = Finding(LOG, 0, what)
                return
            yield from ((position + place, gid, hashes[place]) for place, gid in enumerate(gids))
            position, last = position + len(gids), gids[-1]

    def _without_entry(self, leaf: Leaf) -> Finding:
        number, gid, _ = leaf
        return Finding(LOG, 0, f"leaf {number} has no entry (number {gid}) any more; {self.heads.since(number)}")

    def _take_key(self, leaf: int, entry: Logged) -> None:
        if entry.subject == KEYS:
            try:
                self.heads.key_entry(leaf, parse(entry.body))
            except (ValueError, KeyError, TypeError) as problem:
                self._problem = Finding(KEYS, entry.seq, f"the key of the log cannot be read: {problem!r}")

    def _upper_tiles(self) -> Iterator[Finding]:
        """Compare the tiles above the leaves with what the leaves give."""
        for level in range(1, len(self._levels) + 2):
            expected = bytes(self._levels[level - 1]) if level <= len(self._levels) else b""
            stored: dict[int, bytearray] = {}
            for piece in self._tx.pieces(level):
                tile = stored.setdefault(piece.number, bytearray())
                if len(tile) != piece.start * SIZE:
                    yield Finding(LOG, 0, f"tile {level}/{piece.number} has a gap before place {piece.start}")
                tile += piece.hashes
            count = -(-len(expected) // (TILE_WIDTH * SIZE))
            for number in range(max([count, *(number + 1 for number in stored)])):
                told = expected[number * TILE_WIDTH * SIZE : (number + 1) * TILE_WIDTH * SIZE]
                if bytes(stored.get(number, b"")) != told:
                    yield Finding(LOG, 0, f"tile {level}/{number} is not what the leaves below it give")
