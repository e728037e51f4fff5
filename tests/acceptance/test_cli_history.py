"""The commands of histories: the word show may be left out, and an import tells what it took and what not."""

from tests.acceptance.desk import Desk
from tests.support.past import a_past_case, write_csv, write_jsonl


def test_the_word_show_may_be_left_out(desk: Desk) -> None:
    """`history ID`, with its options before or behind, is `history show ID`."""
    whole = desk.text("history show A1/1 --as auditor:sun")

    assert whole and whole == desk.text("history A1/1 --as auditor:sun") == desk.text("history --as auditor:sun A1/1")
    assert desk.refused("history A9-1-1 --as auditor:sun", 5)["code"] == "NOT_FOUND"
    assert desk.run("history").exit_code == 2


def test_an_import_says_what_it_took_and_leaves_the_rest_in_a_file(both_desks: Desk) -> None:
    """Counts on stdout, where the bad cases are on stderr; without bad ones there is no file."""
    desk = both_desks
    path = write_csv(desk.folder / "cases.csv", [a_past_case(1), a_past_case(2, reason="NOPE")])
    rejects = desk.folder / "bad.csv"
    dry = desk.run(f"history import {path} --dry-run --rejects {rejects} --as service:shop")
    done = desk.json(f"history import {path} --rejects {rejects} --as service:shop")

    assert "imported\t1" in dry.stdout and "nothing was changed" in dry.stderr
    assert (done["imported"], done["rejected"], done["rejects"]) == (1, 1, str(rejects))
    assert "reason NOPE" in rejects.read_text(encoding="utf-8")
    good = write_jsonl(desk.folder / "good.jsonl", [a_past_case(1)])
    again = desk.json(f"history import {good} --rejects {rejects} --as service:shop")
    assert (again["unchanged"], again["rejects"]) == (1, None) and not rejects.exists()
    shown = desk.text("show H1-1-1 --as agent:li")
    assert "imported\tcase L-1, by shop, file " in shown


def test_what_is_no_file_of_cases_is_bad_input(desk: Desk) -> None:
    """A missing file, one without a header, or one that the rejects would replace, is told before anything is done."""
    empty = desk.file("empty.csv", "")
    for command in (f"{empty}", f"{desk.folder / 'none.csv'}", f"{empty} --rejects {empty}"):
        assert desk.refused(f"history import {command} --as service:shop", 2)["code"] == "BAD_INPUT"
    path = write_jsonl(desk.folder / "cases.jsonl", [a_past_case()])
    desk.refused(f"history import {path} --as agent:li", 4)
