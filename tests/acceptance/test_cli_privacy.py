"""The commands about personal data: what is asked before, what is printed, what is written."""

import json

from tests.acceptance.desk import Desk

LATER = "--at 2026-03-03T10:00:00+08:00"


def claimed(desk: Desk) -> None:
    """Leave one refund with a note, withdrawn."""
    desk.text("submit A1 --reason CODE_INVALID --note 'It fails.' --as buyer:b-17")
    desk.text("withdraw A1-1-1 --as buyer:b-17")


def test_erasing_asks_or_is_told_yes(both_desks: Desk) -> None:
    """Where nobody can be asked --yes is needed; then it is done, once."""
    claimed(both_desks)
    command = "privacy erase b-17 --reason 'request 7' --as supervisor:zhao"
    asked = both_desks.refused(command, 2)
    done = both_desks.run(f"{command} --yes")

    assert "--yes" in asked["message"]
    assert done.exit_code == 0 and "backups" in done.stderr
    assert "buyer\t(erased)" in both_desks.text("show A1-1-1 --as agent:li")
    assert "note: (erased)" in both_desks.text("history A1-1-1 --as agent:li")
    assert both_desks.refused(f"{command} --yes", 5)["code"] == "NOT_FOUND"
    assert both_desks.json("audit verify")["ok"]


def test_erasing_needs_a_reason_and_a_supervisor(desk: Desk) -> None:
    """Without a reason it is a usage error, by anybody else a role that may not."""
    desk.refused("privacy erase b-17 --yes --as supervisor:zhao", 2)
    desk.refused("privacy erase b-17 --yes --reason 'request of b-17' --as supervisor:zhao", 2)
    desk.refused("privacy erase b-17 --yes --reason r --as agent:li", 4)
    desk.refused("privacy show b-17 --as agent:li", 4)


def test_an_open_refund_is_named(desk: Desk) -> None:
    """What is open is told with its state, and nothing is erased."""
    desk.text("submit A1 --reason CODE_INVALID --as buyer:b-17")
    refusal = desk.refused("privacy erase b-17 --yes --reason r --as supervisor:zhao", 3)

    assert refusal["blockers"][0]["code"] == "REFUND_IN_PROGRESS" and refusal["blockers"][0]["refund"] == "A1-1-1"
    assert "buyer\tb-17" in desk.text("show A1-1-1 --as agent:li")


def test_what_is_kept_goes_to_a_file(desk: Desk) -> None:
    """The file holds every text in clear, for nobody else to read; the command says where it is."""
    claimed(desk)
    path = desk.folder / "b-17.json"
    shown = desk.text(f"privacy show b-17 --output {path} --as supervisor:zhao")
    kept = json.loads(path.read_text(encoding="utf-8"))

    assert "It fails." not in shown and "It fails." in [item["text"] for item in kept["texts"]]
    assert {item["order_id"] for item in kept["orders"]} == {"A1", "A2"}
    assert path.stat().st_mode & 0o077 == 0
    assert "It fails." in desk.text("privacy show b-17 --as supervisor:zhao")
