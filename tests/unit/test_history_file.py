"""Files of cases: what is read, what is rejected and why, and that nothing in a file is ever a failure."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refundflow.errors import BadInput
from refundflow.history import CaseRow, parse, read
from refundflow.orders import RejectedRow
from tests.support.past import REJECTED, a_past_case, an_event, write_csv, write_jsonl

KEPT = ("order", "events", "case", "reason", "claimed_minor", "at", "state", "by")


def one(case: Any) -> CaseRow | RejectedRow:
    """Read a file of one case."""
    [found] = parse(io.BytesIO(json.dumps(case).encode() + b"\n"), "jsonl")
    return found


def reason_of(case: Any) -> str:
    """Return why a case is rejected."""
    found = one(case)
    assert isinstance(found, RejectedRow)
    return found.reason


def test_both_forms_tell_the_same(tmp_path: Path) -> None:
    """The same cases as CSV and as JSON Lines are equal values."""
    cases = [a_past_case(1), a_past_case(2, REJECTED), a_past_case(3, events=[an_event("submitted", 0)])]
    lines, rows = read(write_jsonl(tmp_path / "c.jsonl", cases)), read(write_csv(tmp_path / "c.csv", cases))

    def told(item: CaseRow | RejectedRow) -> Any:
        assert isinstance(item, CaseRow)
        return item.case, item.reason, item.claimed_minor, item.order, item.events

    assert [told(item) for item in lines] == [told(item) for item in rows]


def test_a_case_is_read_with_all_that_it_tells() -> None:
    """Times are in UTC, the buyer is named by his role alone, texts and grounds stand with their event."""
    case = one(a_past_case(1, REJECTED))

    assert isinstance(case, CaseRow) and [event.state for event in case.events] == list(REJECTED)
    first, second = case.events[:2]
    assert (first.role, first.name, first.message) == ("buyer", "", "It never came.")
    assert (second.role, second.name, second.grounds) == ("agent", "old-li", ("DELIVERY_PROVEN",))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"events": []}, "events: a list of 1"),
        ({"events": "x"}, "events: a list of 1"),
        ({"events": [7]}, "event 1: an object"),
        ({"claimed_minor": "1.5"}, "claimed_minor: '1.5' is not allowed"),
        ({"claimed_minor": True}, "claimed_minor: True is not allowed"),
        ({"case": "two words"}, "case: 'two words' is not allowed"),
        ({"reason": "because of it"}, "reason: 'because of it'"),
        ({"more": 1}, "not known: 'more'"),
        ({"order": {"product_type": "car"}}, "product_type: 'car' is not allowed"),
        ({"order": {"colour": "red"}}, "order: not known: 'colour'"),
        ({"events": [an_event("submitted", 0, at="2025-03-03")]}, "event 1: at: '2025-03-03' is not allowed"),
        ({"events": [an_event("submitted", 0, at=5)]}, "event 1: at: 5 is not allowed"),
        ({"events": [an_event("submitted", 0, by="boss:li")]}, "event 1: by: 'boss:li' is not allowed"),
        ({"events": [an_event("submitted", 0, by="buyer:other")]}, "event 1: by: another buyer"),
        ({"events": [an_event("submitted", 0, by="agent:wang")]}, "event 1: by: the buyer in another role"),
        ({"events": [an_event("submitted", 0, message="\ud800")]}, "event 1: message: a text"),
        ({"events": [an_event("submitted", 0, grounds=[1])]}, "event 1: grounds: 1 is not allowed"),
        ({"events": [an_event("submitted", 0, told="what he said")]}, "event 1: told: 'what he said'"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], reason: str) -> None:
    """A reject says which value of which event is not allowed, and what would be."""
    assert reason_of(a_past_case(1, **changes)).startswith(reason)


@pytest.mark.parametrize("name", KEPT)
def test_what_is_missing_is_named(name: str) -> None:
    """A reject says what is missing."""
    case = a_past_case()
    for holder in (case, case["events"][0]):
        holder.pop(name, None)
    assert f"missing: {name}" in reason_of(case)


def test_a_bad_row_of_csv_ends_its_case_and_no_other(tmp_path: Path) -> None:
    """Of a case with one row that cannot be used nothing is taken; the cases beside it stay."""
    path = write_csv(tmp_path / "c.csv", [a_past_case(1), a_past_case(2), a_past_case(3)])
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[8] = lines[8].replace("L-2", "L-2,too many")
    path.write_text("\n".join(lines), encoding="utf-8")
    found = list(read(path))

    assert [isinstance(item, CaseRow) for item in found] == [True, False, True]
    assert isinstance(found[1], RejectedRow) and found[1].line_number == 7 and "line 9: " in found[1].reason


def test_rows_of_a_case_that_contradict_each_other_are_rejected(tmp_path: Path) -> None:
    """A later row may leave facts out, not change them; and the rows of a case stand together."""
    path = write_csv(tmp_path / "c.csv", [a_past_case(1), a_past_case(2)])
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    changed = lines[1].replace("L-1,,", "L-1,FRAUD,")
    path.write_text("\n".join([header, lines[0], changed, *lines[2:], lines[0]]), encoding="utf-8")
    reasons = [item.reason for item in read(path) if isinstance(item, RejectedRow)]

    assert reasons[0].endswith("another reason than on the first line of the case") and len(reasons) == 1
    path.write_text("\n".join([header, *lines, lines[0]]), encoding="utf-8")
    [again] = [item.reason for item in read(path) if isinstance(item, RejectedRow)]
    assert again == "case L-1 stands on line 2 with other content"


def test_a_header_that_cannot_be_used_is_bad_input() -> None:
    """CSV without its columns, and an empty file, say what is needed."""
    for content in (b"", b"case,reason\n", b"\xff\xfe", b'"', b"case,case\n"):
        with pytest.raises(BadInput, match="columns"):
            list(parse(io.BytesIO(content), "csv"))
    assert list(parse(io.BytesIO(b""), "jsonl")) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEPT), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=200)
@given(name=st.sampled_from(KEPT), value=VALUES, deep=st.booleans())
def test_any_value_anywhere_is_a_case_or_a_reject(name: str, value: Any, deep: bool) -> None:
    """Whatever stands in a field, the reader answers with a value, never with a failure."""
    case = a_past_case()
    (case["events"][0] if deep else case)[name] = value
    assert isinstance(one(case), CaseRow | RejectedRow)


@settings(max_examples=200)
@given(noise=st.binary(max_size=60), place=st.integers(0, 900), form=st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_in_a_file_cost_cases_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int, form: str
) -> None:
    """Noise anywhere in a file gives cases and rejects, or says that the header cannot be used."""
    path = tmp_path_factory.mktemp("noise") / f"c.{form}"
    write = write_csv if form == "csv" else write_jsonl
    content = write(path, [a_past_case(1), a_past_case(2)]).read_bytes()
    path.write_bytes(content[:place] + noise + content[place + len(noise) :])
    try:
        found = list(read(path))
    except BadInput:
        found = []  # no header that could be used
    assert all(isinstance(item, CaseRow | RejectedRow) for item in found)
