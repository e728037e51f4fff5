"""The offline verifier: silent on every true history, and exact on whole histories forged with the right key.

A forged history is consistent: numbers, links, hashes, tree and signatures are all made anew. Only one rule is broken.
"""

import ast
import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from refundflow import verifier
from refundflow.rehearsal import rehearse_file
from refundflow.service import Refunds
from refundflow.values import ExportFilters
from states import times
from tests.integration.test_demo import prepare
from tests.support.databases import Databases
from tests.support.market import BUYER, CHEN, LI, QIAN, SHOP, WAY, WU, ZHAO, Market, prepare_rehearsal
from tests.support.packages import Log, chart, log_of
from tests.support.tampering import story

Json = Any
LARGE = 150_000
SUN = "finance:sun"


def findings(log: Log, folder: Path, **how: Any) -> list[verifier.Finding]:
    """Write a log as an export, verify it with its key, and return what is wrong."""
    return verifier.verify(log.write(folder / "entries.jsonl", **how), [log.signer.vkey]).findings


def seq_of(log: Log, subject: str, event: str, nth: int = 1) -> int:
    """Return the number of the nth entry of an event in a chain."""
    found = [row["seq"] for row in log.rows if row["subject"] == subject and row["event"] == event]
    return int(found[nth - 1])


def without(log: Log, subject: str, event: str) -> Log:
    """Leave out every entry of an event in a chain."""
    log.rows = [row for row in log.rows if (row["subject"], row["event"]) != (subject, event)]
    return log


def moved(body: dict[str, Json], by: timedelta) -> None:
    """Move an entry in time, with every mention of its moment."""
    was = body["effective_at"]
    text = json.dumps(body).replace(was, times.text(times.moment(was) + by))
    body.update(json.loads(text))


def by(name: str, role: str | None = None) -> Callable[[dict[str, Json]], None]:
    """Let another one have done it."""

    def change(body: dict[str, Json]) -> None:
        body["actor"] = {"name": name, "role": role or body["actor"]["role"]}
        body["patch"].pop("decided", None)

    return change


def put(path: str, value: Json) -> Callable[[dict[str, Json]], None]:
    """Set a value deep in the body."""

    def change(body: dict[str, Json]) -> None:
        *way, last = path.split("/")
        for name in way:
            body = body[name]
        body[last] = value

    return change


# one story for each rule: what really happened, and how it is forged


def late_appeal(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An appeal a second after its window, instead of the lapse that was due."""
    refund = market.to("rejected.appealable")
    market.later(days=1)
    market.act(refund, "appeal", BUYER, message="The code was never sent to me.")

    def forge(log: Log) -> Log:
        return log.change(refund, seq_of(log, refund, "appeal"), lambda body: moved(body, timedelta(days=3)))

    return "LATE_ACT", forge


def early_lapse(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A lapse a second before its moment."""
    refund = market.to("rejected.appealable")
    market.later(days=5)
    market.refunds.work(at=market.now)

    def forge(log: Log) -> Log:
        seq = seq_of(log, refund, "appeal_window_closed")
        return log.change(refund, seq, lambda body: moved(body, timedelta(seconds=-1)))

    return "LAPSE", forge


def skipped_lapse(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A review that was overdue, and no entry that says so."""
    refund = market.to("under_review.reviewing")
    market.later(days=7)
    market.act(refund, "note", LI, message="Still looking.")
    return "LATE_ACT", lambda log: without(log, refund, "review_overdue")


def large(market: Market) -> str:
    """Bring a claim above the limit of two persons into review."""
    refund = market.submit(market.order(amount_minor=LARGE), amount=LARGE).id
    market.act(refund, "begin_review", LI)
    return refund


def one_person_twice(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Both approvals by one person."""
    refund = large(market)
    market.act(refund, "approve", LI)
    market.act(refund, "approve", ZHAO)
    return "TWO_PERSONS", lambda log: log.change(refund, seq_of(log, refund, "approve", 2), by("li"))


def one_person_alone(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An approval above the limit by one person."""
    refund = large(market)
    market.act(refund, "approve", LI)
    market.act(refund, "approve", ZHAO)

    def forge(log: Log) -> Log:
        first = seq_of(log, refund, "approve")
        log.rows = [row for row in log.rows if (row["subject"], row["seq"]) != (refund, first)]

        def change(body: dict[str, Json]) -> None:
            del body["patch"]["firsts"]
            body["patch"]["decided"] = {"review": ["zhao"]}

        return log.change(refund, first + 1, change)

    return "TWO_PERSONS", forge


def other_terms(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A second person who agreed to another offer than the first."""
    refund = large(market)
    market.act(refund, "offer", LI, amount=120_000)
    market.act(refund, "offer", ZHAO, amount=120_000)

    def change(body: dict[str, Json]) -> None:
        put("params/amount", 130_000)(body)
        put("patch/offers/1/amount", 130_000)(body)

    return "TWO_PERSONS", lambda log: log.change(refund, seq_of(log, refund, "offer", 2), change)


def finance_alone(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A payment told by finance, and both are one person."""
    refund = market.to("approved.paying")
    attempt = market.get(refund).attempts[0]
    told: dict[str, Any] = {
        "number": attempt.number,
        "amount": attempt.amount_minor,
        "currency": "CNY",
        "proof": "slip-1",
    }
    market.act(refund, "payout_settled", QIAN, **told)
    market.act(refund, "payout_settled", SUN, **told)
    return "TWO_PERSONS", lambda log: log.change(refund, seq_of(log, refund, "payout_settled", 2), by("qian"))


def reviewer_decides_appeal(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """The reviewer upholds his own rejection."""
    refund = market.to("rejected.closed")

    def change(body: dict[str, Json]) -> None:
        by("li")(body)
        body["patch"]["decided"] = {"appeal": ["li"]}

    return "REVIEWER_DECIDES", lambda log: log.change(refund, seq_of(log, refund, "uphold"), change)


def claimant_decides(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Who claimed for the buyer approves."""
    refund = market.submit(actor=SHOP).id
    market.act(refund, "begin_review", LI)
    market.act(refund, "approve", LI)

    def change(body: dict[str, Json]) -> None:
        by("shop")(body)
        body["patch"]["decided"] = {"review": ["shop"]}

    return "CLAIMANT_DECIDES", lambda log: log.change(refund, seq_of(log, refund, "approve"), change)


def wrong_role(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Finance confirms the receipt for the buyer."""
    refund = market.to("paid_out.confirmed")
    return "ROLE", lambda log: log.change(refund, seq_of(log, refund, "confirm_receipt"), by("qian", "finance"))


def system_approves_large(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """The system approves what is no small claim."""
    refund = market.to("approved.payable")
    return "ROLE", lambda log: log.change(refund, seq_of(log, refund, "approve"), by("system", "system"))


def amount_above_claim(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """More is approved than was claimed."""
    refund = market.to("approved.payable", amount=10_000)

    def change(body: dict[str, Json]) -> None:
        body["patch"]["approved"] += 1
        body["patch"]["approval"]["amount"] += 1

    return "AMOUNT", lambda log: log.change(refund, seq_of(log, refund, "approve"), change)


def more_than_captured(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """More is claimed than the line has."""
    refund = market.to("under_review.reviewing", amount=10_000)

    def change(body: dict[str, Json]) -> None:
        body["params"]["amount"] = body["patch"]["claimed"] = body["patch"]["reserved"] = 90_000_000
        body["ledger"] = {"reserved": 90_000_000}

    return "NOT_COVERED", lambda log: log.change(refund, 1, change)


def ledger_off(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An entry that moves another amount in the ledger than in its refund."""
    refund = market.to("approved.paying")
    seq = "dispatch_payout"
    return "LEDGER", lambda log: log.change(refund, seq_of(log, refund, seq), put("ledger/in_flight", 1))


def paid_twice(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """One number is told as paid twice."""
    refund = market.to("paid_out.settled")
    attempt = market.get(refund).attempts[0]
    told: dict[str, Any] = {
        "number": attempt.number,
        "amount": attempt.amount_minor,
        "currency": "CNY",
        "proof": "slip-2",
    }
    market.act(refund, "note", LI, message="Paid once.")

    def forge(log: Log) -> Log:
        def change(body: dict[str, Json]) -> None:
            body |= {"event": "payout_settled", "params": told | {"as": "stray"}, "texts": {}}
            body["actor"] = {"role": "channel", "name": "fake"}

        return log.change(refund, seq_of(log, refund, "note"), change)

    return "PAYOUT", forge


def illegal_move(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An approval of what nobody took into review."""
    refund = market.to("approved.payable")

    def forge(log: Log) -> Log:
        log = without(log, refund, "begin_review")
        return log.change(refund, seq_of(log, refund, "approve"), put("from", "submitted"))

    return "ILLEGAL_MOVE", forge


def fact_changes_state(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A note that moves the refund."""
    refund = market.to("under_review.reviewing")
    market.act(refund, "note", LI, message="Nothing to see.")

    def change(body: dict[str, Json]) -> None:
        body["patch"] = {"state": "approved.payable"}
        body["to"] = "approved.payable"

    return "ILLEGAL_MOVE", lambda log: log.change(refund, seq_of(log, refund, "note"), change)


def refusal_changes(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A refusal that changes something."""
    refund = market.to("submitted")
    with pytest.raises(Exception, match="WRONG_STATE"):
        market.act(refund, "approve", LI)
    return "REFUSED", lambda log: log.change(refund, seq_of(log, refund, "approve"), put("patch", {"approved": 5}))


def wrong_length(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Evidence is asked for with an hour less than the policy gives."""
    refund = market.to("awaiting_evidence")

    def change(body: dict[str, Json]) -> None:
        item = body["patch"]["deadlines"]["evidence"]
        item["due_at"] = times.text(times.moment(item["due_at"]) - timedelta(hours=1))

    return "DEADLINE", lambda log: log.change(refund, seq_of(log, refund, "request_evidence"), change)


def wrong_working_day(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A review whose last day is taken for one that is not worked."""
    refund = market.to("submitted")

    def change(body: dict[str, Json]) -> None:
        item = body["patch"]["deadlines"]["review"]
        item["due_at"] = times.text(times.moment(item["due_at"]) + timedelta(days=1))

    return "DEADLINE", lambda log: log.change(refund, 1, change)


def clock_not_stopped(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """Working days that went on while the buyer was asked."""
    refund = market.to("awaiting_evidence")
    change = put("patch/left", {"review": 0})
    return "DEADLINE", lambda log: log.change(refund, seq_of(log, refund, "request_evidence"), change)


def too_long_extension(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A deadline extended by more days than the policy allows."""
    refund = market.to("awaiting_evidence")
    market.act(refund, "extend", CHEN, days=7, message="The buyer is ill.")

    def change(body: dict[str, Json]) -> None:
        item = body["patch"]["deadlines"]["evidence"]
        item["due_at"] = times.text(times.moment(item["due_at"]) + timedelta(days=1))
        item["rule"] = item["rule"].replace("7 days", "8 days")
        body["params"]["days"] = 8

    return "DEADLINE", lambda log: log.change(refund, seq_of(log, refund, "extend"), change)


def back_dated(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A note that says that it was written a week before."""
    refund = market.to("under_review.reviewing")
    market.later(hours=3)
    market.submit()
    market.act(refund, "note", LI, message="As promised.")

    def change(body: dict[str, Json]) -> None:
        moved(body, timedelta(hours=-2))

    return "BACK_DATED", lambda log: log.change(refund, seq_of(log, refund, "note"), change)


def effective_before_recorded(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An act in time, recorded when it was too late."""
    refund = market.to("rejected.appealable")
    market.later(days=1)
    market.act(refund, "appeal", BUYER, message="The code was never sent to me.")
    market.later(days=9)

    def change(body: dict[str, Json]) -> None:
        body["recorded_at"] = times.text(market.now)

    return "BACK_DATED", lambda log: log.change(refund, seq_of(log, refund, "appeal"), change)


def rejection_left_out(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A claim after its window that was not rejected at once."""
    order = market.order()
    market.later(days=20)
    refund = market.submit(order).id
    return "MISSING", lambda log: without(log, refund, "auto_reject")


def first_kept(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A first approval that outlives the state in which it was given."""
    refund = large(market)
    market.act(refund, "approve", LI)
    market.act(refund, "request_evidence", LI, kinds=["screenshot"], message="Please show it.")
    return "MISSING", lambda log: without(log, refund, "first_fell")


def second_claim(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A claim beside one that is in progress."""
    order = market.order()
    refund = market.submit(order, amount=1_000).id
    market.act(refund, "withdraw", BUYER)
    market.submit(order, amount=1_000)
    return "IN_PROGRESS", lambda log: without(log, refund, "withdraw")


def approved_under_chargeback(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An approval while the buyer's bank takes the money back."""
    refund = market.to("under_review.reviewing", amount=1_000)
    order = market.get(refund).order_id
    told: dict[str, Any] = {"chargeback": "c1", "amount": 1_000, "at": market.now}
    market.refunds.chargeback_opened(order, actor=QIAN, **told)
    market.refunds.chargeback_closed(order, actor=QIAN, outcome="won", **told)
    market.act(refund, "approve", LI)

    def forge(log: Log) -> Log:
        return without(without(log, refund, "chargeback_closed"), f"{order}/1", "chargeback_closed")

    return "CHARGEBACK", forge


def used_goods(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """The whole is approved for goods that were used meanwhile."""
    refund = market.to("under_review.reviewing", reason="WRONG_PRODUCT")
    order = market.get(refund).order_id
    market.refunds.record_usage(order, usage="unknown", actor=SHOP, at=market.now)
    market.act(refund, "approve", LI)

    def change(body: dict[str, Json]) -> None:
        body["params"]["usage"] = body["patch"]["usage"] = "used"

    return "NOT_ELIGIBLE", lambda log: log.change(f"{order}/1", seq_of(log, f"{order}/1", "usage_recorded"), change)


def own_offer(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """An agent accepts what he offered himself."""
    refund = market.to("under_review.negotiating")
    market.act(refund, "accept_offer", BUYER)

    def change(body: dict[str, Json]) -> None:
        body["actor"] = {"role": "agent", "name": "li"}

    return "OFFER", lambda log: log.change(refund, seq_of(log, refund, "accept_offer"), change)


def evidence_of_another(market: Market) -> tuple[str, Callable[[Log], Log]]:
    """A refund that is said to be of another buyer."""
    refund = market.to("submitted")
    return "DOCUMENT", lambda log: log.change(refund, 1, put("patch/buyer", "somebody-else"))


STORIES = [
    late_appeal, early_lapse, skipped_lapse, one_person_twice, one_person_alone, other_terms, finance_alone,
    reviewer_decides_appeal, claimant_decides, wrong_role, system_approves_large, amount_above_claim,
    more_than_captured, ledger_off, paid_twice, illegal_move, fact_changes_state, refusal_changes, wrong_length,
    wrong_working_day, clock_not_stopped, too_long_extension, back_dated, effective_before_recorded,
    rejection_left_out, first_kept, second_claim, approved_under_chargeback, used_goods, own_offer,
    evidence_of_another,
]  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_whole_history_forged_with_the_right_key_is_found(
    story: Callable[[Market], tuple[str, Callable[[Log], Log]]], market: Market, tmp_path: Path
) -> None:
    """The true history is silent; with one rule broken and everything sealed anew the rule is named."""
    code, forge = story(market)
    log = log_of(market.refunds)
    assert findings(log, tmp_path) == []

    found = findings(forge(log).sealed(), tmp_path)

    assert code in {finding.code for finding in found}, [str(finding) for finding in found]
    assert not {"HASH", "CHAIN", "ROOT", "SIGNATURE", "COLUMN", "FILE"} & {finding.code for finding in found}


# true exports


def vkey_of(refunds: Refunds) -> str:
    """Return the key that signs now."""
    return refunds.keys()[-1].vkey


@pytest.fixture
def signed(databases: Databases, tmp_path: Path) -> Iterator[Market]:
    """Open a rehearsal that signs, with refunds in every state."""
    market = Market(databases.copy_of("rehearsal", prepare_rehearsal), signing_key=tmp_path / "key")
    market.refunds.key_create(actor=CHEN, at=market.now)
    for state in WAY:
        market.to(state)
        market.later(hours=1)
    yield market
    market.close()


def test_a_signed_export_of_every_form_is_silent(signed: Market, tmp_path: Path) -> None:
    """A folder with all forms, and a file by itself, verify with nothing but the public key."""
    for forms, path in ((["csv", "xes", "ocel"], f"{tmp_path}/all/"), (["jsonl"], f"{tmp_path}/one.jsonl")):
        signed.refunds.export(format=forms, output=path, actor=WU)

        report = verifier.verify(Path(path), [vkey_of(signed.refunds)])

        assert report.findings == [] and report.limits == []


@pytest.mark.parametrize(
    "chosen", [{"states": ("rejected",)}, {"since_size": 30}, {"refunds": ("A3-1-1",)}, {"products": ("membership",)}]
)
def test_a_filtered_export_is_silent_and_says_what_it_cannot_show(
    chosen: dict[str, Any], signed: Market, tmp_path: Path
) -> None:
    """What a filter leaves out is bound by the hashes of the tree; what needs all of a line is named, not judged."""
    path = tmp_path / "some.jsonl"
    signed.refunds.export(format="jsonl", output=str(path), actor=WU, filters=ExportFilters(**chosen))

    report = verifier.verify(path, [vkey_of(signed.refunds)])

    assert report.findings == [] and any("filtered" in limit for limit in report.limits)


def test_the_demo_is_silent(databases: Databases, tmp_path: Path) -> None:
    """Every event, lapse and branch of a month is judged without a false alarm."""
    with Refunds.connect(databases.copy_of("demo", prepare)) as refunds:
        assert findings(log_of(refunds), tmp_path) == []


def test_a_live_database_is_silent_and_an_unregistered_hand_is_found(live: Market, tmp_path: Path) -> None:
    """In a live database staff acts only while it is registered in its role."""
    refund = live.to("under_review.reviewing")
    live.act(refund, "approve", LI)
    log = log_of(live.refunds)
    assert findings(log, tmp_path) == []

    log.change(refund, seq_of(log, refund, "approve"), by("nobody")).sealed()

    assert "ROLE" in {finding.code for finding in findings(log, tmp_path)}


def test_rules_that_were_exchanged_are_found(market: Market, tmp_path: Path) -> None:
    """A policy, a calendar or a chart that is not what its version names is no rule to judge by."""
    market.to("awaiting_evidence")
    log = log_of(market.refunds)
    version, text = next(iter(log.policies.items()))
    policy = {version: text.replace('"evidence_hours":48', '"evidence_hours":47')}
    calendar = json.loads(log.calendars[0]["content"])
    days = json.dumps({**calendar, "holidays": calendar["holidays"][1:]})
    moves = chart()
    moves["rows"] = [*moves["rows"], {"event": "approve", "from": "submitted", "to": "approved.payable", "guards": []}]

    for code, change in (
        ("POLICY", {"policies": policy}),
        ("CALENDAR", {"calendars": [log.calendars[0] | {"content": days}]}),
        ("CHART", {"charts": {"refund/1": moves}}),
    ):
        assert code in {finding.code for finding in findings(log, tmp_path, **change)}


def test_the_verifier_needs_nothing_but_its_own_file(signed: Market, tmp_path: Path) -> None:
    """Copied to another place and run by itself it tells what it found, by text, by JSON and by exit status."""
    copy = tmp_path / "auditor" / "verifier.py"
    copy.parent.mkdir()
    copy.write_bytes(Path(verifier.__file__).read_bytes())
    signed.refunds.export(format="jsonl", output=str(tmp_path / "one.jsonl"), actor=WU)
    command = [sys.executable, "-I", str(copy), str(tmp_path / "one.jsonl")]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], capture_output=True, text=True, check=False, cwd=copy.parent)

    key = vkey_of(signed.refunds)
    assert run("--key", key).returncode == 0
    assert run().returncode == 2 and "--key" in run().stderr
    (tmp_path / "one.jsonl").write_bytes((tmp_path / "one.jsonl").read_bytes().replace(b"agent", b"agenT", 1))
    told = run("--key", key, "--json")
    assert told.returncode == 8 and json.loads(told.stdout)["findings"][0]["code"] == "FILE"


def test_the_verifier_is_small_and_alone() -> None:
    """One file of at most 900 lines that imports the standard library and `cryptography`, and nothing of ours."""
    source = Path(verifier.__file__).read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    named = [node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports]
    imported = {name.partition(".")[0] for name in named}

    assert len(source.splitlines()) <= 900
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


@pytest.mark.slow
def test_a_rehearsal_of_real_complaints_is_silent(shared: Path, sqlite_url: str, tmp_path: Path) -> None:
    """Thousands of real complaints, played through every deadline, are judged without a false alarm."""
    rehearse_file(sqlite_url, shared / "data" / "complaints.csv")
    path = tmp_path / "entries.jsonl"
    with Refunds.connect(sqlite_url) as refunds:
        exported = refunds.export(format="jsonl", output=str(path), actor=WU)

    report = verifier.verify(path)

    assert report.findings == [] and report.facts["entries"] == exported.entries > 10_000


def changed(value: Json) -> Json:
    """Return another value of the same kind."""
    if isinstance(value, str):
        at_a_time = len(value) == 27 and value.endswith("Z")
        return times.text(times.moment(value) + timedelta(seconds=1)) if at_a_time else f"{value}x"
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else [*value, "x"]


def judged(patch: dict[str, Json], way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to every value of a patch that is judged to the letter."""
    for key, value in patch.items():
        if not way and key not in verifier.JUDGED:
            continue
        if isinstance(value, dict):
            yield from judged(value, (*way, key))
        elif key != "warn_at" and value is not None and (way[:1] != ("attempts",) or key in verifier.ATTEMPT):
            yield (*way, key)


def test_every_judged_value_is_held_to_the_letter(tmp_path: Path) -> None:
    """Whatever value of state, time, money, person or payout an entry tells otherwise, sealed anew, is found."""
    log, missed, tries = story(), [], 0
    for row in [row for row in log.rows if "/" not in row["subject"] and "-" in row["subject"]]:
        for way in judged(json.loads(row["body"])["patch"]):
            tries += 1
            forged = copy.deepcopy(log)

            def change(body: dict[str, Json], way: tuple[str, ...] = way) -> None:
                place = body["patch"]
                for name in way[:-1]:
                    place = place[name]
                place[way[-1]] = changed(place[way[-1]])

            forged.change(row["subject"], row["seq"], change).sealed()
            missed += [] if findings(forged, tmp_path) else [(row["subject"], row["seq"], way)]

    assert missed == [] and tries > 80
