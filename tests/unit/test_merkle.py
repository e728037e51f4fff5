"""The Merkle tree against published vectors, and against the definition of RFC 9162 written down naively."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refundflow.errors import ProofFailed
from refundflow.proof import merkle
from refundflow.proof.tiles import TiledTree

# The leaves, roots and proofs of the test data of Certificate Transparency, which transparency-dev/merkle repeats.
LEAVES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION = (
    (0, 1, ()),
    (0, 8, ("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")),
    (5, 8, ("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")),
    (2, 3, ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",)),
    (1, 5, ("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")),
)  # fmt: skip
CONSISTENCY = (
    (1, 1, ()),
    (1, 8, INCLUSION[1][2]),
    (6, 8, ("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")),
    (2, 5, ("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b")),
    (6, 7, ("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")),
)  # fmt: skip
PUBLISHED = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
SIZES = st.integers(0, 70)


def leaves(size: int) -> list[bytes]:
    """Make as many different leaf hashes."""
    return [merkle.leaf_hash(str(number).encode()) for number in range(size)]


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """Compute MTH as RFC 9162, 2.1.1 defines it."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01" + naive_root(hashes[:middle]) + naive_root(hashes[middle:])).digest()


def naive_path(leaf: int, hashes: Sequence[bytes]) -> list[bytes]:
    """Compute PATH as RFC 9162, 2.1.3.1 defines it."""
    if len(hashes) < 2:
        return []
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = hashes[:middle], hashes[middle:]
    if leaf < middle:
        return [*naive_path(leaf, left), naive_root(right)]
    return [*naive_path(leaf - middle, right), naive_root(left)]


def naive_subproof(first: int, hashes: Sequence[bytes], whole: bool) -> list[bytes]:
    """Compute SUBPROOF as RFC 9162, 2.1.4.1 defines it."""
    if first == len(hashes):
        return [] if whole else [naive_root(hashes)]
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = hashes[:middle], hashes[middle:]
    if first <= middle:
        return [*naive_subproof(first, left, whole), naive_root(right)]
    return [*naive_subproof(first - middle, right, False), naive_root(left)]


def raw(hashes: Sequence[str]) -> list[bytes]:
    """Read hashes of a vector."""
    return [bytes.fromhex(item) for item in hashes]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    """The first leaves of the published data have the published roots, whichever way they are computed."""
    expected = bytes.fromhex(ROOTS[size])

    assert merkle.root_of(PUBLISHED[:size]) == merkle.root(merkle.Leaves(PUBLISHED[:size])) == expected


@pytest.mark.parametrize(("leaf", "size", "path"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(leaf: int, size: int, path: Sequence[str]) -> None:
    """The published proofs are what is made here, and they verify."""
    assert merkle.inclusion_proof(merkle.Leaves(PUBLISHED[:size]), leaf) == raw(path)
    assert merkle.verify_inclusion(leaf, size, PUBLISHED[leaf], raw(path), bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "size", "path"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(first: int, size: int, path: Sequence[str]) -> None:
    """The published proofs are what is made here, and they verify."""
    assert merkle.consistency_proof(merkle.Leaves(PUBLISHED[:size]), first) == raw(path)
    assert merkle.verify_consistency(
        first, size, raw(path), bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[size])
    )  # fmt: skip


@pytest.mark.parametrize(("leaf", "size", "path"), INCLUSION)
def test_corrupted_inclusion_proofs_are_refused(leaf: int, size: int, path: Sequence[str]) -> None:
    """A wrong place, size, leaf or root, garbage at either end, one bit turned or one hash gone: none verifies."""
    good, root, hashed = raw(path), bytes.fromhex(ROOTS[size]), PUBLISHED[leaf]
    other = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")
    probes = [
        *((place, size, hashed, good, root) for place in (leaf - 1, leaf + 1, leaf ^ 2)),
        (leaf, size * 2, hashed, good, root), (leaf, size // 2, hashed, good, root), (leaf, size, other, good, root),
        (leaf, size, b"", good, root), (leaf, size, hashed, good, merkle.EMPTY), (leaf, size, hashed, good, other),
        *((leaf, size, hashed, [*good, item], root) for item in (b"", root, other)),
        *((leaf, size, hashed, [item, *good], root) for item in (b"", root, other)),
        *((leaf, size, hashed, good[:spot] + good[spot + 1:], root) for spot in range(len(good))),
        *((leaf, size, hashed, turned(good, spot), root) for spot in range(len(good))),
    ]  # fmt: skip

    assert [probe for probe in probes if merkle.verify_inclusion(*probe)] == []


@pytest.mark.parametrize(("first", "size", "path"), CONSISTENCY[1:])
def test_corrupted_consistency_proofs_are_refused(first: int, size: int, path: Sequence[str]) -> None:
    """Wrong sizes or roots, garbage at either end, one bit turned, one hash gone, or nothing: none verifies."""
    good, before, after = raw(path), bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[size])
    probes = [
        (first - 1, size, good, before, after), (first + 1, size, good, before, after),
        (first ^ 2, size, good, before, after), (first, size * 2, good, before, after),
        (first, size // 2, good, before, after), (first, size, good, b"no", after), (first, size, good, before, b"no"),
        (first, size, good, after, before), (first, size, [], before, after),
        *((first, size, [*good, item], before, after) for item in (b"", before, after)),
        *((first, size, [item, *good], before, after) for item in (b"", before, after, good[0])),
        *((first, size, good[:spot] + good[spot + 1:], before, after) for spot in range(len(good))),
        *((first, size, turned(good, spot), before, after) for spot in range(len(good))),
    ]  # fmt: skip

    assert [probe for probe in probes if merkle.verify_consistency(*probe)] == []


def turned(path: Sequence[bytes], spot: int) -> list[bytes]:
    """Turn one bit of one hash."""
    return [bytes([item[0] ^ 8]) + item[1:] if place == spot else item for place, item in enumerate(path)]


def test_from_nothing_and_to_itself_a_tree_is_consistent() -> None:
    """The two ends of the definition: the empty tree, and the same tree; time never goes backwards."""
    one, two = merkle.root_of(leaves(1)), merkle.root_of(leaves(2))

    assert merkle.verify_consistency(0, 0, [], merkle.EMPTY, merkle.EMPTY)
    assert merkle.verify_consistency(0, 2, [], merkle.EMPTY, two) and merkle.verify_consistency(2, 2, [], two, two)
    assert not merkle.verify_consistency(0, 2, [], one, two) and not merkle.verify_consistency(2, 2, [], one, two)
    assert not merkle.verify_consistency(2, 1, [], two, one) and not merkle.verify_consistency(1, 1, [two], one, one)


@given(size=SIZES, data=st.data())
def test_trees_are_what_the_definition_says(size: int, data: st.DataObject) -> None:
    """Roots and both proofs equal the naive ones, and both verify."""
    hashes = leaves(size)
    tree, root = merkle.Leaves(hashes), naive_root(hashes)
    first = data.draw(st.integers(0, size))
    assert merkle.root(tree) == merkle.root_of(hashes) == root
    between = merkle.consistency_proof(tree, first)
    assert between == (naive_subproof(first, hashes, True) if 0 < first < size else [])
    assert merkle.verify_consistency(first, size, between, naive_root(hashes[:first]), root)
    for leaf in range(size):
        path = merkle.inclusion_proof(tree, leaf)
        assert path == naive_path(leaf, hashes)
        assert merkle.verify_inclusion(leaf, size, hashes[leaf], path, root)
        assert not merkle.verify_inclusion(leaf, size, merkle.EMPTY, path, root)


@given(size=st.integers(1, 70), data=st.data())
def test_an_earlier_size_of_a_tree_is_the_tree_that_it_was(size: int, data: st.DataObject) -> None:
    """Of a longer tree, the root and the proofs of an earlier size are those that it had then."""
    hashes = leaves(size)
    earlier = data.draw(st.integers(1, size))
    leaf = data.draw(st.integers(0, earlier - 1))
    then, was = merkle.Prefix(merkle.Leaves(hashes), earlier), merkle.Leaves(hashes[:earlier])

    assert merkle.root(then) == merkle.root(was)
    assert merkle.inclusion_proof(then, leaf) == merkle.inclusion_proof(was, leaf)


@given(size=SIZES, data=st.data())
def test_pruned_nodes_and_wanted_leaves_give_the_root(size: int, data: st.DataObject) -> None:
    """They cover every leaf exactly once, give the root, and no two of them could be one."""
    hashes = leaves(size)
    wanted = sorted(data.draw(st.sets(st.integers(0, size - 1)))) if size else []
    nodes = merkle.pruned(merkle.Leaves(hashes), wanted)

    covered = [leaf for level, index, _ in nodes for leaf in range(index << level, min((index + 1) << level, size))]
    assert sorted([*covered, *wanted]) == list(range(size))
    assert merkle.root_from(size, nodes, {leaf: hashes[leaf] for leaf in wanted}) == naive_root(hashes)
    places = {(level, index) for level, index, _ in nodes}
    assert not any((level, index ^ 1) in places for level, index in places if size > 1)
    assert [index << level for level, index, _ in nodes] == sorted(index << level for level, index, _ in nodes)


def test_nothing_is_pruned_from_the_whole_and_the_whole_is_one_node() -> None:
    """All leaves wanted: no node; none wanted: the root alone; a ragged node counts at its highest level."""
    tree = merkle.Leaves(leaves(5))

    assert merkle.pruned(tree, range(5)) == [] == merkle.pruned(merkle.Leaves([]), [])
    assert merkle.pruned(tree, []) == [(3, 0, merkle.root(tree))]
    assert [(level, index) for level, index, _ in merkle.pruned(tree, [1])] == [(0, 0), (1, 1), (2, 1)]


@pytest.mark.parametrize("wanted", [[1, 1], [2, 1], [5], [-1]])
def test_wanted_leaves_come_in_order(wanted: list[int]) -> None:
    """A leaf out of order or outside of the tree is refused, since it would be left out silently."""
    with pytest.raises(ValueError, match="is not wanted in order"):
        merkle.pruned(merkle.Leaves(leaves(5)), wanted)


def test_what_is_told_twice_or_not_at_all_gives_no_root() -> None:
    """Nodes and leaves must cover the tree exactly once."""
    hashes = leaves(5)
    nodes = merkle.pruned(merkle.Leaves(hashes), [1])

    with pytest.raises(ValueError, match="nothing tells the leaf 1"):
        merkle.root_from(5, nodes, {})
    with pytest.raises(ValueError, match="twice"):
        merkle.root_from(5, nodes, {1: hashes[1], 4: hashes[4]})


@pytest.mark.parametrize("leaf", [-1, 3])
def test_leaves_and_sizes_that_never_were_are_refused(leaf: int) -> None:
    """There is no proof of what is not in the tree."""
    tree = merkle.Leaves(leaves(3))
    with pytest.raises(ValueError, match="has no leaf"):
        merkle.inclusion_proof(tree, leaf)
    for refused in (lambda: merkle.consistency_proof(tree, 4), lambda: merkle.Prefix(tree, 4)):
        with pytest.raises(ValueError, match="never had"):
            refused()


def test_a_tile_that_ends_too_early_gives_no_node_beyond() -> None:
    """Hashes that are not there are told, never left out of a root."""
    leaves = [bytes([number]) * merkle.HASH_SIZE for number in range(3)]
    tree = TiledTree(lambda level, number: b"".join(leaves), 4)

    assert [tree.node(0, index) for index in range(3)] == leaves
    assert tree.node(1, 0) == merkle.root_of(leaves[:2])
    for level, index in ((0, 3), (1, 1), (2, 0)):
        with pytest.raises(ProofFailed, match="does not reach as far"):
            tree.node(level, index)
