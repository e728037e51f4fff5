"""Every row of an orders file is either taken as it stands or named with a reason."""

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refundflow.errors import BadInput
from refundflow.orders import (
    COLUMNS,
    LONGEST_ROW,
    REQUIRED,
    OrderRow,
    RejectedRow,
    parse,
    read,
    write_rejects,
)
from states.codes import CHANNELS, PRODUCT_TYPES, USAGES

GOOD = {
    "order_id": "A-1001",
    "buyer_id": "李雷",
    "product_type": "game_card",
    "product": "Point card 100",
    "usage": "unused",
    "amount_minor": "9900",
    "currency": "CNY",
    "channel": "alipay",
    "payment_no": "2026030222001",
    "paid_at": "2026-03-02T12:00:00+08:00",
    "completed_at": "2026-03-02T12:05:00+08:00",
}
LIMITED = {"valid_from": "2026-03-01T00:00:00+08:00", "valid_to": "2026-04-01T00:00:00+08:00"}


def csv_file(*rows: Mapping[str, str]) -> bytes:
    """Write rows as CSV under the columns of the first one."""
    names = list(rows[0])
    lines = [",".join(names)]
    lines += [",".join('"' + row[name].replace('"', '""') + '"' for name in names) for row in rows]
    return "\n".join(lines).encode()


def rows_of(content: bytes) -> list[OrderRow | RejectedRow]:
    """Read a whole file."""
    return list(parse(BytesIO(content)))


def reason_of(**changes: str) -> str:
    """Say why a row that is good but for the changes is rejected."""
    (row,) = rows_of(csv_file(GOOD | changes))
    assert isinstance(row, RejectedRow), row
    return row.reason


def test_a_good_row_is_read_as_it_stands() -> None:
    """Texts are kept, the amount is a number, times are UTC, the line is 1 by default."""
    (row,) = rows_of(csv_file(GOOD))

    assert row == OrderRow(
        order_id="A-1001",
        buyer_id="李雷",
        product_type="game_card",
        product="Point card 100",
        usage="unused",
        amount_minor=9900,
        currency="CNY",
        channel="alipay",
        payment_no="2026030222001",
        paid_at=datetime(2026, 3, 2, 4, 0, tzinfo=UTC),
        completed_at=datetime(2026, 3, 2, 4, 5, tzinfo=UTC),
        line="1",
    )
    assert row.line_number == 2


def test_an_order_not_completed_has_no_time_of_it() -> None:
    """Empty completed_at, line, valid_from and valid_to are the same as absent ones."""
    (row,) = rows_of(csv_file(GOOD | {"completed_at": "", "line": "", "valid_from": "", "valid_to": ""}))

    assert isinstance(row, OrderRow)
    assert (row.completed_at, row.line, row.valid_from, row.valid_to) == (None, "1", None, None)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_mark_and_line_ends_change_nothing(mark: bytes, end: bytes) -> None:
    """With or without byte order mark, with either line end and blank lines, the rows are the same."""
    content = csv_file(GOOD, GOOD | {"order_id": "A-1002"})

    assert rows_of(mark + content.replace(b"\n", end + end) + end) == rows_of(content)


def test_json_lines_carry_the_same_rows() -> None:
    """The same names as keys give the same value; amounts may be numbers, null is empty."""
    as_json = {**GOOD, "amount_minor": 9900, "line": None, **LIMITED}

    assert rows_of(json.dumps(as_json, ensure_ascii=False).encode()) == rows_of(csv_file(GOOD | LIMITED))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"order_id": "A 1"}, "begins with a letter or digit"),
        ({"order_id": "-A"}, "order_id: '-A' is not allowed"),
        ({"order_id": "A" * 65}, "1 to 64"),
        ({"line": "1-2"}, "1 to 16 of A-Z a-z 0-9 . _"),
        ({"buyer_id": ""}, "buyer_id"),
        ({"product_type": "car"}, "one of game_card, game_item"),
        ({"usage": ""}, "one of unused, activated"),
        ({"channel": "cash"}, "one of alipay, wechat_pay"),
        ({"currency": "Yuan"}, "three capital letters"),
        ({"amount_minor": "99.00"}, "a whole number of minor units"),
        ({"amount_minor": "-1"}, "a whole number of minor units"),
        ({"amount_minor": "٣"}, "a whole number of minor units"),
        ({"amount_minor": "9999999999999999"}, "0 to 1000000000000000"),
        ({"payment_no": ""}, "1 to 64 printable ASCII"),
        ({"paid_at": "2026-03-02T12:00:00"}, "a time with an offset"),
        ({"paid_at": "yesterday"}, "for instance 2026-03-02T12:00:00+08:00"),
        ({"paid_at": "0001-01-01T00:00:00+08:00"}, "a time with an offset"),
        ({"paid_at": "2026-03-02T12:05:00.000001+08:00"}, "must not lie before paid_at"),
        ({"paid_at": ""}, "an order completed was paid"),
        ({"valid_from": LIMITED["valid_from"]}, "give both or neither"),
        (LIMITED | {"valid_to": LIMITED["valid_from"]}, "must lie after valid_from"),
        ({"product": "a\tb"}, "printable characters"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(changes: dict[str, str], said: str) -> None:
    """A row with a bad value is rejected with a reason that says what would be allowed."""
    empty = {name: "" for name in ("line", "valid_from", "valid_to") if name in changes or name[:5] == "valid"}

    assert said in reason_of(**(empty | changes))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"A-1,b", "2 fields; the header names 11"),
        (b'"A-1', "not a CSV row"),
        (b"A-1,\xff\xfe", "not UTF-8 at byte 5"),
        (b"A" * (LONGEST_ROW * 3), "longer than 65536 bytes"),
    ],
)
def test_a_broken_line_costs_only_itself(line: bytes, said: str) -> None:
    """A line that is no row is named, and the good rows around it stay."""
    header, good = csv_file(GOOD).split(b"\n")
    other = good.replace(b"A-1001", b"A-1002")

    first, broken, last = rows_of(b"\n".join((header, good, line, other)))

    assert isinstance(broken, RejectedRow)
    assert said in broken.reason
    assert broken.line_number == 3
    assert isinstance(first, OrderRow)
    assert isinstance(last, OrderRow)
    assert last.line_number == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"order_id": "A-1"', "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"order_id": "A-1"}', "missing: buyer_id"),
        (json.dumps(GOOD | {"colour": "red"}), "not known: 'colour'"),
        (json.dumps(GOOD)[:-1] + ', "usage": "used"}', "a key stands twice"),
        (json.dumps(GOOD | {"amount_minor": 1.5}), "a whole number of minor units"),
        (json.dumps(GOOD | {"amount_minor": True}), "a whole number of minor units"),
        (json.dumps(GOOD | {"buyer_id": 7}), "buyer_id: 7 is not allowed"),
        (json.dumps(GOOD | {"buyer_id": "\ud800"}), "printable characters"),
        (json.dumps(GOOD | {"paid_at": 7}), "a time with an offset"),
        ("[" * 30_000, "not JSON"),
    ],
)
def test_a_broken_json_line_costs_only_itself(line: str, said: str) -> None:
    """A line of JSON Lines that is no order row is named, and the good rows around it stay."""
    good = json.dumps(GOOD)

    first, broken, last = rows_of("\n".join((good, line, good)).encode())

    assert isinstance(broken, RejectedRow)
    assert said in broken.reason
    assert first == last


def test_a_row_that_contradicts_an_earlier_one_is_rejected() -> None:
    """The same order and line again: the same content is the same row, other content is rejected."""
    first, same, other, line = rows_of(
        csv_file(*(GOOD | {"line": n} | c for n, c in [("1", {}), ("1", {}), ("1", {"usage": "used"}), ("2", {})]))
    )

    assert first == same
    assert isinstance(other, RejectedRow)
    assert other.reason == "order A-1001 line 1 stands on line 2 with other content"
    assert isinstance(line, OrderRow)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"", "the file is empty"),
        (b"order_id;buyer_id", "buyer_id is missing"),
        (",".join((*REQUIRED, "colour")).encode(), "'colour' is not known"),
        (",".join((*REQUIRED, "usage")).encode(), "usage stands twice"),
        (b"\xff\xfeo\x00r\x00", "not UTF-8"),
        (b'"order_id', "cannot be read"),
    ],
)
def test_an_unusable_header_is_an_error_that_says_what_is_needed(header: bytes, said: str) -> None:
    """Without a header no row can be read: the error names the problem and the columns."""
    with pytest.raises(BadInput) as caught:
        rows_of(header)

    assert said in caught.value.message
    assert "order_id,buyer_id,product_type" in caught.value.message


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A missing file is bad input, with its path."""
    with pytest.raises(BadInput, match="No such file"):
        list(read(tmp_path / "nowhere.csv"))


def test_the_name_of_a_file_tells_json_lines(tmp_path: Path) -> None:
    """A .jsonl file is never taken for CSV, whatever its first line holds; an empty one has no rows."""
    file = tmp_path / "orders.jsonl"
    file.write_text("oops\n" + json.dumps(GOOD))
    empty = tmp_path / "none.jsonl"
    empty.touch()

    assert [type(row) for row in read(file)] == [RejectedRow, OrderRow]
    assert list(read(empty)) == []


def test_a_value_made_by_hand_is_checked_too() -> None:
    """An order row cannot be made with a naive time."""
    with pytest.raises(BadInput, match="a time with an offset"):
        OrderRow(
            order_id="A",
            buyer_id="b",
            product_type="other",
            product="p",
            usage="unused",
            amount_minor=1,
            currency="CNY",
            channel="fake",
            payment_no="n",
            paid_at=datetime(2026, 3, 2),  # noqa: DTZ001 - that is the point
        )


def test_rejects_open_safely_in_a_spreadsheet(tmp_path: Path) -> None:
    """The rejects file holds line, reason and row, and no cell that a spreadsheet would run."""
    file = tmp_path / "rejects.csv"
    bad = RejectedRow(line_number=7, reason="why", raw='=HYPERLINK("http://x"),a')

    assert write_rejects(file, [bad]) == 1

    with file.open(encoding="utf-8", newline="") as opened:
        assert list(csv.reader(opened)) == [["line", "reason", "raw"], ["7", "why", '\'=HYPERLINK("http://x"),a']]


# --- whatever is in the file -------------------------------------------------------------------

HEADER = ",".join(COLUMNS).encode() + b"\n"
_texts = st.text(max_size=20)
_cells = st.one_of(_texts, st.sampled_from(sorted({*GOOD.values(), *LIMITED.values(), *USAGES, '"', "\r"})))


def check_all(content: bytes) -> None:
    """Assert that a content gives rows, each taken or rejected with a reason, or the one stated error."""
    try:
        rows = rows_of(content)
    except BadInput as error:
        assert error.field in ("file", "header")  # noqa: PT017 - both outcomes are right
        return
    numbers = [row.line_number for row in rows]
    assert numbers == sorted(set(numbers))
    assert all(row.reason for row in rows if isinstance(row, RejectedRow))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Whatever bytes a file holds, each row is taken or named, or the header is."""
    check_all(content)


@given(st.binary(max_size=300))
def test_any_bytes_under_a_header_are_rows(content: bytes) -> None:
    """Under a good header every line that is not blank is one row, taken or named."""
    rows = rows_of(HEADER + content)

    assert len(rows) == sum(1 for line in content.split(b"\n") if line.strip())


@given(st.lists(st.lists(_cells, min_size=14, max_size=14), max_size=4))
def test_any_cells_are_taken_or_named(rows: list[list[str]]) -> None:
    """Cells of any text, near to good ones, never end the reading."""
    check_all(HEADER + "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass"))


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), _cells | st.integers() | st.none() | st.lists(_cells))))
def test_any_json_values_are_taken_or_named(rows: list[dict[str, object]]) -> None:
    """JSON values of any type under the columns' names never end the reading."""
    check_all("\n".join(json.dumps(GOOD | row) for row in rows).encode())


@given(
    order=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:~@+-]{0,63}\Z"),
    product=st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=50),
    product_type=st.sampled_from(PRODUCT_TYPES),
    usage=st.sampled_from(USAGES),
    channel=st.sampled_from(CHANNELS),
    amount=st.integers(0, 10**15),
    paid=st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
)
def test_any_good_row_survives_the_file(
    order: str, product: str, product_type: str, usage: str, channel: str, amount: int, paid: datetime
) -> None:
    """What can be made as a value can be written and is read back as the same value."""
    row = OrderRow(
        order_id=order,
        buyer_id=product,
        product_type=product_type,
        product=product,
        usage=usage,
        amount_minor=amount,
        currency="CNY",
        channel=channel,
        payment_no="p",
        paid_at=paid,
        completed_at=paid,
    )
    cells = {name: str(getattr(row, name)) for name in REQUIRED}
    cells |= {"paid_at": paid.isoformat(), "completed_at": paid.isoformat()}

    assert rows_of(csv_file(cells)) == [row]
    assert rows_of(json.dumps(cells).encode()) == [row]
