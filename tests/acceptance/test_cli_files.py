"""Files that commands read and write: orders with their rejects, evidence, policies, exports."""

import sqlite3

import pytest

from refundflow.cli.files import MOST_BYTES
from tests.acceptance.desk import HEADER, ORDERS, START, Desk

BAD = "A9,b-20,game_card,Card,unused,ten,CNY,fake,pay-9,2026-03-02T09:00:00+08:00,,1,,"


def test_good_rows_stay_and_bad_rows_are_told(both_desks: Desk) -> None:
    """A bad row goes to the rejects file with line and reason, the good ones stay, and it is told."""
    desk = both_desks
    orders = desk.file("more.csv", "\n".join([HEADER, BAD, ORDERS[0].replace("A1,", "A7,")]) + "\n")

    result = desk.run(f"orders import {orders} --as service:shop")

    assert result.exit_code == 0
    assert result.stdout == "registered\t1\nchanged\t0\nunchanged\t0\nrejected\t1\n"
    rejects = (desk.folder / "more.csv.rejects.csv").read_text(encoding="utf-8")
    assert rejects.splitlines()[1].startswith("2,\"amount_minor: 'ten'")
    assert desk.json("check A7 --reason OTHER --as buyer:b-17")[0]["left_minor"] == 10000


def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    """A file may be imported again at any time."""
    orders = desk.file("again.csv", "\n".join([HEADER, *ORDERS]) + "\n")

    counts = desk.json(f"orders import {orders} --as service:shop")

    assert counts == {"registered": 0, "changed": 0, "unchanged": 6, "rejected": 0, "rejects": None}
    assert not (desk.folder / "again.csv.rejects.csv").exists()
    assert [item["event"] for item in desk.json("history A1/1 --as auditor:sun")] == ["registered"]


def test_what_changed_is_told_as_facts_of_the_line(desk: Desk) -> None:
    """Changed usage, capture and completion update the facts, each as an entry of the order line."""
    changed = ORDERS[5].replace("unused,900", "used,800").replace(",,1,,", ",2026-03-02T10:00:00+08:00,1,,")
    orders = desk.file("changed.csv", f"{HEADER}\n{changed}\n")

    counts = desk.json(f"orders import {orders} --as service:shop")

    assert counts["changed"] == 1
    events = [item["event"] for item in desk.json("history A6/1 --as auditor:sun")]
    assert sorted(events) == ["captured", "completed", "registered", "usage_recorded"]


def test_what_cannot_change_is_rejected(desk: Desk) -> None:
    """A row that says something else of a known order is rejected by naming what differs."""
    orders = desk.file("other.csv", f"{HEADER}\n{ORDERS[0].replace('b-17', 'b-99')}\n")

    result = desk.run(f"orders import {orders} --rejects {desk.folder / 'bad.csv'} --as service:shop")

    assert result.exit_code == 0
    assert "buyer_id" in (desk.folder / "bad.csv").read_text(encoding="utf-8")


def test_a_file_without_a_header_is_refused(desk: Desk) -> None:
    """A file that is no orders file changes nothing, and no rejects file is left."""
    orders = desk.file("no.csv", "hello\n")

    assert desk.refused(f"orders import {orders} --as service:shop", 2)["field"] == "header"
    assert not (desk.folder / "no.csv.rejects.csv").exists()


def test_a_folder_is_no_orders_file(desk: Desk) -> None:
    """Not even the one that has no name."""
    assert desk.refused("orders import . --as service:shop", 2)["field"] == "file"


def test_the_bad_rows_never_replace_the_orders_file(desk: Desk) -> None:
    """A file named as its own rejects file is refused, and stays as it is."""
    orders = desk.file("own.csv", HEADER + "\n")

    assert desk.refused(f"orders import {orders} --rejects {orders} --as service:shop", 2)["field"] == "rejects"
    assert orders.read_text(encoding="utf-8") == HEADER + "\n"


@pytest.mark.parametrize("words", ["orders import", "history import"])
def test_rejects_that_cannot_be_written_are_told_before_anything_is_done(desk: Desk, words: str) -> None:
    """The file that cannot be made is named, and no row was taken."""
    orders = desk.file("more.csv", "\n".join([HEADER, ORDERS[0].replace("A1,", "A99,", 1)]) + "\n")

    error = desk.refused(f"{words} {orders} --rejects {desk.folder / 'no' / 'bad.csv'} --as service:shop", 2)
    assert (error["field"], "bad.csv: No such file" in error["message"]) == ("rejects", True)
    assert desk.refused("line A99 --as agent:li", 5)


def test_only_a_service_imports_orders(desk: Desk) -> None:
    """Orders come from services."""
    orders = desk.file("again.csv", "\n".join([HEADER, *ORDERS]) + "\n")

    assert desk.refused(f"orders import {orders} --as agent:li --at {START}", 4)["code"] == "ROLE_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("virus.exe", "MZ", 3, "MEDIA_TYPE_NOT_ALLOWED"),
        ("large.txt", "x" * (10 * 2**20 + 1), 3, "FILE_TOO_LARGE"),
        ("huge.txt", "x" * (MOST_BYTES + 1), 2, "BAD_INPUT"),
    ],
)
def test_evidence_that_is_not_accepted(desk: Desk, name: str, content: str, status: int, code: str) -> None:
    """A file of the wrong type or size is refused by the rules; one that nobody could want is not even read."""
    file = desk.file(name, content)

    error = desk.refused(f"submit A1 --reason OTHER --note 'x' --evidence screenshot={file} --as buyer:b-17", status)

    assert error["code"] == code


def test_evidence_that_cannot_be_read(desk: Desk) -> None:
    """A folder or a missing file is named, with what is wrong with it."""
    error = desk.refused(f"submit A1 --reason OTHER --evidence screenshot={desk.folder} --as buyer:b-17", 2)

    assert "Is a directory" in error["message"]


def test_an_unknown_kind_of_evidence_is_refused_by_the_rules(desk: Desk) -> None:
    """The rules say which kinds there are."""
    file = desk.file("shot.png", b"\x89PNG")

    error = desk.refused(f"submit A1 --reason OTHER --note 'x' --evidence selfie={file} --as buyer:b-17", 3)

    assert (error["code"], error["blockers"][0]["kinds"]) == ("UNKNOWN_KIND", ["selfie"])


def test_a_policy_file_is_checked_and_pinned(desk: Desk) -> None:
    """A changed policy is checked by its command, and counts for refunds submitted from then on."""
    text = desk.text("policy show").replace("claim_window_days = 7", "claim_window_days = 14")
    policy = desk.file("policy.toml", text)
    checked = desk.json(f"policy check {policy}")
    desk.env["REFUNDFLOW_POLICY"] = str(policy)

    pinned = desk.json("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")["policy"]

    assert pinned == checked["version"]


def test_every_problem_of_a_policy_file_is_told(desk: Desk) -> None:
    """A wrong policy file is refused with every problem: key, what is wrong, what is allowed."""
    text = desk.text("policy show").replace("offer_hours = 48", "offer_hours = -1\ncolour = 'red'")
    policy = desk.file("policy.toml", text)

    error = desk.refused(f"policy check {policy}", 2)

    assert (error["code"], {problem["key"] for problem in error["problems"]}) == (
        "POLICY_INVALID", {"offer_hours", "colour"},
    )  # fmt: skip


def test_an_upgrade_says_what_it_will_do(empty_desk: Desk) -> None:
    """A dry run names the steps and does none; afterwards there is nothing left to do."""
    dry = empty_desk.run("upgrade --dry-run")
    assert dry.stderr.startswith("would apply 0001")
    empty_desk.text("init")

    assert empty_desk.run("upgrade").stderr == "nothing to do: the schema is up to date\n"


def test_a_newer_database_is_refused(empty_desk: Desk) -> None:
    """A database of a newer version is neither opened nor upgraded."""
    empty_desk.text("init")
    database = sqlite3.connect(empty_desk.url.removeprefix("sqlite:///"))
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()

    assert empty_desk.refused("upgrade", 1)["code"] == "SCHEMA_TOO_NEW"
    assert empty_desk.refused("show A1-1-1 --as agent:li", 1)["code"] == "SCHEMA_TOO_NEW"


def test_a_rehearsal_of_complaints_ends_as_the_rule_says(empty_desk: Desk) -> None:
    """Complaints run through their whole lives; the summary counts them, and all chains hold."""
    rows = (
        "case,received,product,sub_product,issue,via,sent,response,timely,disputed",
        "C1,2016-01-04,Credit card,,Late fee,Web,2016-01-05,Closed with monetary relief,Yes,No",
        "C2,2016-01-04,Mortgage,,Other,Web,2016-01-05,Closed with explanation,No,Yes",
        "C3,2016-01-05,Mortgage,,Other,Web,2016-01-05,Untimely response,No,No",
    )
    complaints = empty_desk.file("complaints.csv", "\n".join(rows) + "\n")

    summary = empty_desk.json(f"rehearse {complaints}")

    assert (summary["ok"], summary["rows"], summary["findings"]) == (True, 3, [])
    assert empty_desk.refused(f"rehearse {complaints}", 2)["field"] == "database"
