"""The commands that look at the past, and the replay that must give the present."""

import json
import sqlite3

from tests.acceptance.desk import START, Desk

LATER = "2026-03-04T09:00:00+08:00"


def test_show_line_and_export_as_of_a_moment(both_desks: Desk) -> None:
    """State and ledger are those of the moment; before the claim there is no refund and nothing reserved."""
    desk = both_desks
    desk.text(f"submit A1 --reason CODE_INVALID --as buyer:b-17 --at {LATER}")
    desk.text("withdraw A1-1-1 --as buyer:b-17 --at 2026-03-05T09:00:00+08:00")
    path = desk.folder / "past.jsonl"
    written = desk.json(f"audit export --as-of {LATER} --format jsonl --output {path} --as auditor:sun")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    assert desk.json(f"show A1-1-1 --as-of {LATER} --as agent:li")["state"] == "submitted"
    assert desk.json(f"show A1-1-1 --known-at {LATER} --as agent:li")["state"] == "submitted"
    assert desk.json("show A1-1-1 --as agent:li")["state"] == "withdrawn"
    assert desk.json(f"line A1 --as-of {LATER} --as agent:li")["reserved_minor"] == 10_000
    assert desk.json("line A1 --as agent:li")["reserved_minor"] == 0
    assert desk.refused(f"show A1-1-1 --as-of {START} --as agent:li", 5)["code"] == "NOT_FOUND"
    assert desk.refused("show A1-1-1 --as-of 2030-01-01T00:00:00Z --as agent:li", 2)["code"] == "BAD_INPUT"
    assert desk.refused("show A1-1-1 --as-of yesterday --as agent:li", 2)["code"] == "BAD_INPUT"
    assert written["rows"] == len(rows) == 7 and [row["state"] for row in rows if row["refund"]] == ["submitted"]


def test_a_replay_that_differs_names_it_and_ends_with_8(desk: Desk) -> None:
    """Every field that is stored otherwise is told with both values, in words and as JSON."""
    desk.text("submit A1 --reason CODE_INVALID --as buyer:b-17")
    assert "differences\t0" in desk.text("audit replay A1-1-1") and desk.json("audit replay A1/1")["ok"]
    with sqlite3.connect(desk.url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE refunds SET claimed = 9, document = replace(document, '\"seq\":1', '\"seq\":7')")
    database.close()
    told = desk.run("audit replay A1-1-1")
    document = desk.run("audit replay A1-1-1 --json")

    assert told.exit_code == document.exit_code == 8 and "differences\t2" in told.stdout
    assert "A1-1-1: claimed is stored as 9, the entries say 10000" in told.stderr
    differences = json.loads(document.stdout)["differences"]
    assert {item["field"]: (item["stored"], item["replayed"]) for item in differences} == {
        "claimed": (9, 10_000), "document.seq": (7, 1),
    }  # fmt: skip
    assert desk.refused("audit replay A9-1-1", 5)["code"] == "NOT_FOUND"


def test_the_past_takes_no_filters(desk: Desk) -> None:
    """What would be left out silently is refused: who asks for one state must not get all of them."""
    command = f"audit export --as-of {START} --format csv --output {desk.folder}/past.csv --as auditor:sun"

    refused = desk.refused(f"{command} --state submitted", 2)

    assert "take no filters" in refused["message"] and not (desk.folder / "past.csv").exists()
