"""The file of the lock beside an SQLite database: one for all names, for whoever may write, and told where it fails."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from refundflow.errors import Busy
from tests.support.market import LI, Market, prepare_live


@pytest.fixture
def market(sqlite_url: str) -> Iterator[Market]:
    """Open a live file."""
    prepare_live(sqlite_url)
    with closing(Market(sqlite_url)) as opened:
        opened.to("submitted")
        yield opened


def database_of(market: Market) -> Path:
    """Name the file of the database."""
    return Path(market.url.removeprefix("sqlite:///"))


def lock_of(market: Market) -> Path:
    """Name the file of the lock."""
    return Path(f"{database_of(market)}.lock")


def test_a_link_is_another_name_for_the_file(market: Market, tmp_path: Path) -> None:
    """Whoever comes by a link queues with all others."""
    link = tmp_path / "link.db"
    link.symlink_to(database_of(market))
    with closing(Market(f"sqlite:///{link}")) as other:
        other.act(market.submit().id, "note", LI, message="kept")
    assert lock_of(market).exists() and not Path(f"{link}.lock").exists()


def test_who_only_reads_leaves_no_lock(market: Market) -> None:
    """A copy of a file is read as it is."""
    market.close()
    lock_of(market).unlink()
    with closing(Market(market.url)) as reader:
        reader.refunds.verify()
    assert not lock_of(market).exists()


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_lock_is_for_whoever_may_write_the_database(market: Market, mode: int) -> None:
    """Nobody else can hold the writers up, and nobody of them is shut out because another made the file."""
    market.refunds.close()
    lock_of(market).unlink()
    database_of(market).chmod(mode)
    market.restart()
    market.submit()
    assert stat.S_IMODE(lock_of(market).stat().st_mode) == mode


def test_who_cannot_open_the_lock_writes_nothing(market: Market) -> None:
    """A process that has no file left for it is told so, and goes on when it has."""
    refund, (soft, hard) = market.submit().id, resource.getrlimit(resource.RLIMIT_NOFILE)
    with closing(Market(market.url)) as other:
        assert other.get(refund).state == "submitted"  # the database is open, the lock not yet
        with Path(os.devnull).open() as next_file:
            next_number = next_file.fileno()
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_number, hard))
            with pytest.raises(Busy, match="nothing was done"):
                other.act(refund, "note", LI, message="kept")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [entry.event for entry in other.history(refund)] == ["submit"]
        other.act(refund, "note", LI, message="kept")
