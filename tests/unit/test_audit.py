"""Chains without a database: canonical bytes, sealing, replay."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refundflow import audit
from refundflow.store import FIRST_PREVIOUS
from states.case import Blocker, difference
from tests.support.moves import LINE, REFUND, START, a_case, a_line, an_entry, at

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
documents = st.dictionaries(texts.filter(lambda name: name not in ("seq", "effective_at")), values, max_size=5)


@given(values | st.none())
def test_canonical_bytes_are_json_and_read_back_the_same(value: Any) -> None:
    """Writing, reading and writing again gives the same bytes."""
    written = audit.canonical(value)
    assert json.loads(written) == value and audit.canonical(json.loads(written)) == written


def test_equal_values_have_equal_bytes() -> None:
    """The order of keys does not matter; nothing is escaped or spaced."""
    assert audit.canonical({"b": [1, True], "a": "退款"}) == '{"a":"退款","b":[1,true]}'.encode()
    assert audit.canonical({"a": "退款", "b": (1, True)}) == audit.canonical({"b": [1, True], "a": "退款"})


@pytest.mark.parametrize("value", [1.0, {"a": [float("nan")]}, {1: "x"}, {"a": b"x"}, {"a": START}, "\ud800", 2**64])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    """Floats, keys that are no text, bytes, moments, half characters, numbers of more than 64 bits are refused."""
    with pytest.raises(ValueError, match=r"."):
        audit.canonical(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    """It has no end, as JSON has."""
    value: list[Any] = ["x"]
    value.append({"within": value})
    with pytest.raises(ValueError, match="no canonical form"):
        audit.canonical(value)


def test_each_entry_holds_the_hash_of_the_one_before() -> None:
    """Chains go on from their own heads, whatever stands between them."""
    line, case, later = a_line(), a_case(), a_case(seq=2)
    entries = [an_entry({}, dict(case)), an_entry({}, dict(line)), an_entry(dict(case), dict(later))]
    sealed = audit.seal(entries, heads={LINE: "f" * 64}, recorded_at=START)
    previous = [audit.parse(item.body)["prev"] for item in sealed]
    assert previous == [FIRST_PREVIOUS, "f" * 64, sealed[0].hash]
    assert all(item.hash == hashlib.sha256(item.body).hexdigest() for item in sealed)


def test_a_body_says_all_that_was_decided() -> None:
    """What the contract of the entry names stands in the body, what is absent does not."""
    case = a_case()
    blocker = Blocker(code="CHANNEL_SPACING", params={"spacing": 60}, until=at(minutes=1))
    entry = an_entry({}, dict(case), {"reserved": 500}, kind="refused", blockers=(blocker,), cause=1, occurred_at=at())
    [full], [bare] = (
        audit.seal(
            [entry], heads={}, recorded_at=START, key="k", key_scope=LINE, request_hash="h", key_entry=0,
            correlation="c-1", commitments={0: {"note": "ab"}}, repeats={REFUND: 2},
        ),
        audit.seal([an_entry({}, dict(case))], heads={}, recorded_at=START, key="k", key_scope=LINE, key_entry=1),
    )  # fmt: skip
    body = audit.parse(full.body)
    assert body["blockers"] == [{"code": "CHANNEL_SPACING", "params": {"spacing": 60}, "until": at(minutes=1)}]
    assert (body["key"], body["request"], body["correlation"], body["repeats"]) == ("k", "h", "c-1", 2)
    assert (body["texts"], body["cause"], body["occurred_at"], body["ledger"]) == (
        {"note": "ab"}, 1, at(), {"reserved": 500},
    )  # fmt: skip
    assert (full.key, full.key_scope, full.request_hash) == ("k", LINE, "h") and bare.key is bare.key_scope is None
    assert set(audit.parse(bare.body)) == {
        "v", "subject", "seq", "kind", "event", "from", "to", "effective_at", "recorded_at", "actor", "params", "texts",
        "patch", "ledger", "policy", "calendar", "chart", "prev",
    }  # fmt: skip


def test_the_count_of_repeats_is_carried_once() -> None:
    """Only the first of several new entries of a chain carries the refusals counted before it."""
    case, later = a_case(), a_case(seq=2)
    entries = [an_entry({}, dict(case)), an_entry(dict(case), dict(later))]
    sealed = audit.seal(entries, heads={}, recorded_at=START, repeats={REFUND: 3})
    assert [audit.parse(item.body).get("repeats") for item in sealed] == [3, None]


def test_only_a_refusal_has_a_fingerprint() -> None:
    """The same refusal has the same one; other blockers give another."""
    blocked = [an_entry({}, dict(a_case()), kind="refused", blockers=(Blocker(code=code),)) for code in ("A", "A", "B")]
    first, second, other = (audit.seal([entry], heads={}, recorded_at=START)[0].fingerprint for entry in blocked)
    [applied] = audit.seal([an_entry({}, dict(a_case()))], heads={}, recorded_at=START)
    assert first == second == audit.fingerprint(blocked[0]) and first != other and applied.fingerprint is None


@given(st.lists(documents, min_size=1, max_size=5))
def test_replay_gives_the_newest_document(states: list[dict[str, Any]]) -> None:
    """Folding the patches of a chain gives what stood after its last entry, with its number and moment."""
    bodies: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for seq, after in enumerate(states, 1):
        patch = difference(before, after)
        bodies.append({"patch": patch, "ledger": {"reserved": seq}, "seq": seq, "effective_at": at(hours=seq)})
        before = after
    document, ledger = audit.replay(bodies)
    last = len(states)
    assert document == {**before, "seq": last, "effective_at": at(hours=last)}
    assert ledger == {"reserved": sum(range(last + 1))}


VECTORS = {
    '{"a":[true,null,-1],"b":{"":0}}': {"b": {"": 0}, "a": [True, None, -1]},
    '"\\b\\t\\n\\f\\r\\u0000\\u001f\\"\\\\/\x7f\u2028退"': '\b\t\n\f\r\x00\x1f"\\/\x7f\u2028退',
    '{"Z":1,"a":2,"é":3,"\ue000":4,"😀":5}': {"😀": 5, "\ue000": 4, "é": 3, "a": 2, "Z": 1},
    "[9223372036854775807,-9223372036854775808]": [2**63 - 1, -(2**63)],
}


@pytest.mark.parametrize("written", VECTORS)
def test_the_canonical_form_never_changes(written: str) -> None:
    """What is escaped, how keys sort, and how numbers are written is pinned: stored hashes depend on it."""
    assert audit.canonical(VECTORS[written]) == written.encode()


@given(values | st.none())
def test_the_canonical_form_is_what_the_standard_library_writes(value: Any) -> None:
    """Whoever checks a hash needs no library of ours."""
    told = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert audit.canonical(value) == told.encode()
