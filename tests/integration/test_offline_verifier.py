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
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from refundflow import verifier
from refundflow.rehearsal import rehearse_file
from refundflow.service import Refunds
from refundflow.values import ExportFilters
from states import times
from tests.integration.test_demo import prepare
from tests.support import forged_guards, forgeries
from tests.support.databases import Databases
from tests.support.forgeries import by, seq_of
from tests.support.market import (
    AMOUNT,
    BUYER,
    CHEN,
    LI,
    QIAN,
    SHOP,
    SUN,
    WAY,
    WU,
    Market,
    a_file,
    prepare_rehearsal,
)
from tests.support.packages import Log, chart, log_of
from tests.support.tampering import story

Json = Any


def findings(log: Log, folder: Path, **how: Any) -> list[verifier.Finding]:
    """Write a log as an export, verify it with its key, and return what is wrong."""
    return verifier.verify(log.write(folder / "entries.jsonl", **how), [log.signer.vkey]).findings


@pytest.mark.parametrize("story", [*forgeries.STORIES, *forged_guards.STORIES], ids=lambda story: story.__name__)
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

        assert report.findings == []
        assert [limit.partition(":")[0] for limit in report.limits] == ["it is a rehearsal"]


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


def test_the_same_file_again_is_an_answer(market: Market, tmp_path: Path) -> None:
    """A request is answered by a file that lay there before: no entry names it again, and nobody is accused."""
    refund = market.submit(evidence=[a_file()]).id
    market.act(refund, "begin_review", LI)
    market.act(refund, "request_evidence", LI, kinds=["screenshot"], message="Please show it.")
    market.act(refund, "provide_evidence", BUYER, evidence=[a_file()])

    assert findings(log_of(market.refunds), tmp_path) == []


def test_an_enquiry_that_a_revocation_overtakes_is_answered(market: Market, tmp_path: Path) -> None:
    """The system answers it in the state that follows; that is no illegal move."""
    refund = market.to("approved.payable")
    market.later(hours=25)
    market.act(refund, "raise_enquiry", BUYER)
    market.act(refund, "revoke_approval", CHEN, message="The code was used.")

    assert findings(log_of(market.refunds), tmp_path) == []


@pytest.mark.parametrize("how", ["returned", "written_off"])
def test_a_payment_that_comes_back_after_its_excess_was_resolved_is_no_forgery(
    market: Market, tmp_path: Path, how: str
) -> None:
    """What came back is reserved again, on a line that does not have it any more: a fact from outside raises excess."""
    refund = market.get(market.to("paid_out.settled"))
    order, number = refund.order_id, refund.attempts[0].number
    market.refunds.record_captured(order, amount=0, actor=SHOP, at=market.at)
    for who in (QIAN, SUN):
        market.refunds.excess_resolved(order, amount=AMOUNT, how=how, proof="minutes", actor=who, at=market.at)
    back = {"number": number, "amount": AMOUNT, "currency": "CNY", "proof": "the bank's book"}
    market.act(refund.id, "payout_reversed", QIAN, **back)
    assert market.line(order).excess_minor == AMOUNT

    assert findings(log_of(market.refunds), tmp_path) == []


def test_a_live_database_is_silent_and_an_unregistered_hand_is_found(live: Market, tmp_path: Path) -> None:
    """In a live database staff acts only while it is registered in its role."""
    refund = live.to("under_review.reviewing")
    live.act(refund, "approve", LI)
    log = log_of(live.refunds)
    assert findings(log, tmp_path) == []

    log.change(refund, seq_of(log, refund, "approve"), by("nobody")).sealed()

    assert "ROLE" in {finding.code for finding in findings(log, tmp_path)}


def test_a_live_history_without_its_register_of_staff_is_found(live: Market, tmp_path: Path) -> None:
    """Who leaves out the whole register does not make everybody staff."""
    live.to("under_review.reviewing")
    log = log_of(live.refunds)
    log.rows = [row for row in log.rows if row["subject"] != "staff"]

    assert "ROLE" in {finding.code for finding in findings(log.sealed(), tmp_path)}


def test_a_value_that_is_named_twice_is_found(market: Market, tmp_path: Path) -> None:
    """A body that one reader reads in one way and another in another is no entry."""
    market.to("submitted")
    log = log_of(market.refunds).sealed()
    row = log.rows[-1]
    row["body"] = row["body"].replace('"event":', '"event":"approve","event":', 1)
    row["hash"] = sha256(row["body"].encode()).hexdigest()

    assert "ROW" in {finding.code for finding in findings(log, tmp_path)}


@pytest.mark.parametrize("name", ["nested", "billions", "twice", "bytes", "days", "number"])
def test_what_would_burst_the_verifier_is_unreadable_or_found(
    name: str, market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever an export claims or holds, the answer is one of the three that are written down, at once."""
    market.to("awaiting_evidence")
    log = log_of(market.refunds)
    path = log.write(tmp_path / "entries.jsonl")
    manifest = path.with_name("entries.jsonl.manifest")
    match name:
        case "nested":
            path.write_text("[" * 200_000 + "\n", "utf-8")
        case "billions":
            log.write(path, pruned=[[10**13, 1, "00"]], entries=10**30)
        case "twice":
            manifest.write_text(manifest.read_text("utf-8").replace('{"as_of"', '{"whole":false,"as_of"'), "utf-8")
        case "bytes":
            manifest.write_bytes(b"\xff" + manifest.read_bytes())
        case "days":
            version, text = next(iter(log.policies.items()))
            many = text.replace('"evidence_hours":48', f'"evidence_hours":{10**15}')
            log.write(path, policies={version: many})
        case "number":
            path.write_text(path.read_text("utf-8").replace('"seq":1', '"seq":1' + "0" * 5_000, 1), "utf-8")

    status = verifier.main([str(path), "--key", log.signer.vkey])

    assert status in (2, 8)
    capsys.readouterr()


def test_a_checkpoint_that_is_no_text_is_unreadable(market: Market, tmp_path: Path) -> None:
    """Bytes in the place of a note that the auditor holds end with status 2."""
    log = log_of(market.refunds)
    path = log.write(tmp_path / "entries.jsonl")
    (tmp_path / "note").write_bytes(b"\xff\xfe")

    assert verifier.main([str(path), "--key", log.signer.vkey, "--checkpoint", str(tmp_path / "note")]) == 2


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
