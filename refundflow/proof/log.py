"""The log under its newest checkpoint, and the proofs that can be made of it."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from refundflow.errors import NotFound, ProofFailed
from refundflow.proof import merkle
from refundflow.proof.keys import KnownKey, known_keys
from refundflow.proof.tiles import TiledTree, stored_tree
from refundflow.store import TILE_WIDTH, StoredCheckpoint, Tx


class Checkpoint(NamedTuple):
    """A head of the tree; `root` in hexadecimal digits, `note` None where nobody has signed."""

    size: int
    root: str
    note: str | None


class Log:
    """The log in one snapshot, up to its newest checkpoint, or up to an earlier size."""

    def __init__(self, tx: Tx, size: int | None = None) -> None:
        """Read the log up to a size that has a checkpoint, by default the newest.

        Raises:
            NotFound: no checkpoint has that size.
        """
        self._tx = tx
        found = tx.newest_checkpoint() if size is None else tx.checkpoint_of(size)
        if size is not None and found is None:
            raise NotFound(f"checkpoint of size {size}")
        self.stored: StoredCheckpoint | None = found
        self.size = found.size if found else 0

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint, None where none was made yet."""
        return Checkpoint(*self.stored[1:4]) if self.stored else None

    @cached_property
    def keys(self) -> list[KnownKey]:
        """Return the keys of the register, the oldest first."""
        return known_keys(self._tx)

    @cached_property
    def tree(self) -> TiledTree:
        """Return the tree of the leaves below the size."""
        return stored_tree(self._tx, self.size)

    @cached_property
    def last_gid(self) -> int:
        """Return the number of the entry of the last leaf, 0 where there is none."""
        if not self.size:
            return 0
        number, place = divmod(self.size - 1, TILE_WIDTH)
        gids = self._tx.tile(0, number).gids
        if place >= len(gids):
            raise ProofFailed([f"log: tile 0/{number} does not reach as far as the checkpoint of size {self.size}"])
        return gids[place]

    def leaf_of(self, gid: int) -> int:
        """Return the leaf number of an entry.

        Raises:
            NotFound: it is not under this checkpoint (yet).
        """
        leaf = self._tx.leaf_of(gid)
        if leaf is None or leaf >= self.size:
            raise NotFound(f"leaf of entry {gid} under the checkpoint of size {self.size}")
        return leaf

    def leaves(self) -> Iterator[tuple[int, int]]:
        """Yield (leaf, number of its entry) of all leaves in log order, in constant memory."""
        leaf = 0
        for piece in self._tx.pieces(0):
            for gid in piece.gids or ():
                if leaf == self.size:
                    return
                yield leaf, gid
                leaf += 1

    def leaf_hash(self, leaf: int) -> bytes:
        """Return the stored hash of a leaf."""
        return self.tree.node(0, leaf)

    def inclusion(self, leaf: int) -> list[bytes]:
        """Return the proof that a leaf is in the tree."""
        return merkle.inclusion_proof(self.tree, leaf)

    def consistency(self, first: int) -> list[bytes]:
        """Return the proof that the tree begins with what it was at size `first`."""
        return merkle.consistency_proof(self.tree, first)

    def pruned(self, wanted: Iterable[int]) -> list[tuple[int, int, str]]:
        """Return the fewest nodes (level, index, hash in hexadecimal digits) beside wanted leaves, given in order."""
        return [(level, index, hashed.hex()) for level, index, hashed in merkle.pruned(self.tree, wanted)]
