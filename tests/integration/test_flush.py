"""What is answered is on the disk, also what another has committed: the disk is waited for behind the lock."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from refundflow.store import Store
from tests.support.market import LI, Market, prepare_live, prepare_rehearsal

WATCHED = ("flock", "fdatasync")


class Watch:
    """Notes which of the watched calls are made; with `cut` the first flush is not made: the process is interrupted."""

    def __init__(self, *, cut: bool = False) -> None:
        self.seen: list[str] = []
        self._cut = cut

    def __call__(self, frame: FrameType, event: str, called: Any) -> None:
        """Note a call into C."""
        if event == "c_call" and called.__name__ in WATCHED:
            self.seen.append(called.__name__)
            if self._cut and called.__name__ == "fdatasync":
                raise KeyboardInterrupt


def watched(work: Callable[[], object], *, cut: bool = False) -> list[str]:
    """Do a work; tell the calls that it made."""
    watch = Watch(cut=cut)
    sys.setprofile(watch)
    try:
        work()
    except KeyboardInterrupt:
        assert cut
    finally:
        sys.setprofile(None)
    return watch.seen


@pytest.fixture
def market(sqlite_url: str) -> Iterator[Market]:
    """Open a live file."""
    prepare_live(sqlite_url)
    with closing(Market(sqlite_url)) as opened:
        opened.to("submitted")
        yield opened


def note(market: Market) -> Callable[[], object]:
    """Make a move on a new refund."""
    refund = market.submit().id
    return lambda: market.act(refund, "note", LI, message="kept")


def test_a_move_is_flushed_once_behind_the_lock(market: Market) -> None:
    """The next one writes while this one waits for the disk."""
    assert watched(note(market)) == ["flock", "flock", "fdatasync"]


def test_a_transaction_is_flushed_as_a_move_is(market: Market) -> None:
    """Also when it is rolled back nothing is waited for but what others have committed."""
    store = market.refunds.engine.store

    def write() -> None:
        with store.write() as tx:
            tx.add_meta("mode", "live")

    assert watched(write) == ["flock", "flock", "fdatasync"]


def test_who_reads_flushes_what_others_have_not(market: Market) -> None:
    """What a process committed that was ended before it could flush is on the disk before another tells of it."""
    refund = market.submit().id
    with closing(Market(market.url)) as other:
        assert watched(lambda: other.get(refund)) == []
        cut = watched(lambda: market.act(refund, "note", LI, message="cut"), cut=True)

        assert cut == ["flock", "flock", "fdatasync"]
        assert watched(lambda: other.history(refund)) == ["fdatasync"]
        assert watched(lambda: other.get(refund)) == []
        assert [entry.event for entry in other.history(refund)][-1] == "note"


@pytest.mark.parametrize("kind", ["look", "read"])
def test_every_kind_of_reading_flushes(market: Market, kind: str) -> None:
    """A snapshot as well as a look."""
    watched(note(market), cut=True)
    store = market.refunds.engine.store

    def read() -> None:
        with store.look() if kind == "look" else store.read() as tx:
            tx.meta("mode")

    assert watched(read) == ["fdatasync"]
    assert watched(read) == []


def test_a_link_is_another_name_for_the_file(market: Market, tmp_path: Path) -> None:
    """Whoever comes by a link queues with all others and flushes the same log."""
    link, real = tmp_path / "link.db", Path(market.url.removeprefix("sqlite:///"))
    link.symlink_to(real)
    with closing(Market(f"sqlite:///{link}")) as other:
        refund = market.submit().id
        assert watched(lambda: other.act(refund, "note", LI, message="kept")) == ["flock", "flock", "fdatasync"]
    assert not Path(f"{link}.lock").exists()


def test_who_only_reads_leaves_no_lock(market: Market) -> None:
    """A copy of a file is read as it is."""
    market.close()
    lock = Path(f"{market.url.removeprefix('sqlite:///')}.lock")
    lock.unlink()
    with closing(Market(market.url)) as reader:
        reader.refunds.verify()
    assert not lock.exists()


@pytest.mark.parametrize("kind", ["rehearsal", "normal"])
def test_what_need_not_survive_is_not_flushed(sqlite_url: str, kind: str) -> None:
    """A rehearsal can be repeated, and whoever asks for it leaves the moment to the system."""
    (prepare_rehearsal if kind == "rehearsal" else prepare_live)(sqlite_url)
    with closing(Market(sqlite_url)) as market:
        if kind == "normal":
            market.refunds.engine.store.close()
            market.refunds.engine.store = Store.open(sqlite_url, synchronous="normal")
        assert watched(note(market)) == ["flock", "flock"]
