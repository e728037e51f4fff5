"""Exports of both databases: every entry, readable elsewhere, whole or not at all."""

import csv
import hashlib
import json
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from refundflow.audit import seal
from refundflow.errors import BadInput, ProofFailed, RefundflowError
from refundflow.export import FORMATS, export_entries
from refundflow.export.csv_format import HEADER
from refundflow.export.rows import COLUMNS
from refundflow.spreadsheet import original
from refundflow.store import FIRST_PREVIOUS, Store
from states.case import Actor, Blocker, Entry
from tests.support.databases import Databases
from tests.support.moves import LINE, REFUND, SHOP, START, at, change, register, submit

GOLDEN = Path(__file__).parent.parent / "golden" / "export_header.csv"
FORMULA = "=HYPERLINK(1)"
REVIEW = {"due_at": at(days=1), "event": "review_overdue", "rule": "1 working days", "calendar": "c", "set_at": at()}


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """Open a database with one line, one refund on it, and one registered person."""
    with Store.open(databases.copy_of("export", prepare)) as opened:
        yield opened


def prepare(url: str) -> None:
    """Make chains of every kind: a line, a refund, the register of staff."""
    with Store.create(url, rehearsal=False) as store, store.write() as tx:
        register(tx, key=FORMULA, key_scope=LINE, request_hash="r", key_entry=0)
        submit(tx)
        change(tx, state="under_review.reviewing", deadlines={"review": REVIEW | {"due_at": at(days=2)}})
        tx.append_register_entry("staff", seal([a_person()], heads={}, recorded_at=START)[0])


def a_person() -> Entry:
    """Make the entry by which 李 is registered, with a refusal's blockers beside."""
    return Entry(
        subject="staff", seq=1, kind="applied", event="staff_added", before=None, after=None, effective_at=at(),
        actor=Actor(role="supervisor", name="李"), params={"name": "李"}, texts=(), patch={"李": {"active": True}},
        ledger={}, policy="p", calendar="c", blockers=(Blocker(code="X", params={"n": 1}, until=at(days=1)),),
    )  # fmt: skip


def export(store: Store, path: Path, format: str = "jsonl") -> int:
    """Export to a path."""
    with store.read() as tx:
        return export_entries(tx, format=cast(Literal["csv", "jsonl"], format), output=str(path))


def exported(store: Store, folder: Path) -> list[dict[str, Any]]:
    """Export as JSON Lines and read it back."""
    export(store, folder / "entries.jsonl")
    return [json.loads(line) for line in (folder / "entries.jsonl").read_text(encoding="utf-8").splitlines()]


def exported_cells(store: Store, folder: Path) -> list[dict[str, str]]:
    """Export as CSV and read it back as a spreadsheet does."""
    export(store, folder / "entries.csv", "csv")
    with (folder / "entries.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_entry_of_every_chain_is_exported_in_log_order(store: Store, tmp_path: Path) -> None:
    """Line, refund and staff register stand in one file, in the order in which they were written."""
    rows = exported(store, tmp_path)

    assert [(row["subject"], row["seq"], row["event"]) for row in rows] == [
        (LINE, 1, "registered"), (REFUND, 1, "submit"), (REFUND, 2, "note"), ("staff", 1, "staff_added"),
    ]  # fmt: skip
    assert all(tuple(row) == COLUMNS for row in rows)


def test_hashes_can_be_computed_again_offline(store: Store, tmp_path: Path) -> None:
    """The body in the file hashes to `hash`, and each `prev` is the hash of the entry before in its chain."""
    heads: dict[str, str] = {}
    for row in exported(store, tmp_path):
        assert hashlib.sha256(row["body"].encode()).hexdigest() == row["hash"]
        assert row["prev"] == heads.get(row["subject"], FIRST_PREVIOUS) == json.loads(row["body"])["prev"]
        heads[row["subject"]] = row["hash"]
    assert len(heads) == 3


def test_an_entry_tells_both_ends_and_what_it_moved(store: Store, tmp_path: Path) -> None:
    """From, to, actor, deadline and ledger of a move stand in columns of their own."""
    _, first, second, _ = exported(store, tmp_path)

    assert (first["from"], first["to"], first["reserved"]) == (None, "submitted", 500)
    assert (second["from"], second["to"], second["actor_name"]) == ("submitted", "under_review.reviewing", SHOP.name)
    assert first["deadlines"] == [
        {"name": "review", "due_at": at(days=1), "rule": "1 working days", "provisional": False}
    ]


def test_a_deadline_set_again_is_told_in_full(store: Store, tmp_path: Path) -> None:
    """An entry that changed only the due moment still tells the rule that counted it."""
    again = exported(store, tmp_path)[2]["deadlines"]

    assert again == [{"name": "review", "due_at": at(days=2), "rule": "1 working days", "provisional": False}]


def test_the_header_of_csv_is_kept() -> None:
    """Tools of auditors rely on the names and the order of the columns."""
    assert ",".join(HEADER) == GOLDEN.read_text(encoding="utf-8").strip()


def test_csv_opens_right_in_a_spreadsheet(store: Store, tmp_path: Path) -> None:
    """A byte order mark, CRLF, Chinese text intact, numbers as numbers, lists as JSON."""
    *_, person = exported_cells(store, tmp_path)
    content = (tmp_path / "entries.csv").read_bytes()

    assert content.startswith(b"\xef\xbb\xbforder_id,") and content.count(b"\r\n") == content.count(b"\n") == 5
    assert person["actor_name"] == "李" and person["reserved"] == "0" and person["deadline_name"] == ""
    assert json.loads(person["blockers"]) == [{"code": "X", "params": {"n": 1}, "until": at(days=1)}]


def test_a_key_that_looks_like_a_formula_does_not_run(store: Store, tmp_path: Path) -> None:
    """What callers chose is marked as text, and can be read back."""
    line = exported_cells(store, tmp_path)[0]

    assert line["key"] == "'" + FORMULA and original(line["key"]) == FORMULA


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_database_is_exported_too(database_url: str, tmp_path: Path, format: str) -> None:
    """No entries: the file holds the header, or nothing."""
    with Store.create(database_url, rehearsal=False) as store:
        assert export(store, tmp_path / "out", format) == 0

    assert len((tmp_path / "out").read_bytes().splitlines()) == (format == "csv")


def test_more_than_a_page_is_told_as_it_goes(store: Store, tmp_path: Path) -> None:
    """Progress is told in parts that add up to the number of entries."""
    told: list[int] = []
    fill(store, 600)

    with store.read() as tx:
        count = export_entries(tx, format="csv", output=str(tmp_path / "out.csv"), progress=told.append)

    assert told == [500, 104] and count == 604


def fill(store: Store, count: int) -> None:
    """Add entries to the refund."""
    with store.write() as tx:
        for number in range(count):
            change(tx, claimed=500, flags={"n": number})


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log(sqlite_url: str, tmp_path: Path) -> None:
    """Three times the entries need no more memory at once: two pages of them."""
    with Store.create(sqlite_url, rehearsal=False) as store:
        with store.write() as tx:
            register(tx)
            submit(tx)
        fill(store, 1200)
        few = memory_of_export(store, tmp_path / "out")
        fill(store, 2400)
        many = memory_of_export(store, tmp_path / "out")

    assert many < 1.2 * few


def memory_of_export(store: Store, path: Path) -> int:
    """Export and return the most bytes that were held at once."""
    tracemalloc.start()
    try:
        export(store, path, "csv")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- whole or not at all -----------------------------------------------------------------------


def test_a_file_that_stood_there_is_replaced_through_its_link(store: Store, tmp_path: Path) -> None:
    """A link goes on pointing at the file, which holds the new export."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    export(store, tmp_path / "link")

    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text(encoding="utf-8").startswith("{")
    assert names_in(tmp_path) == {"link", "real"}


def names_in(folder: Path) -> set[str]:
    """Name what lies in a folder, the test's databases aside."""
    return {path.name for path in folder.iterdir() if ".db" not in path.name}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse what is written beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("format", FORMATS)
def test_a_disk_that_takes_no_more_leaves_what_stood_there(store: Store, tmp_path: Path, format: str) -> None:
    """A write that fails half-way is told, the old file stays and no other is left behind."""
    (tmp_path / "out").write_text("old")
    fill(store, 100)

    with store.read() as tx:  # opened before the limit, so that only the export meets it
        tx.count_entries()
        with files_of_at_most(20_000), pytest.raises(RefundflowError, match="was not written: File too large"):
            export_entries(tx, format=cast(Literal["csv", "jsonl"], format), output=str(tmp_path / "out"))

    assert (tmp_path / "out").read_text() == "old" and names_in(tmp_path) == {"out"}


def test_an_interruption_leaves_nothing_behind(store: Store, tmp_path: Path) -> None:
    """Ctrl-C while it is written: no file, no half of one."""

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with store.read() as tx, pytest.raises(KeyboardInterrupt):
        export_entries(tx, format="jsonl", output=str(tmp_path / "out"), progress=interrupt)

    assert names_in(tmp_path) == set()


def test_a_body_that_cannot_be_read_is_named(database_url: str, tmp_path: Path) -> None:
    """An entry that is no JSON fails the export as a proof, and leaves no file."""
    with Store.create(database_url, rehearsal=False) as store:
        with store.write() as tx:
            broken = seal([a_person()], heads={}, recorded_at=START)[0]
            tx.append_register_entry("staff", broken._replace(body=b"{"))
        with pytest.raises(ProofFailed, match="staff#1"):
            export(store, tmp_path / "out")

    assert names_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("output", "said"),
    [("", "names no file"), ("a\0b", "names no file"), ("nowhere/out", "No such file"), (".", "no ordinary file")],
)
def test_a_path_that_cannot_be_written_is_bad_input(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, said: str
) -> None:
    """The message says what is wrong and what is needed."""
    monkeypatch.chdir(tmp_path)

    with store.read() as tx, pytest.raises(BadInput, match=said) as refused:
        export_entries(tx, format="jsonl", output=output)

    assert refused.value.field == "output" and "needed: the path of a new file" in refused.value.message


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
def test_a_device_is_never_replaced(store: Store, device: str) -> None:
    """A device stays a device, though a file could be put in its place."""
    with pytest.raises(BadInput, match="no ordinary file"):
        export(store, Path(device))

    assert Path(device).is_char_device()


def test_an_unknown_format_is_bad_input(store: Store, tmp_path: Path) -> None:
    """The message names the formats that there are."""
    with pytest.raises(BadInput, match="'xlsx' is unknown: one of csv, jsonl") as refused:
        export(store, tmp_path / "out", "xlsx")

    assert refused.value.field == "format"
