"""The tree of the log in tiles of 256 hashes, as C2SP tlog-tiles cuts it: growing it, and reading any node of it."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from refundflow.errors import ProofFailed
from refundflow.proof import merkle
from refundflow.store import TILE_WIDTH, LogEnd, Piece, Tx

HEIGHT = 8  # levels of the tree in one tile
SIZE = merkle.HASH_SIZE
KEPT = 64  # tiles

Read = Callable[[int, int], bytes]  # (level, number) → the hashes of a tile as far as it goes


class TiledTree:
    """The first `size` leaves of a tree whose tiles are read when they are asked for."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._size = read, size
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    @property
    def size(self) -> int:
        """Count the leaves."""
        return self._size

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node.

        Raises:
            ProofFailed: hashes are missing from its tile.
        """
        tile_level, inside = divmod(level, HEIGHT)
        number, start = divmod(index << inside, TILE_WIDTH)
        hashes = self._tile(tile_level, number)[start * SIZE : (start + (1 << inside)) * SIZE]
        if len(hashes) != SIZE << inside:
            raise ProofFailed([f"log: tile {tile_level}/{number} does not reach as far as the log does"])
        return merkle.root_of(hashes[place : place + SIZE] for place in range(0, len(hashes), SIZE))

    def _tile(self, level: int, number: int) -> bytes:
        place = (level, number)
        if place not in self._kept:
            self._kept[place] = self._read(level, number)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(place)
        return self._kept[place]


def stored_tree(tx: Tx, size: int) -> TiledTree:
    """Return the tree of the first `size` leaves as it is stored."""
    return TiledTree(lambda level, number: tx.tile(level, number).hashes, size)


def growth(read: Read, end: LogEnd, leaves: Sequence[tuple[int, bytes]]) -> list[Piece]:
    """Return the pieces by which the tiles grow when leaves, each (number of its entry, leaf hash), are added."""
    hashes = [hashed for _, hashed in leaves]
    gids: Sequence[int] | None = [gid for gid, _ in leaves]
    level, position = 0, end.size
    pieces: list[Piece] = []
    while hashes:
        first_full, roots = None, []
        taken = 0
        for number, start, width in _runs(position, len(hashes)):
            run = b"".join(hashes[taken : taken + width])
            own = tuple(gids[taken : taken + width]) if gids is not None else None
            pieces.append(Piece(level, number, start, run, own))
            taken += width
            if start + width == TILE_WIDTH:
                whole = read(level, number)[: start * SIZE] + run if start else run
                first_full = number if first_full is None else first_full
                roots.append(merkle.root_of(whole[place : place + SIZE] for place in range(0, len(whole), SIZE)))
        level, position, hashes, gids = level + 1, first_full or 0, roots, None
    return pieces


def _runs(position: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Cut a run of hashes at the ends of tiles: (tile, first place in it, how many)."""
    end = position + count
    while position < end:
        number, start = divmod(position, TILE_WIDTH)
        width = min(TILE_WIDTH - start, end - position)
        yield number, start, width
        position += width


def partial_width(size: int, level: int) -> tuple[int, int]:
    """Return how many full tiles a level has in a tree of a size, and how wide the last, partial one is."""
    return divmod(size >> (HEIGHT * level), TILE_WIDTH)
