"""Publication into a folder: what C2SP tlog-tiles says, kept for ever, never replaced, caught up after a death."""

import base64
from pathlib import Path

import pytest

from refundflow import errors
from refundflow.proof import merkle
from refundflow.proof.checkpoints import unverified
from refundflow.proof.folder import Folder
from refundflow.proof.publish import tile_name
from refundflow.proof.tiles import SIZE, TiledTree
from refundflow.store import TILE_WIDTH
from tests.support.market import CHEN, LI, Market


@pytest.fixture
def published(market: Market, tmp_path: Path) -> Path:
    """Let a market publish signed checkpoints into a folder."""
    market.refunds.signing_key = tmp_path / "log.key"
    market.refunds.place = Folder(tmp_path / "log")
    market.refunds.key_create(actor=CHEN, at=market.at)
    return tmp_path / "log"


def notes(market: Market, count: int) -> None:
    """Add entries."""
    refund = market.submit().id
    for number in range(count):
        market.act(refund, "note", LI, message=str(number))


def files(folder: Path) -> dict[str, bytes]:
    """Return every file with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def from_tiles(folder: Path, size: int) -> bytes:
    """Compute the root of a size from nothing but the published tiles, whole or partial."""

    def read(level: int, number: int) -> bytes:
        whole = folder / tile_name(level, number)
        if whole.exists():
            return whole.read_bytes()
        width = (size >> (8 * level)) % TILE_WIDTH
        return (folder / f"{tile_name(level, number)}.p" / str(width)).read_bytes()

    return merkle.root(TiledTree(read, size))


def test_every_checkpoint_is_kept_and_its_root_follows_from_the_tiles(market: Market, published: Path) -> None:
    """Each has a file by its size, the newest one is `checkpoint`, and the tiles give every root."""
    for count in (3, TILE_WIDTH, 20):
        notes(market, count)
        market.refunds.checkpoint(at=market.at)
    made = market.refunds.checkpoints()
    found = files(published)

    assert found["checkpoint"].decode() == made[-1].note
    for item in made:
        assert found[f"checkpoints/{item.size}"].decode() == item.note
        assert from_tiles(published, item.size).hex() == item.root
    assert len(found["tile/0/000"]) == TILE_WIDTH * SIZE and f"tile/0/001.p/{made[-1].size % TILE_WIDTH}" in found
    assert not [name for name in found if name.startswith("tile/0/000.p/") or name.endswith(".part")]
    assert found["tile/1/000.p/1"] == merkle.root_of(
        found["tile/0/000"][place : place + SIZE] for place in range(0, TILE_WIDTH * SIZE, SIZE)
    )


def test_what_was_not_published_is_published_by_the_next_run(market: Market, published: Path) -> None:
    """Checkpoints of a time without the folder follow, each of them, in the same bytes."""
    place, market.refunds.place = market.refunds.place, None
    for _ in range(3):
        notes(market, 2)
        market.refunds.checkpoint(at=market.at)
    market.refunds.place = place
    assert not published.exists()
    market.refunds.checkpoint(at=market.at)

    made = market.refunds.checkpoints()
    assert [files(published)[f"checkpoints/{item.size}"].decode() for item in made] == [item.note for item in made]
    before = files(published)
    assert market.refunds.publish() == 0 and files(published) == before


def test_a_run_that_died_halfway_is_finished(market: Market, published: Path) -> None:
    """Tiles without their checkpoint, or a checkpoint that is not yet the newest, do not stand in the way."""
    notes(market, 2)
    market.refunds.checkpoint(at=market.at)
    notes(market, 2)
    last = market.refunds.checkpoint(at=market.at)
    whole = files(published)
    for gone in (["checkpoint"], ["checkpoint", f"checkpoints/{last.size}"]):
        for name in gone:
            (published / name).unlink()
        market.refunds.publish()
        assert files(published) == whole


def test_nothing_that_was_published_is_replaced(market: Market, published: Path) -> None:
    """Where another checkpoint or another tile stands already, publication stops and says that there are two logs."""
    notes(market, 2)
    head = unverified(market.refunds.checkpoint(at=market.at).note or "")
    notes(market, 2)
    with market.refunds.engine.store.read() as tx:
        size = tx.count_entries()
    other = f"{head.origin}\n{size}\n{base64.b64encode(head.root).decode()}\n\n— other AAAAAAAA\n"
    forged = published / "checkpoints" / str(size)
    forged.write_text(other, encoding="utf-8")

    with pytest.raises(errors.ProofFailed, match="two histories"):
        market.refunds.checkpoint(at=market.at)
    assert forged.read_text(encoding="utf-8") == other


def test_a_database_that_was_restored_to_an_old_state_signs_nothing(market: Market, published: Path) -> None:
    """What was published is more than the database has: that is told, and no second history is signed."""
    notes(market, 2)
    made = market.refunds.checkpoint(at=market.at)
    head = unverified(made.note or "")
    notes(market, 2)
    newer = published / "checkpoint"
    newer.write_text(made.note.replace(f"\n{head.size}\n", f"\n{head.size + 50}\n"), encoding="utf-8")  # type: ignore[union-attr]
    with pytest.raises(errors.ProofFailed, match="an old state was restored"):
        market.refunds.checkpoint(at=market.at)
    root = base64.b64encode(merkle.EMPTY).decode()
    newer.write_text(f"{head.origin}\n{head.size}\n{root}\n\n— other AAAAAAAA\n", encoding="utf-8")
    with pytest.raises(errors.ProofFailed, match="has another root"):
        market.refunds.checkpoint(at=market.at)

    assert market.refunds.checkpoints()[-1] == made


def test_a_folder_that_cannot_be_written_is_told(market: Market, published: Path) -> None:
    """The checkpoint is in the database by then; the next run publishes it."""
    notes(market, 1)
    published.write_text("in the way", encoding="utf-8")
    with pytest.raises(errors.RefundflowError, match="the next run"):
        market.refunds.checkpoint(at=market.at)
    published.unlink()
    market.refunds.checkpoint(at=market.at)

    assert (published / "checkpoint").read_text(encoding="utf-8") == market.refunds.checkpoints()[-1].note


@pytest.mark.parametrize(
    ("number", "name"), [(0, "tile/0/000"), (999, "tile/0/999"), (1_234_067, "tile/0/x001/x234/067")]
)
def test_tiles_are_named_as_the_format_says(number: int, name: str) -> None:
    """Three digits to a folder, all but the last marked with an x."""
    assert tile_name(0, number) == name


def test_verification_tells_what_is_wrong_with_what_was_published(market: Market, published: Path) -> None:
    """A checkpoint that is missing there, is another one, or is of another size than its name says."""
    for _ in range(4):
        notes(market, 1)
        market.refunds.checkpoint(at=market.at)
    first, second, third, last = (item.size for item in market.refunds.checkpoints())
    assert market.refunds.verify().findings == ()
    folder = published / "checkpoints"
    (folder / str(first)).unlink()
    (folder / str(second)).write_text("rubbish", encoding="utf-8")
    (folder / str(third)).write_bytes((folder / str(last)).read_bytes())
    (published / "checkpoint").write_bytes((folder / str(third)).read_bytes())
    (folder / str(last + 1)).write_bytes((folder / str(last)).read_bytes())

    found = [item.what for item in market.refunds.verify().findings]
    assert [what for what in found if f"size {first} is not published" in what]
    assert [what for what in found if f"published checkpoints/{second}: this is no signed note" in what]
    assert [what for what in found if f"published checkpoints/{third} is a checkpoint of size {last}" in what]
    assert [what for what in found if "published checkpoint is not the greatest" in what]
    market.refunds.place = Folder(published / "elsewhere")
    assert ["nothing is published there" in item.what for item in market.refunds.verify().findings] == [True]
