"""CSV and JSON Lines of both databases: every entry, readable elsewhere."""

import csv
import hashlib
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from refundflow.audit import seal
from refundflow.errors import BadInput, ProofFailed
from refundflow.export import FORMATS
from refundflow.export import source as reading
from refundflow.export.chosen import Chooser
from refundflow.export.csv_format import HEADER
from refundflow.export.rows import COLUMNS
from refundflow.service import Refunds
from refundflow.spreadsheet import RISKY, harmless, original
from refundflow.store import FIRST_PREVIOUS, Store
from refundflow.values import Exported, ExportFilters
from states.case import Actor, Blocker, Entry
from tests.support.databases import Databases
from tests.support.moves import LINE, REFUND, SHOP, START, at, change, register, submit

pytestmark = pytest.mark.partitioned

GOLDEN = Path(__file__).parent.parent / "golden" / "export_header.csv"
FORMULA = "=HYPERLINK(1)"
REVIEW = {"due_at": at(days=1), "event": "review_overdue", "rule": "1 working days", "calendar": "c", "set_at": at()}


@pytest.fixture
def refunds(databases: Databases) -> Iterator[Refunds]:
    """Open a database with one line, one refund on it, and one registered person."""
    with Refunds.connect(databases.copy_of("export", prepare)) as opened:
        yield opened


def prepare(url: str) -> None:
    """Make chains of every kind: a line, a refund, the register of staff."""
    Refunds.init(url, rehearsal=True)
    with Store.open(url) as store, store.write() as tx:
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


def export(refunds: Refunds, path: Path, format: str = "jsonl") -> Exported:
    """Export to a path."""
    return refunds.export(format=format, output=str(path), actor="auditor:sun")


def exported(refunds: Refunds, folder: Path) -> list[dict[str, Any]]:
    """Export as JSON Lines and read it back."""
    export(refunds, folder / "entries.jsonl")
    return [json.loads(line) for line in (folder / "entries.jsonl").read_text(encoding="utf-8").splitlines()]


def exported_cells(refunds: Refunds, folder: Path) -> list[dict[str, str]]:
    """Export as CSV and read it back as a spreadsheet does."""
    export(refunds, folder / "entries.csv", "csv")
    with (folder / "entries.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_entry_of_every_chain_is_exported_in_log_order(refunds: Refunds, tmp_path: Path) -> None:
    """Line, refund and staff register stand in one file, in the order in which they were written."""
    rows = exported(refunds, tmp_path)

    assert [(row["subject"], row["seq"], row["event"]) for row in rows] == [
        (LINE, 1, "registered"), (REFUND, 1, "submit"), (REFUND, 2, "note"), ("staff", 1, "staff_added"),
    ]  # fmt: skip
    assert all(tuple(row) == COLUMNS for row in rows) and [row["leaf"] for row in rows] == [0, 1, 2, 3]


def test_hashes_can_be_computed_again_offline(refunds: Refunds, tmp_path: Path) -> None:
    """The body in the file hashes to `hash`, and each `prev` is the hash of the entry before in its chain."""
    heads: dict[str, str] = {}
    for row in exported(refunds, tmp_path):
        assert hashlib.sha256(row["body"].encode()).hexdigest() == row["hash"]
        assert row["prev"] == heads.get(row["subject"], FIRST_PREVIOUS) == json.loads(row["body"])["prev"]
        heads[row["subject"]] = row["hash"]
    assert len(heads) == 3


def test_an_entry_tells_both_ends_and_what_it_moved(refunds: Refunds, tmp_path: Path) -> None:
    """From, to, actor, deadline and ledger of a move stand in columns of their own."""
    _, first, second, _ = exported(refunds, tmp_path)

    assert (first["from"], first["to"], first["reserved"]) == (None, "submitted", 500)
    assert (second["from"], second["to"], second["actor_name"]) == ("submitted", "under_review.reviewing", SHOP.name)
    assert first["deadlines"] == [
        {"name": "review", "due_at": at(days=1), "rule": "1 working days", "provisional": False}
    ]


def test_a_deadline_set_again_is_told_in_full(refunds: Refunds, tmp_path: Path) -> None:
    """An entry that changed only the due moment still tells the rule that counted it."""
    again = exported(refunds, tmp_path)[2]["deadlines"]

    assert again == [{"name": "review", "due_at": at(days=2), "rule": "1 working days", "provisional": False}]


def test_the_header_of_csv_is_kept() -> None:
    """Tools of auditors rely on the names and the order of the columns."""
    assert ",".join(HEADER) == GOLDEN.read_text(encoding="utf-8").strip()


def test_csv_opens_right_in_a_spreadsheet(refunds: Refunds, tmp_path: Path) -> None:
    """A byte order mark, CRLF, Chinese text intact, numbers as numbers, lists as JSON."""
    *_, person = exported_cells(refunds, tmp_path)
    content = (tmp_path / "entries.csv").read_bytes()

    assert content.startswith(b"\xef\xbb\xbfleaf,") and content.count(b"\r\n") == content.count(b"\n") == 5
    assert person["actor_name"] == "李" and person["reserved"] == "0" and person["deadline_name"] == ""
    assert json.loads(person["blockers"]) == [{"code": "X", "params": {"n": 1}, "until": at(days=1)}]


def test_a_key_that_looks_like_a_formula_does_not_run(refunds: Refunds, tmp_path: Path) -> None:
    """What callers chose is marked as text, and can be read back."""
    line = exported_cells(refunds, tmp_path)[0]

    assert line["key"] == "'" + FORMULA and original(line["key"]) == FORMULA


@pytest.mark.parametrize(("format", "lines"), [("csv", 1), ("jsonl", 0)])
def test_an_empty_database_is_exported_too(database_url: str, tmp_path: Path, format: str, lines: int) -> None:
    """No entries: the file holds the header, or nothing."""
    Refunds.init(database_url, rehearsal=True)
    with Refunds.connect(database_url) as refunds:
        assert export(refunds, tmp_path / "out", format).entries == 0

    assert len((tmp_path / "out").read_bytes().splitlines()) == lines


def test_it_is_told_as_it_goes(refunds: Refunds, tmp_path: Path) -> None:
    """Progress is told as rows done and rows in all."""
    told: list[tuple[int, int]] = []

    refunds.export(
        format="csv",
        output=str(tmp_path / "out"),
        actor="auditor:sun",
        progress=lambda done, most: told.append((done, most)),
    )

    assert told[0] == (0, 4) and told[-1] == (4, 4)


def fill(refunds: Refunds, count: int) -> None:
    """Add entries to the refund."""
    with refunds.engine.store.write() as tx:
        for number in range(count):
            change(tx, claimed=500, flags={"n": number})


@pytest.mark.slow
def test_memory_does_not_grow_with_the_log(sqlite_url: str, tmp_path: Path) -> None:
    """Three times the entries need no more memory at once: one page of them."""
    prepare(sqlite_url)
    with Refunds.connect(sqlite_url) as refunds:
        fill(refunds, 2000)
        few = memory_of_export(refunds, tmp_path / "out")
        fill(refunds, 4000)
        many = memory_of_export(refunds, tmp_path / "out")

    assert many < 1.2 * few


def memory_of_export(refunds: Refunds, path: Path) -> int:
    """Export and return the most bytes that were held at once."""
    refunds.checkpoint()
    tracemalloc.start()
    try:
        export(refunds, path, "csv")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("size", "most"), [(1, 1), (1, 2), (2, 1), (3, 2), (4, 1), (5, 5)])
def test_pages_and_reads_of_any_size_give_the_same(
    refunds: Refunds, monkeypatch: pytest.MonkeyPatch, size: int, most: int
) -> None:
    """Every entry comes once, in order, with its deadlines in full, and every cursor goes on behind its page."""
    monkeypatch.setattr(reading, "_PAGES", most)
    refunds.checkpoint()
    with refunds.engine.reading() as tx:
        last = tx.log_end().last_gid
    source = reading.Source(refunds.engine.reading, last_gid=last, chooser=Chooser(ExportFilters()))

    def told(entry: reading.Entry) -> tuple[Any, ...]:
        return entry.leaf, entry.stored, entry.deadlines

    [(whole, _)] = source.pages(told)
    pages = list(source.pages(told, size=size))

    assert [item for page, _ in pages for item in page] == whole
    assert [deadline["rule"] for entry in whole for deadline in entry[2]] == [REVIEW["rule"]] * 2
    assert all(
        [item for rest, _ in source.pages(told, cursor, size=size) for item in rest] == whole[cursor[1] :]
        for _, cursor in pages
    )


@pytest.mark.parametrize(
    "texts",
    [
        ("plain", 1, None),
        ('with "quotes"', -1, ""),
        ("a,b", 0, "c"),
        ("line\nbreak", 1, "\r"),
        ("=1+1", 1, "李"),
        ("-5", -5, "a"),
        ("\u3000@x", 1, "\u2028"),
        ("'=", 1, "\x00"),
        ("5", -1, "＝1"),
    ],
)
def test_lines_are_what_the_csv_module_writes(texts: tuple[Any, ...]) -> None:
    """The fast way of joining cells gives the same bytes as the standard library's, formulas marked."""
    from refundflow.export.csv_format import _OBJECTS, _joined

    row: list[Any] = [7, *texts, *[None] * (len(HEADER) - len(texts) - 1)]
    row[_OBJECTS[0]] = '{"a":"b,\\"c\\""}'
    expected = io.StringIO(newline="")
    csv.writer(expected).writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])

    assert _joined(row) == expected.getvalue()


@pytest.mark.parametrize("text", ["=1", " =1", "'=1", "\u3000@x", "\t1", "-1", "plain", "5-1", ""])
def test_what_is_marked_begins_with_a_risky_character(text: str) -> None:
    """No text is marked whose first character is not looked at."""
    assert harmless(text) == text or text[:1] in RISKY


def test_a_body_that_cannot_be_read_is_named(database_url: str, tmp_path: Path) -> None:
    """An entry that is no JSON fails the export as a proof, and leaves nothing to go on with."""
    Refunds.init(database_url, rehearsal=True)
    with Store.open(database_url) as store, store.write() as tx:
        broken = seal([a_person()], heads={}, recorded_at=START)[0]
        tx.append_register_entry("staff", replace(broken, body=b"{"))
    (tmp_path / "made").mkdir()
    with Refunds.connect(database_url) as refunds, pytest.raises(ProofFailed, match="staff#1"):
        export(refunds, tmp_path / "made" / "out")

    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "names no file"),
        ("-", "names no file"),
        ("a\0b", "names no file"),
        ("nowhere/out", "No such file"),
        ("nowhere/out/", "No such file"),
    ],
)
def test_a_path_that_cannot_be_written_is_bad_input(
    refunds: Refunds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, said: str
) -> None:
    """The message says what is wrong and what is needed."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(BadInput, match=said) as refused:
        refunds.export(format="jsonl", output=output, actor="auditor:sun")

    assert refused.value.field == "output" and "needed: the path of a new file" in refused.value.message


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
def test_a_device_is_never_replaced(refunds: Refunds, device: str) -> None:
    """A device stays a device, though a file could be put in its place."""
    with pytest.raises(BadInput, match="no ordinary file"):
        export(refunds, Path(device))

    assert Path(device).is_char_device()


def test_an_unknown_format_is_bad_input(refunds: Refunds, tmp_path: Path) -> None:
    """The message names the formats that there are."""
    with pytest.raises(BadInput, match=f"'xlsx' is unknown: one of {', '.join(FORMATS)}") as refused:
        export(refunds, tmp_path / "out", "xlsx")

    assert refused.value.field == "format"


def test_several_formats_need_a_folder(refunds: Refunds, tmp_path: Path) -> None:
    """Two formats cannot go to one file."""
    with pytest.raises(BadInput, match="several formats need a folder"):
        refunds.export(format=["csv", "jsonl"], output=str(tmp_path / "out"), actor="auditor:sun")
