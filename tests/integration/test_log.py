"""The log on both databases: every settled entry has one leaf for ever, every checkpoint is the root of a prefix."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from refundflow import errors
from refundflow.proof import Cadence, Head, Log, SigningKey, VerifyingKey, merkle, opened, read_key, sign_note
from refundflow.service.callers import parse_caller
from refundflow.service.requests import Request, place_of
from refundflow.store import TILE_WIDTH, StoredEntry
from refundflow.values import Checkpoint
from tests.support.market import CHEN, LI, WU, Market


@pytest.fixture
def signing(market: Market, tmp_path: Path) -> Market:
    """Give a market whose checkpoints are signed, with a few entries."""
    market.refunds.signing_key = tmp_path / "log.key"
    market.refunds.key_create(actor=CHEN, origin="shop.example/refunds", at=market.at)
    market.to("paid_out.settled")
    return market


def entries(market: Market) -> list[StoredEntry]:
    """Return every entry by number."""
    with market.refunds.engine.store.read() as tx:
        return list(tx.all_entries())


def leaf_hashes(market: Market) -> list[bytes]:
    """Return the leaf hashes that the entries should have, in log order."""
    return [merkle.leaf_hash(bytes.fromhex(entry.hash)) for entry in entries(market)]


def public(market: Market) -> list[VerifyingKey]:
    """Return the registered keys."""
    known = market.refunds.keys()
    return [VerifyingKey.parse(key.vkey) for key in known]


def test_a_checkpoint_is_the_root_of_all_entries(signing: Market) -> None:
    """It counts every entry of every chain, in log order, and a registered key has signed it."""
    made = signing.refunds.checkpoint(at=signing.at)

    assert made.note is not None
    head = opened(made.note, public(signing))
    assert (head.origin, head.size, head.root.hex()) == ("shop.example/refunds", made.size, made.root)
    assert made.size == len(entries(signing)) > 5
    assert head.root == merkle.root_of(leaf_hashes(signing))


def test_without_anything_new_the_newest_checkpoint_is_it(signing: Market) -> None:
    """The same call again adds nothing."""
    assert signing.refunds.checkpoint(at=signing.at) == signing.refunds.checkpoint(at=signing.at)
    assert len(signing.refunds.checkpoints()) == 1


def test_a_log_goes_on_from_tile_to_tile(signing: Market) -> None:
    """Over more than one tile, added in pieces of any size, every leaf is found, and every root is that of a prefix."""
    sizes = [signing.refunds.checkpoint(at=signing.at).size]
    refund = signing.submit().id
    for count in (1, TILE_WIDTH - 1, 7, 2 * TILE_WIDTH, 3):
        for number in range(count):
            signing.act(refund, "note", LI, message=f"{count} {number}")
        sizes.append(signing.refunds.checkpoint(at=signing.at).size)
    expected = leaf_hashes(signing)

    assert sizes == sorted(set(sizes)) and sizes[-1] == len(expected)
    with signing.refunds.engine.store.read() as tx:
        log = Log(tx)
        assert [log.leaf_of(entry.gid) for entry in tx.all_entries()] == list(range(log.size))
        assert list(log.leaves()) == [(leaf, entry.gid) for leaf, entry in enumerate(tx.all_entries())]
        assert log.last_gid == entries(signing)[-1].gid
        for size in sizes:
            earlier = Log(tx, size)
            assert merkle.root(earlier.tree) == merkle.root_of(expected[:size])
            assert merkle.verify_consistency(
                size, log.size, log.consistency(size), merkle.root(earlier.tree), merkle.root(log.tree)
            )
            assert merkle.verify_inclusion(
                size - 1, log.size, expected[size - 1], log.inclusion(size - 1), merkle.root(log.tree)
            )
        wanted = [3, 300, 301]
        nodes = [(level, index, bytes.fromhex(told)) for level, index, told in log.pruned(wanted)]
        assert merkle.root_from(log.size, nodes, {leaf: expected[leaf] for leaf in wanted}) == merkle.root(log.tree)


def test_what_has_no_leaf_yet_is_not_found(signing: Market) -> None:
    """An entry behind the newest checkpoint has no leaf under it."""
    signing.refunds.checkpoint(at=signing.at)
    signing.submit()
    with signing.refunds.engine.store.read() as tx, pytest.raises(errors.NotFound):
        Log(tx).leaf_of(entries(signing)[-1].gid)


def test_without_a_key_a_head_is_kept_that_nobody_signed(market: Market) -> None:
    """The tree grows all the same; once there is a key, the next checkpoint is signed."""
    market.submit()
    head = market.refunds.checkpoint(at=market.at)

    assert head.note is None and head.size == len(entries(market))
    assert head.root == merkle.root_of(leaf_hashes(market)).hex()


def test_an_empty_log_has_the_root_of_nothing(market: Market) -> None:
    """Before the first entry there is a checkpoint of size 0."""
    head = market.refunds.checkpoint(at=market.at)

    assert (head.size, head.root) == (0, merkle.EMPTY.hex())


def test_checkpoints_are_made_when_it_is_time(signing: Market) -> None:
    """After a minute or enough entries; where nothing happens, after an hour; not before."""
    cadence = Cadence(entries=3)
    refund = signing.submit().id

    def due() -> Checkpoint | None:
        return signing.refunds.checkpoint_when_due(cadence, at=signing.at)

    assert due() is not None and due() is None
    signing.act(refund, "note", LI, message="one")
    assert due() is None
    signing.later(seconds=60)
    assert due() is not None and due() is None
    for number in range(3):
        signing.act(refund, "note", LI, message=str(number))
    last = due()
    assert last is not None
    signing.later(minutes=59)
    assert due() is None
    signing.later(minutes=1)
    again = due()
    assert again is not None and (again.size, again.root) == (last.size, last.root)


def test_a_head_that_nobody_signed_delays_no_checkpoint(signing: Market) -> None:
    """What an export without the key has numbered is signed by the worker within its minute all the same."""
    refund = signing.submit().id
    signing.refunds.checkpoint(at=signing.at)
    signing.act(refund, "note", LI, message="one")
    key, signing.refunds.signing_key = signing.refunds.signing_key, None
    unsigned = signing.refunds.checkpoint(at=signing.at)
    signing.refunds.signing_key = key

    signing.later(seconds=60)
    made = signing.refunds.checkpoint_when_due(Cadence(), at=signing.at)

    assert unsigned.note is None
    assert made is not None and (made.size, made.root) == (unsigned.size, unsigned.root) and made.note is not None


def test_without_a_key_nothing_is_ever_due(market: Market) -> None:
    """The worker of a database without a key makes no checkpoints."""
    market.submit()

    assert market.refunds.checkpoint_when_due(Cadence(after=timedelta(0)), at=market.at) is None


@pytest.fixture
def slow(live: Market) -> Iterator[psycopg.Connection | None]:
    """Open a transaction past the service, on PostgreSQL."""
    if live.refunds.dialect == "sqlite":
        yield None
        return
    with psycopg.connect(live.url) as connection:
        yield connection


def test_an_entry_that_becomes_visible_late_is_neither_skipped_nor_moved(
    live: Market, slow: psycopg.Connection | None
) -> None:
    """On PostgreSQL a smaller number that is committed later waits for its leaf, and keeps what follows it waiting."""
    early, later = live.order(), live.order()
    if slow is not None:
        slow.execute("UPDATE order_lines SET repeats = repeats WHERE order_id = %s", [early])
        slow.execute(
            "INSERT INTO transitions (order_id, subject, seq, kind, event, effective_at, recorded_at, actor_role,"
            " actor_name, body, hash) SELECT order_id, subject, 99, kind, 'slow', effective_at, recorded_at,"
            " actor_role, actor_name, body, hash FROM transitions WHERE order_id = %s",
            [early],
        )
    live.submit(later)
    before = live.refunds.checkpoint()
    if slow is not None:
        assert before.size < len(entries(live))
        slow.commit()
    sizes = [live.refunds.checkpoint().size for _ in range(2)]

    with live.refunds.engine.store.read() as tx:
        log = Log(tx)
        leaves = {entry.gid: log.leaf_of(entry.gid) for entry in tx.all_entries()}
        assert list(leaves.values()) == list(range(log.size)) and sizes[-1] == log.size == len(leaves)
        assert merkle.root(Log(tx, before.size).tree).hex() == before.root


def test_a_number_of_a_transaction_that_began_later_holds_the_horizon(live: Market) -> None:
    """On PostgreSQL no snapshot names those who run and began after the last that ended; they have numbers too."""
    slow, quick = live.submit().id, live.submit().id
    if live.refunds.dialect == "sqlite":
        return
    live.refunds.checkpoint()
    engine = live.refunds.engine
    with psycopg.connect(live.url) as first, engine.store.write() as second:
        first.execute("SELECT pg_current_xact_id()")
        engine.carry(second, Request("begin_review", parse_caller(LI), *place_of(slow), slow))
        first.execute(
            "INSERT INTO transitions (order_id, subject, seq, kind, event, effective_at, recorded_at, actor_role,"
            " actor_name, body, hash) SELECT order_id, subject, 99, kind, 'quick', effective_at, recorded_at,"
            " actor_role, actor_name, body, hash FROM transitions WHERE subject = %s",
            [quick],
        )
        first.commit()
        for _ in range(2):
            live.refunds.checkpoint()
    sizes = [live.refunds.checkpoint().size for _ in range(2)]

    with engine.store.read() as tx:
        assert sizes[-1] == len([Log(tx).leaf_of(entry.gid) for entry in tx.all_entries()])


def test_a_key_is_registered_before_it_signs(market: Market, tmp_path: Path) -> None:
    """A key that is in no entry, or was retired, signs nothing."""
    refunds = market.refunds
    refunds.signing_key = tmp_path / "one.key"
    key = refunds.key_create(actor=CHEN, at=market.at)
    assert refunds.key_create(actor=CHEN, at=market.at) == key and len(refunds.keys()) == 1
    refunds.checkpoint(at=market.at)
    refunds.key_retire(key.id, actor=CHEN, at=market.at)

    with pytest.raises(errors.Misconfigured, match="retired"):
        refunds.checkpoint(at=market.at)
    with pytest.raises(errors.BadInput, match="never taken back"):
        refunds.key_create(actor=CHEN, at=market.at)
    with pytest.raises(errors.NotFound):
        refunds.key_retire("00000000", actor=CHEN, at=market.at)
    with pytest.raises(errors.RoleNotAllowed):
        refunds.key_retire(key.id, actor=WU, at=market.at)


def test_a_rotated_key_is_vouched_for_by_the_old_one(signing: Market, tmp_path: Path) -> None:
    """Who knows only the old key reads the new one in the log that the old one signed; then the new one signs."""
    [old] = public(signing)
    added = signing.refunds.key_rotate(actor=CHEN, at=signing.at)
    both, last = signing.refunds.checkpoints()[-2:]

    assert both.note and last.note
    assert opened(both.note, [old]) == opened(both.note, [VerifyingKey.parse(added.vkey)])
    assert opened(last.note, [VerifyingKey.parse(added.vkey)]).size > both.size
    with pytest.raises(errors.ProofFailed, match="no known key"):
        opened(last.note, [old])
    known = signing.refunds.keys()
    assert [key.until is None for key in known] == [False, True]
    added_at = [entry for entry in entries(signing) if entry.event == "key_added"][-1]
    with signing.refunds.engine.store.read() as tx:
        assert Log(tx, both.size).leaf_of(added_at.gid) < both.size
    assert sorted(path.name for path in tmp_path.glob("log.key*")) == ["log.key", f"log.key.{old.id}"]
    signing.require_sound()


def test_a_key_that_others_can_read_is_refused(signing: Market) -> None:
    """Whoever runs it is told what to do."""
    path = signing.refunds.signing_key
    assert path is not None and path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(errors.Misconfigured, match="chmod 600"):
        signing.refunds.checkpoint(at=signing.at)


def test_the_name_of_a_log_is_chosen_once(signing: Market, tmp_path: Path) -> None:
    """A second key has the name of the first; another name is refused before a file is made."""
    with pytest.raises(errors.BadInput, match="for ever"):
        signing.refunds.key_create(actor=CHEN, origin="other", file=tmp_path / "b.key", at=signing.at)
    second = signing.refunds.key_create(actor=CHEN, file=tmp_path / "c.key", at=signing.at)

    assert not (tmp_path / "b.key").exists() and second.vkey.startswith("shop.example/refunds+")


def found(market: Market, *keys: VerifyingKey, **held: str) -> list[str]:
    """Return what verification finds for somebody who trusts these keys and holds these checkpoints."""
    told = market.refunds.verify(checkpoints=held, keys=[str(key) for key in keys])
    return [item.what for item in told.findings]


def test_who_trusts_the_first_key_is_led_to_the_later_ones(signing: Market) -> None:
    """Through two rotations, by the log alone; who trusts another key is told of every checkpoint."""
    signing.refunds.checkpoint(at=signing.at)
    [first] = public(signing)
    for _ in range(2):
        signing.refunds.key_rotate(actor=CHEN, at=signing.at)
        signing.submit()
        signing.refunds.checkpoint(at=signing.at)
    held = signing.refunds.checkpoints()[0].note or ""

    assert found(signing) == found(signing, first) == found(signing, first, march=held) == []
    stranger = SigningKey("shop.example/refunds", b"s" * 32).verifying
    assert len(found(signing, stranger)) == len(signing.refunds.checkpoints())


def test_a_key_that_was_retired_vouches_for_nothing_later(signing: Market) -> None:
    """A checkpoint over its retirement that it signed all the same is a finding."""
    refunds = signing.refunds
    assert refunds.signing_key is not None
    old = read_key(refunds.signing_key)
    refunds.key_retire(old.verifying.id, actor=CHEN, at=signing.at)
    refunds.signing_key = None
    head = refunds.checkpoint(at=signing.at)
    note = sign_note(Head(old.name, head.size, bytes.fromhex(head.root)).text, old)
    with refunds.engine.store.write() as tx:
        tx.add_checkpoint(head.size, head.root, note, signing.now)

    assert ["no known key has signed it" in what for what in found(signing)] == [True]


def test_a_held_checkpoint_of_another_log_is_told(signing: Market) -> None:
    """Of another name, or with another root: both are said, each with what it means."""
    refunds = signing.refunds
    made = refunds.checkpoint(at=signing.at)
    assert refunds.signing_key is not None
    key = read_key(refunds.signing_key)
    other_root = sign_note(Head(key.name, made.size, merkle.EMPTY).text, key)
    other_log = sign_note(Head("other", made.size, bytes.fromhex(made.root)).text, key)

    assert ["something among the leaves" in what for what in found(signing, march=other_root)] == [True]
    assert ["is of the log other" in what for what in found(signing, march=other_log)] == [True]
    with pytest.raises(errors.BadInput, match="march"):
        found(signing, march="rubbish")


def test_many_who_make_checkpoints_at_once_make_one_log(signing: Market) -> None:
    """Each gets a checkpoint of the one log, whoever numbered the entries."""
    signing.to("withdrawn")
    made: list[Checkpoint] = []
    threads = [threading.Thread(target=lambda: made.append(signing.refunds.checkpoint())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 6 and found(signing) == []
    assert len({item.number for item in signing.refunds.checkpoints()}) == len(signing.refunds.checkpoints())
