"""The Merkle tree of RFC 9162, section 2: roots, proofs, and their verification; pure functions of hashes.

A node `(level, index)` covers the leaves `[index * 2**level, min((index + 1) * 2**level, size))`. It is complete
when it covers `2**level` of them, else ragged: the hash of a ragged node is that of its left child where it has
no other. Level 0 are the leaf hashes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Protocol

Node = tuple[int, int, bytes]  # level, index, hash

HASH_SIZE = 32  # bytes
EMPTY = sha256(b"").digest()  # the root of a tree without leaves


class Tree(Protocol):
    """A tree of `size` leaves that knows the hashes of its complete nodes."""

    @property
    def size(self) -> int:
        """Count the leaves."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node."""
        ...


class Leaves:
    """A tree over leaf hashes in memory."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self._hashes = hashes

    @property
    def size(self) -> int:
        """Count the leaves."""
        return len(self._hashes)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node."""
        first = index << level
        return root_of(self._hashes[first : first + (1 << level)])


class Prefix:
    """The first `size` leaves of a tree: what it was at that size."""

    def __init__(self, tree: Tree, size: int) -> None:
        if not 0 <= size <= tree.size:
            raise ValueError(f"a tree of {tree.size} leaves never had {size}")
        self._tree, self._size = tree, size

    @property
    def size(self) -> int:
        """Count the leaves."""
        return self._size

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node."""
        return self._tree.node(level, index)


class Growing:
    """The complete nodes along the right edge of a tree, enough to add leaves and to tell the root.

    `kept` are the hashes of the complete nodes from left to right, the largest first.
    """

    def __init__(self) -> None:
        self.size = 0
        self.kept: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self.kept.append(leaf)
        self.size += 1
        size = self.size
        while size % 2 == 0:
            right = self.kept.pop()
            self.kept.append(node_hash(self.kept.pop(), right))
            size //= 2

    @property
    def root(self) -> bytes:
        """Return the root of the leaves so far."""
        if not self.kept:
            return EMPTY
        *rest, found = self.kept
        for left in reversed(rest):
            found = node_hash(left, found)
        return found


def leaf_hash(data: bytes) -> bytes:
    """Hash the data of one leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash the two children of a node."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes in order."""
    growing = Growing()
    for leaf in hashes:
        growing.add(leaf)
    return growing.root


def root(tree: Tree) -> bytes:
    """Return the root of a tree."""
    return _hash(tree, height(tree.size), 0) if tree.size else EMPTY


def height(size: int) -> int:
    """Return the level of the root of a tree with at least one leaf."""
    return (size - 1).bit_length()


def inclusion_proof(tree: Tree, leaf: int) -> list[bytes]:
    """Return the hashes beside the way from a leaf to the root, lowest first (RFC 9162, 2.1.3.1).

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= leaf < tree.size:
        raise ValueError(f"a tree of {tree.size} leaves has no leaf {leaf}")
    path: list[bytes] = []
    index = 0
    for level in range(height(tree.size), 0, -1):
        left = 2 * index
        if not _exists(tree, level - 1, left + 1):
            index = left
            continue
        index = left + (leaf >> (level - 1) & 1)
        path.append(_hash(tree, level - 1, index ^ 1))
    return path[::-1]


def consistency_proof(tree: Tree, first: int) -> list[bytes]:
    """Return what proves that the tree begins with what it was at size `first` (RFC 9162, 2.1.4.1).

    Raises:
        ValueError: it never had that size.
    """
    if not 0 <= first <= tree.size:
        raise ValueError(f"a tree of {tree.size} leaves never had {first}")
    if first in (0, tree.size):
        return []
    path: list[bytes] = []
    level, index, whole = height(tree.size), 0, True
    while first != min((index + 1) << level, tree.size):
        level, index = level - 1, 2 * index
        if not _exists(tree, level, index + 1):
            continue
        middle = (index + 1) << level
        if first <= middle:
            path.append(_hash(tree, level, index + 1))
        else:
            path.append(_hash(tree, level, index))
            index, whole = index + 1, False
    return ([] if whole else [_hash(tree, level, index)]) + path[::-1]


def verify_inclusion(leaf: int, size: int, hashed: bytes, path: Sequence[bytes], expected: bytes) -> bool:
    """Tell whether a leaf hash stands at a place in the tree of a size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= leaf < size or any(len(item) != HASH_SIZE for item in (hashed, *path)):
        return False
    place, last, found = leaf, size - 1, hashed
    for beside in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            found = node_hash(beside, found)
            while not place % 2 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        place, last = place >> 1, last >> 1
    return last == 0 and found == expected


def verify_consistency(first: int, size: int, path: Sequence[bytes], before: bytes, after: bytes) -> bool:
    """Tell whether the tree of `size` and root `after` begins with that of `first` and `before` (RFC 9162, 2.1.4.2)."""
    if not 0 <= first <= size or any(len(item) != HASH_SIZE for item in path):
        return False
    if first == size:
        return not path and before == after
    if first == 0:
        return not path and before == EMPTY
    steps = list(path) if first & (first - 1) else [before, *path]
    if not steps:
        return False
    place, last = first - 1, size - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    old = new = steps[0]
    for beside in steps[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            old, new = node_hash(beside, old), node_hash(beside, new)
            while not place % 2 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, beside)
        place, last = place >> 1, last >> 1
    return last == 0 and old == before and new == after


def pruned(tree: Tree, wanted: Iterable[int]) -> list[Node]:
    """Return the fewest nodes that give the root together with the wanted leaves, from left to right.

    Each is as high as it can be without a wanted leaf below it; a ragged one counts at its highest level.

    Args:
        tree: the tree.
        wanted: leaf numbers in ascending order; they are read once, from the beginning to the end.

    Raises:
        ValueError: a wanted leaf is not in the tree, or they are not in order.
    """
    return list(_pruned(tree, _Wanted(wanted, tree.size))) if tree.size else []


class _Wanted:
    """The wanted leaves that are still to come."""

    def __init__(self, leaves: Iterable[int], size: int) -> None:
        self._leaves, self._size = iter(leaves), size
        self.next = -1
        self.take()

    def take(self) -> None:
        """Go on to the next wanted leaf; behind the last one stands the end of the tree."""
        found = next(self._leaves, None)
        if found is not None and not self.next < found < self._size:
            raise ValueError(f"leaf {found} is not wanted in order, or not in the tree of {self._size}")
        self.next = self._size if found is None else found


def _pruned(tree: Tree, wanted: _Wanted) -> Iterator[Node]:
    places = [(height(tree.size), 0)]
    while places:
        level, index = places.pop()
        if wanted.next >= min((index + 1) << level, tree.size):
            yield level, index, _hash(tree, level, index)
        elif level == 0:
            wanted.take()
        else:
            if _exists(tree, level - 1, 2 * index + 1):
                places.append((level - 1, 2 * index + 1))
            places.append((level - 1, 2 * index))


def root_from(size: int, pruned_nodes: Iterable[Node], leaves: Mapping[int, bytes]) -> bytes:
    """Return the root that wanted leaf hashes give together with the pruned nodes.

    Raises:
        ValueError: they do not cover the tree exactly once.
    """
    known = {(level, index): hashed for level, index, hashed in pruned_nodes}
    used = set()

    def found(level: int, index: int) -> bytes:
        if (level, index) in known:
            used.add((level, index))
            return known[level, index]
        if level == 0:
            if index not in leaves:
                raise ValueError(f"nothing tells the leaf {index}")
            used.add((-1, index))
            return leaves[index]
        if (2 * index + 1) << (level - 1) >= size:
            return found(level - 1, 2 * index)
        return node_hash(found(level - 1, 2 * index), found(level - 1, 2 * index + 1))

    told = found(height(size), 0) if size else EMPTY
    if len(used) != len(known) + len(leaves):
        raise ValueError("a leaf or node is told twice, or lies outside of the tree")
    return told


def _exists(tree: Tree, level: int, index: int) -> bool:
    return index << level < tree.size


def _hash(tree: Tree, level: int, index: int) -> bytes:
    """Return the hash of a node, complete or ragged."""
    if (index + 1) << level <= tree.size:
        return tree.node(level, index)
    if not _exists(tree, level - 1, 2 * index + 1):
        return _hash(tree, level - 1, 2 * index)
    return node_hash(_hash(tree, level - 1, 2 * index), _hash(tree, level - 1, 2 * index + 1))
