"""Exit statuses and errors: every status of the documentation, the same facts in words and as JSON."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from tests.acceptance.desk import Desk


def test_0_a_second_call_with_the_same_key_gives_the_first_answer(desk: Desk) -> None:
    """The same call with the same key is done already: the first answer comes again and nothing is added."""
    command = "submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17 --key order-A1"
    first = desk.json(command)

    again = desk.json(command)

    assert again == first
    assert len(desk.json("history A1-1-1 --as agent:li")) == 1


def test_1_a_database_that_was_not_made_ready(empty_desk: Desk) -> None:
    """Without `init` every command fails, and says what to do."""
    assert empty_desk.refused("show A1-1-1 --as agent:li", 1)["code"] == "NOT_INITIALISED"
    assert "refundflow init" in empty_desk.run("show A1-1-1 --as agent:li").stderr


@pytest.mark.parametrize(
    ("command", "code", "word"),
    [
        ("approve", "USAGE", "ID"),
        ("approve A1-1-1 --as agent:li --colour red", "USAGE", "--colour"),
        ("no-such-command", "USAGE", "no-such-command"),
        ("offer A1-1-1 --amount ten --as agent:li", "USAGE", "--amount"),
        ("approve A1-1-1", "BAD_INPUT", "--as"),
        ("approve A1-1-1 --as li", "BAD_INPUT", "agent:NAME"),
        ("approve A1-1-1 --as clerk:li", "BAD_INPUT", "clerk"),
        ("approve A1-1-1 --as agent:li --at yesterday", "BAD_INPUT", "yesterday"),
        ("approve A1-1-1 --as agent:li --at 2026-03-04T09:00:00", "BAD_INPUT", "offset"),
        ("approve A1-1-1 --as agent:li --at 0001-01-01T00:00:00+08:00", "BAD_INPUT", "0001-01-01"),
        ("approve A1-1-1 --as agent:li --at 9999-12-31T23:59:59+00:00", "BAD_INPUT", "at:"),
        ("submit A/1/2 --reason OTHER --as buyer:b-17", "BAD_INPUT", "ORDER"),
        ("add-evidence A1-1-1 --evidence screenshot --as buyer:b-17", "BAD_INPUT", "KIND=FILE"),
        ("add-evidence A1-1-1 --evidence screenshot=nowhere.png --as buyer:b-17", "BAD_INPUT", "nowhere.png"),
        ("list --state lost --as agent:li", "BAD_INPUT", "lost"),
        ("queue --turn nobody --as agent:li", "BAD_INPUT", "finance"),
        ("show A1-1-1 --as agent:li --at 2026-03-01T00:00:00+08:00", "BAD_INPUT", "2026-03-03T09:00:00+08:00"),
        ("init", "BAD_INPUT", "rehearsal"),
    ],
)
def test_2_usage(desk: Desk, command: str, code: str, word: str) -> None:
    """What cannot be read is refused by naming it, and changes nothing."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    error = desk.refused(command, 2)

    assert error["code"] == code
    assert word in error["message"]
    assert len(desk.json("history A1-1-1 --as agent:li")) == 1


@pytest.mark.parametrize("url", ["mysql://db/refunds", "refunds.db", "sqlite://"])
def test_2_a_database_that_is_not_supported(desk: Desk, url: str) -> None:
    """A wrong setting is refused by its name."""
    desk.url = url

    assert desk.refused("show A1-1-1 --as agent:li", 2)["field"] == "REFUNDFLOW_DATABASE_URL"


def test_3_a_refusal_says_every_blocker_and_what_is_possible(desk: Desk) -> None:
    """A refused claim names every blocker at once; a refused event names the events possible instead."""
    claim = desk.refused("submit A4 --reason WRONG_FACE_VALUE --amount 9000 --as buyer:b-18", 3)
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    event = desk.refused("approve A1-1-1 --as agent:li", 3)

    assert [item["code"] for item in claim["blockers"]] == ["ALREADY_CONSUMED", "AMOUNT_EXCEEDS_LEFT"]
    assert (event["code"], event["blockers"][0]["state"]) == ("WRONG_STATE", "submitted")
    assert "begin_review" in event["possible"]


def test_3_a_refusal_in_words_says_until_when(desk: Desk) -> None:
    """A person reads every blocker, until when it blocks in the policy's zone, and the commands possible instead."""
    desk.text("submit A5 --reason WRONG_FACE_VALUE --as buyer:b-19")

    claim = desk.run("submit A5 --reason WRONG_PRODUCT --as buyer:b-19")
    event = desk.run("approve A5-1-1 --as agent:li")

    assert claim.exit_code == 3
    assert "(REFUND_IN_PROGRESS)" in claim.stderr
    assert "until Sat 7 Mar 2026 00:00" in claim.stderr
    assert "possible instead: " in event.stderr and "add-evidence" in event.stderr


def test_4_a_role_that_may_not_do_it(desk: Desk) -> None:
    """A buyer approves nothing, and nobody acts as the system."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    assert desk.refused("approve A1-1-1 --as buyer:b-17", 4)["code"] == "ROLE_NOT_ALLOWED"
    assert desk.refused("approve A1-1-1 --as system:me", 4)["code"] == "ROLE_NOT_ALLOWED"
    assert desk.refused("dispatch-payout A1-1-1 --as finance:chen", 4)["code"] == "ROLE_NOT_ALLOWED"


def test_4_in_a_live_database_a_person_must_be_registered(empty_desk: Desk) -> None:
    """Without an entry in the register nobody acts as staff; the first supervisor registers himself."""
    desk = empty_desk
    desk.text("init")
    assert desk.refused("queue --as agent:li", 4)["code"] == "NOT_REGISTERED"
    desk.text("staff add zhao --role supervisor --as supervisor:zhao")
    desk.text("staff add li --role agent --as supervisor:zhao")

    assert desk.json("queue --as agent:li") == []
    desk.text("staff disable li --as supervisor:zhao")
    assert desk.refused("queue --as agent:li", 4)["code"] == "NOT_REGISTERED"
    assert desk.text("staff list").splitlines() == ["li\tagent\tdisabled", "zhao\tsupervisor\tactive"]


def test_5_what_is_not_there_and_what_is_not_yours_is_told_alike(desk: Desk) -> None:
    """A refund of another buyer is as unknown as one that does not exist."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    other = desk.refused("show A1-1-1 --as buyer:b-18", 5)
    none = desk.refused("show A9-1-1 --as buyer:b-18", 5)

    assert other["message"].replace("A1-1-1", "X") == none["message"].replace("A9-1-1", "X")


@pytest.mark.parametrize("command", ["show A1", "show A1/1", "history A1", "approve A1"])
def test_5_a_name_that_no_refund_can_have_is_told_how_one_is_named(desk: Desk, command: str) -> None:
    """Who types the order where the refund is meant learns how refunds and lines are named."""
    error = desk.refused(f"{command} --as agent:li", 5)

    assert error["what"] == command.split()[1] and "ORDER-LINE-NUMBER" in error["message"]


def test_2_a_policy_that_is_not_there_is_told_in_words(desk: Desk) -> None:
    """The file and why, no number of an error."""
    desk.env["REFUNDFLOW_POLICY"] = "nowhere.toml"

    message = desk.refused("queue --as agent:li", 2)["message"]
    assert "nowhere.toml cannot be read: No such file or directory" in message


def test_8_a_changed_entry_is_found(desk: Desk) -> None:
    """Whoever changes an entry behind the triggers is found by verification, with the place named."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    forger = sqlite3.connect(desk.url.removeprefix("sqlite:///"))
    triggers = forger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in triggers:
        forger.execute(f"DROP TRIGGER {name}")
    forger.execute("UPDATE transitions SET body = replace(body, '10000', '90000') WHERE subject = 'A1-1-1'")
    forger.commit()
    forger.close()

    result = desk.run("audit verify")

    assert result.exit_code == 8
    assert "PROOF_FAILED: A1-1-1#1" in result.stderr


def _heeds_the_keyboard() -> None:
    """Undo what a shell does to what it runs in the background: there Ctrl-C is ignored, and children inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_130_an_interruption_from_the_keyboard(desk: Desk) -> None:
    """Ctrl-C ends a command quietly with its own status."""
    pipe = desk.folder / "orders.pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "refundflow", "orders", "import", str(pipe), "--as", "service:shop"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "REFUNDFLOW_DATABASE_URL": desk.url},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heeds_the_keyboard,
    )
    with pipe.open("w"):  # waits until the command reads
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_reader_that_goes_away_is_no_traceback(desk: Desk) -> None:
    """A pipe that is closed early ends the command quietly."""
    command = f"{sys.executable} -m refundflow calendar show | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.startswith("version\t")
    assert done.stderr == ""


def test_1_what_nobody_foresaw_is_one_line(desk: Desk) -> None:
    """An unforeseen failure is said in one line; where it happened is shown to who asks for it."""
    desk.url = f"sqlite:///{desk.file('text.db', 'no database at all, but text that is long enough to be read')}"

    plain = desk.run("show A1-1-1 --as agent:li")
    desk.env["REFUNDFLOW_TRACEBACK"] = "1"
    asked = desk.run("show A1-1-1 --as agent:li")

    assert plain.exit_code in (1, 2)
    assert "Traceback" not in plain.stderr
    assert plain.exit_code == asked.exit_code
