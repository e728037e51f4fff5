"""The documented keys of every JSON document that a command prints, against golden files.

Run with ``UPDATE_GOLDEN=1`` to write the golden files anew after a change that is meant.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.desk import Desk
from tests.support.past import a_past_case, write_jsonl

GOLDEN = Path(__file__).parents[1] / "golden" / "json"
# Objects that are keyed by what callers name: ids, codes, events.
FREE = ("blocked", "chargebacks", "deadlines", "params", "texts", "ledger", "money", "content")


def keys(value: Any, name: str = "") -> Any:
    """Return the shape of a document: its keys, and the shape of the first item of each list."""
    if isinstance(value, dict) and name not in FREE:
        return {key: keys(item, key) for key, item in sorted(value.items())}
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        return [keys(value[0])]
    return "…"


def same_keys(name: str, document: Any) -> None:
    """Compare the shape of a document with its golden file."""
    path = GOLDEN / f"{name}.json"
    shape = json.dumps(keys(document), ensure_ascii=False, indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shape, encoding="utf-8")
    assert shape == path.read_text(encoding="utf-8")


@pytest.fixture
def told(desk: Desk) -> Desk:
    """Give a desk with one refund that has evidence, offers, a payout and firsts behind it."""
    shot = desk.file("shot.txt", "broken")
    desk.text(f"submit A3 --reason CANNOT_LOG_IN --evidence screenshot={shot} --note 'It fails.' --as buyer:b-18")
    desk.text("begin-review A3-1-1 --as agent:li")
    desk.text("offer A3-1-1 --amount 15000 --compensation 100 --message 'Half.' --as agent:li")
    desk.text("accept-offer A3-1-1 --offer 1 --as buyer:b-18")
    desk.text("worker --once --at 2026-03-03T09:01:00+08:00")
    return desk


def test_a_refund(told: Desk) -> None:
    """A refund has the documented keys, wherever it is printed."""
    shown = told.json("show A3-1-1 --as agent:li")

    same_keys("refund", shown)
    assert told.json("confirm-receipt A3-1-1 --as buyer:b-18").keys() == shown.keys()
    needed = {
        "id", "order_id", "line", "phase", "state", "reason", "currency", "claimed_minor", "approved_minor", "deadline",
        "seq", "allowed",
    }  # fmt: skip
    assert needed <= shown.keys()
    assert {"name", "due_at", "event"} <= shown["deadline"].keys()


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("history", "history A3-1-1 --as auditor:sun"),
        ("history_line", "history A3/1 --as auditor:sun"),
        ("list", "list --as agent:li"),
        ("queue", "queue --as agent:li"),
        ("explain", "explain A3-1-1 --as agent:li"),
        ("check", "check A1 --reason OTHER --as buyer:b-17"),
        ("line", "record-usage A1 --usage unused --as service:shop"),
        ("staff", "staff add li --role agent --as supervisor:zhao"),
        ("verification", "audit verify"),
        ("replay", "audit replay"),
        ("personal_data", "privacy show b-18 --as supervisor:zhao"),
        ("line", "line A1 --as finance:qian"),
        ("work", "worker --once"),
        ("chart", "chart"),
        ("policy", "policy show"),
        ("calendar", "calendar show --year 2026"),
    ],
)
def test_every_other_document(told: Desk, name: str, command: str) -> None:
    """Every document that a command prints has the documented keys."""
    same_keys(name, told.json(command))


def test_an_import_of_history(told: Desk) -> None:
    """An import of history tells what became of the cases."""
    path = write_jsonl(told.folder / "cases.jsonl", [a_past_case()])
    same_keys("history_import", told.json(f"history import {path} --as service:shop"))


def test_an_erasure(told: Desk) -> None:
    """An erasure tells what it did."""
    command = "privacy erase b-19 --reason 'request 7' --yes --as supervisor:zhao"
    same_keys("erasure", told.json(command))


def test_errors(told: Desk) -> None:
    """Every error has code, message, blockers and possible; each blocker its code and until."""
    refusal = told.refused("approve A3-1-1 --as agent:li", 3)
    missing = told.refused("show A9-1-1 --as agent:li", 5)
    usage = told.refused("show", 2)

    same_keys("refusal", refusal)
    for error in (refusal, missing, usage):
        assert {"code", "message", "blockers", "possible"} <= error.keys()
    assert all({"code", "until"} <= blocker.keys() for blocker in refusal["blockers"])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk"])
def test_a_document_is_json_in_every_locale(desk: Desk, encoding: str) -> None:
    """Where a terminal or a pipe has another encoding, what it cannot write is escaped as JSON does."""
    note = "café 😀 价格"
    desk.text(f"submit A1 --reason OTHER --note '{note}' --as buyer:b-17")
    environment = {**os.environ, "REFUNDFLOW_DATABASE_URL": desk.url, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "refundflow"]
    told = subprocess.run(
        [*command, "history", "A1-1-1", "--as", "agent:li", "--json"], capture_output=True, env=environment, check=True
    )
    error = subprocess.run(
        [*command, "show", "é😀", "--as", "agent:li", "--json"], capture_output=True, env=environment
    )

    assert json.loads(told.stdout)[0]["texts"] == {"note": note}
    assert json.loads(error.stderr)["what"] == "é😀"


def test_an_export_tells_what_it_wrote(told: Desk) -> None:
    """An export writes every entry, and says how many, where, and what binds them."""
    path = told.folder / "entries.jsonl"

    written = told.json(f"audit export --format jsonl --output {path} --as auditor:sun")

    assert written["entries"] == written["size"] == len(path.read_text(encoding="utf-8").splitlines()) > 0
    assert written.keys() == {"entries", "format", "output", "files", "manifest", "size", "signed", "resumed"}
    assert (written["format"], written["output"], written["files"]) == ("jsonl", str(path), [str(path)])
    assert (written["manifest"], written["signed"], written["resumed"]) == (f"{path}.manifest", False, False)


def test_an_export_takes_its_filters(told: Desk) -> None:
    """Filters are named in the manifest as they were given."""
    path = told.folder / "some.jsonl"
    filters = (
        "--from 2026-03-01T00:00:00Z --to 2027-01-01T00:00:00Z --since-size 0 --state withdrawn --product game_card"
        " --agent li --min-amount 1 --max-amount 9 --refund A1-1-1 --refund A2-1-1"
    )

    written = told.json(f"audit export --format jsonl --output {path} {filters} --as auditor:sun")

    assert written["entries"] == 0
    assert json.loads(Path(written["manifest"]).read_text(encoding="utf-8"))["filters"] == {
        "from": "2026-03-01T00:00:00.000000Z", "to": "2027-01-01T00:00:00.000000Z", "since_size": 0,
        "state": ["withdrawn"], "product": ["game_card"], "agent": ["li"], "min_amount": 1, "max_amount": 9,
        "refund": ["A1-1-1", "A2-1-1"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ("--product phone", "no product type 'phone': one of game_card"),
        ("--min-amount 9 --max-amount 1", "exchange them"),
        ("--from 2027-01-01T00:00:00Z --to 2026-01-01T00:00:00Z", "exchange them"),
    ],
)
def test_a_filter_that_can_choose_nothing_is_refused(told: Desk, filters: str, said: str) -> None:
    """A typing error must not look like an empty log."""
    path = told.folder / "none.csv"

    assert said in told.refused(f"audit export --format csv -o {path} {filters} --as auditor:sun", 2)["message"]
    assert not path.exists()


def test_the_chart_is_a_petri_net_too(told: Desk) -> None:
    """`chart --format pnml` prints what a folder export has as chart.pnml."""
    told.run(f"audit export --format jsonl --format xes --output {told.folder}/all/ --as auditor:sun")

    assert told.text("chart --format pnml") == (told.folder / "all" / "chart.pnml").read_text(encoding="utf-8")
