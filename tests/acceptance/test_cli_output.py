"""What people see: rows for pipes, tables for terminals, times in the policy's zone, stored text never alive."""

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from refundflow.cli.output import clean
from tests.acceptance.desk import HEADER, ORDERS, Desk

EVIL = "\x1b[31mred\x1b[0m [bold]x[/bold]\tb\ny \u202eevil"


def on_a_terminal(
    desk: Desk, *words: str, stream: str = "stdout", other: int = subprocess.DEVNULL, columns: int = 100
) -> str:
    """Run a command whose stdout (or stderr) is a terminal, and return what appears there; the rest goes to `other`."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "REFUNDFLOW_DATABASE_URL": desk.url, "COLUMNS": str(columns), "TERM": "xterm"}
    command = [sys.executable, "-m", "refundflow", *words]
    streams = {"stdout": other, "stderr": other, stream: theirs}
    with subprocess.Popen(command, stdout=streams["stdout"], stderr=streams["stderr"], env=environment):
        os.close(theirs)
        seen = b""
        while chunk := _read(ours):
            seen += chunk
        os.close(ours)
    return seen.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed: the terminal's way to say the end
        return b""


def test_a_row_says_until_when_in_the_zone_of_the_policy(desk: Desk) -> None:
    """A deadline is shown where the marketplace lives, with what is left of it."""
    done = desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    assert done == "A1-1-1\tsubmitted\treview due Thu 5 Mar 00:00, 1 d 15 h left\t\n"


def test_a_deadline_is_named_in_words(desk: Desk) -> None:
    """People read words, and a queue has room for them on a terminal of 80 columns."""
    done = desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17 --at 2026-03-11T09:00:00+08:00")
    assert "\tappeal window due Sun 15 Mar 00:00, 3 d 15 h left\t" in done

    heading = on_a_terminal(desk, "queue", "--as", "agent:li", columns=80).splitlines()[0]
    assert "urgency" in heading and "deadline" in heading


def test_a_missed_deadline_says_how_late_it_is(desk: Desk) -> None:
    """A promise that is broken shows since when."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    row = desk.text("list --as agent:li --at 2026-03-05T08:00:00+08:00")

    assert "review due Fri 6 Mar 00:00, 16 h 0 min left" in row


def test_talk_goes_to_stderr(desk: Desk) -> None:
    """What is said to the person at the terminal never stands among the data."""
    result = desk.run("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    assert result.stderr == "still missing: activation_record; it may be asked for in the review\n"


def test_a_piped_row_is_one_line_uncut(desk: Desk) -> None:
    """Whatever a buyer wrote, a row stays one line with its columns, and is not cut."""
    long = "x" * 500
    note = desk.folder / "note"
    note.write_text(EVIL + long, encoding="utf-8")
    desk.text(f"submit A1 --reason OTHER --note {shell_quoted(note)} --as buyer:b-17")

    rows = desk.text("history A1-1-1 --as agent:li").splitlines()

    assert len(rows) == 1
    assert rows[0].count("\t") == 6
    assert rows[0].endswith(long)
    assert "\x1b" not in rows[0]


def shell_quoted(file: Path) -> str:
    """Quote the content of a file as one word of a command line."""
    return shlex.quote(file.read_text(encoding="utf-8"))


def test_on_a_terminal_nothing_that_was_stored_is_alive(desk: Desk) -> None:
    """Colours, markup and turned text that a buyer wrote are shown as they were typed, never carried out."""
    desk.text(f"submit A1 --reason OTHER --note {shell_quoted(desk.file('note', EVIL))} --as buyer:b-17")

    seen = on_a_terminal(desk, "history", "A1-1-1", "--as", "agent:li")

    flat = "".join(seen.split())
    assert "\x1b[31m" not in seen and "\u202e" not in seen
    assert "[bold]x[/bold]" in flat


def test_on_a_terminal_a_table_has_headings_and_cuts_nothing(desk: Desk) -> None:
    """A terminal folds cells, it never cuts them."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    seen = on_a_terminal(desk, "list", "--as", "agent:li")

    assert "deadline" in seen and "A1-1-1" in seen
    assert "…" not in seen


@pytest.mark.parametrize("columns", [30, 80, 100])
def test_no_code_is_broken_on_a_terminal(desk: Desk, columns: int) -> None:
    """Whoever reads a code or an id can copy it, however narrow the terminal is."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    for command in ("check A1 --as buyer:b-17", "list --as agent:li", "history A1-1-1 --as agent:li"):
        seen = on_a_terminal(desk, *command.split(), columns=columns)
        assert set(desk.text(command).split()) <= set(seen.split())


def test_a_column_in_which_nothing_stands_is_left_out_on_a_terminal(desk: Desk) -> None:
    """The room is for what there is; a table without rows still says what it would tell."""
    assert "urgency" in on_a_terminal(desk, "queue", "--as", "agent:li")
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    seen = on_a_terminal(desk, "queue", "--as", "agent:li")
    assert "deadline" in seen and "assignee" not in seen


def test_long_work_shows_its_progress_on_a_terminal_only(desk: Desk) -> None:
    """Who looks at stderr sees how far it is; a pipe is spared."""
    orders = str(desk.file("more.csv", "\n".join([HEADER, *ORDERS]) + "\n"))
    entries = str(desk.folder / "entries.csv")

    assert "importing rows" in on_a_terminal(desk, "orders", "import", orders, "--as", "service:shop", stream="stderr")
    assert "exporting entries" in on_a_terminal(
        desk, *shlex.split(f"audit export --format csv --output {entries} --as auditor:sun"), stream="stderr"
    )
    assert "verifying entries" in on_a_terminal(desk, "audit", "verify", stream="stderr")
    assert desk.run("audit verify").stderr == ""


def test_data_goes_into_a_file_while_progress_is_shown(desk: Desk) -> None:
    """Who sends stdout into a file or a pipe gets all of it there, and on the terminal nothing but the progress."""
    path = desk.folder / "made.json"
    with path.open("wb") as file:
        seen = on_a_terminal(desk, "audit", "checkpoint", "--json", stream="stderr", other=file.fileno())

    assert "numbering entries" in seen and "root" not in seen
    assert json.loads(path.read_bytes())["size"] > 0


def test_what_cannot_be_printed_is_shown_as_an_escape() -> None:
    """Control characters and changes of direction become text."""
    assert clean(EVIL) == "\\x1b[31mred\\x1b[0m [bold]x[/bold]\\tb\\ny \\u202eevil"
    assert clean("价格 €5") == "价格 €5"
    assert clean(None) == ""


def test_show_tells_everything_of_a_refund(desk: Desk) -> None:
    """A person sees state, deadline, money, what is missing and what can be done now."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    shown = dict(line.split("\t") for line in desk.text("show A1-1-1 --as buyer:b-17").splitlines())

    assert shown["state"] == "submitted (submitted)"
    assert shown["claimed"] == "100.00 CNY"
    assert shown["missing"] == "activation_record"
    assert shown["possible"] == "withdraw, add-evidence"


def test_history_tells_parameters_as_documents_do(desk: Desk) -> None:
    """Values are written as in JSON, text as it is, lists with commas."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("request-evidence A1-1-1 --kind screenshot --kind statement --message Please. --as agent:li")

    first, _, last = (row.split("\t")[6].split("; ") for row in desk.text("history A1-1-1 --as agent:li").splitlines())

    assert {"abuse_before=false", "amount=10000", "reason=WRONG_FACE_VALUE"} <= set(first)
    assert "kinds=screenshot,statement" in last


def test_explain_says_why_not_and_until_when(desk: Desk) -> None:
    """For every event a person reads whether it is possible, and else why not."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")

    rows = [line.split("\t") for line in desk.text("explain A1-1-1 --as agent:li").splitlines()[1:]]
    said = {event: (now, why) for event, now, why in rows}

    assert said["begin-review"] == ("possible", "")
    assert said["approve"] == ("blocked", "this is not possible while the refund is submitted")


def test_check_says_what_a_claim_would_meet(desk: Desk) -> None:
    """Before a claim a buyer reads the outcome, why, what to bring and until when, for each reason."""
    rows = [line.split("\t") for line in desk.text("check A1 --as buyer:b-17").splitlines()]
    said = {row[0]: row[1:] for row in rows}

    assert said["WRONG_FACE_VALUE"] == ["accepted", "", "activation_record", "Tue 10 Mar 00:00", "100.00 CNY", ""]
    assert said["CANNOT_LOG_IN"][0] == "blocked"
    assert "PAYOUT_RETURNED" not in said


def test_pages_of_a_list_follow_each_other(desk: Desk) -> None:
    """A page says how to get the next one; all pages together are the list."""
    for order, buyer in (("A1", "b-17"), ("A3", "b-18"), ("A5", "b-19")):
        desk.text(f"submit {order} --reason NOT_DELIVERED --as buyer:{buyer}")
    first = desk.run("list --limit 2 --as agent:li")
    after = first.stderr.split("--after ")[1].strip()

    second = desk.text(f"list --limit 2 --after {after} --as agent:li")

    ids = [line.split("\t")[0] for line in (first.stdout + second).splitlines()]
    assert ids == ["A1-1-1", "A3-1-1", "A5-1-1"]


def test_a_service_acts_for_a_buyer(desk: Desk) -> None:
    """A service names the buyer for whom it acts; for another one the order does not exist."""
    assert desk.refused("submit A1 --reason OTHER --note 'Broken.' --as service:shop --for b-18", 5)

    done = desk.json("submit A1 --reason OTHER --note 'Broken.' --as service:shop --for b-17")

    assert done["buyer_id"] == "b-17"


def test_the_actor_of_the_environment_acts(desk: Desk) -> None:
    """Without --as the actor is that of the environment."""
    desk.env["REFUNDFLOW_ACTOR"] = "buyer:b-17"

    assert desk.json("submit A1 --reason WRONG_FACE_VALUE")["state"] == "submitted"
