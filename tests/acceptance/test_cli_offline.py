"""Verification of exports and single refunds from the command line, and the verifier as a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from refundflow import verifier
from tests.acceptance.desk import Desk
from tests.acceptance.test_cli_json import same_keys


@pytest.fixture
def exported(desk: Desk) -> Path:
    """Export a refund that is in review."""
    desk.text("submit A1 --reason WRONG_FACE_VALUE --as buyer:b-17")
    desk.text("begin-review A1-1-1 --as agent:li")
    path = desk.folder / "entries.jsonl"
    desk.text(f"audit export --format jsonl --output {path} --as auditor:sun")
    return path


def test_an_export_is_verified_without_a_database(desk: Desk, exported: Path) -> None:
    """The file alone is enough; what is told has documented keys."""
    desk.env["REFUNDFLOW_DATABASE_URL"] = "sqlite:////nowhere/at/all.db"

    told = desk.json(f"audit verify {exported}")

    same_keys("export_verification", told)
    assert told["ok"] and told["entries"] == len(exported.read_text(encoding="utf-8").splitlines())


def test_a_changed_export_is_found_and_the_place_is_named(desk: Desk, exported: Path) -> None:
    """Exit status 8, with the code, the chain and entry, the leaf and the checkpoint of every finding."""
    exported.write_text(exported.read_text(encoding="utf-8").replace('"begin_review"', '"approve"'), encoding="utf-8")

    result = desk.run(f"audit verify {exported}")

    assert result.exit_code == 8
    assert "COLUMN A1-1-1#2 (leaf" in result.stderr and "under the checkpoint of size" in result.stderr


def test_one_refund_is_verified_with_every_rule_that_it_went_by(desk: Desk, exported: Path) -> None:
    """Its chain and that of its order line are judged, out of the database."""
    told = desk.json("audit verify --refund A1-1-1 --as auditor:sun")

    assert told["ok"] and told["chains"] == 2


def test_the_whole_database_is_verified_with_every_rule(desk: Desk, exported: Path) -> None:
    """Everything that is stored is judged after it was proven; nobody need say who asks."""
    told = desk.json("audit verify --rules")

    assert told["ok"] and told["rules"]["ok"] is True and told["rules"]["entries"] == told["entries"]
    same_keys("export_verification", told["rules"])
    assert "rules" not in desk.json("audit verify")


def test_nobody_need_say_who_he_is_to_verify_one_refund(desk: Desk, exported: Path) -> None:
    """Like the whole, one refund is verified by anybody who can open the database; keys that are named are used."""
    assert desk.json("audit verify --refund A1-1-1")["ok"]
    assert "verifying key" in desk.refused("audit verify --refund A1-1-1 --key nonsense", 2)["message"]
    assert desk.refused("audit verify --refund A9-1-1", 5)["code"] == "NOT_FOUND"


def test_an_export_and_a_refund_are_not_verified_in_one_call(desk: Desk, exported: Path) -> None:
    """One of the two would be left out silently."""
    assert "--refund" in desk.refused(f"audit verify {exported} --refund A1-1-1", 2)["message"]


def test_what_is_no_export_is_bad_input(desk: Desk) -> None:
    """A path without a manifest, and a key that is none, are told with what is needed."""
    assert "manifest" in desk.refused(f"audit verify {desk.folder}/nothing", 2)["message"]
    assert "verifying key" in desk.refused(f"audit verify {desk.folder} --key nonsense", 2)["message"]


def test_an_export_in_which_no_entry_can_be_judged_is_no_verified_one(desk: Desk) -> None:
    """Without a file of JSON Lines there is nothing to say that nothing is wrong of; a changed file is found."""
    path = desk.folder / "only.csv"
    desk.text(f"audit export --format csv --output {path} --as auditor:sun")

    assert "JSON Lines" in desk.refused(f"audit verify {path}", 2)["message"]
    path.write_text("", encoding="utf-8")
    assert "FILE only.csv" in desk.run(f"audit verify {path}").stderr


def test_the_verifier_is_written_for_the_auditor(desk: Desk, exported: Path) -> None:
    """What is written is the verifier itself, and it runs by itself."""
    copy = desk.folder / "verifier.py"
    desk.text(f"audit verifier -o {copy}")

    ran = subprocess.run([sys.executable, "-I", str(copy), str(exported)], capture_output=True, text=True, check=False)

    assert copy.read_bytes() == Path(verifier.__file__).read_bytes()
    assert ran.returncode == 0 and "0 findings" in ran.stdout
