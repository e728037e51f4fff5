"""Keys, checkpoints and proofs by the command line, and checking them without a database."""

import json
from pathlib import Path

import pytest

from tests.acceptance.desk import Desk
from tests.acceptance.test_cli_json import same_keys

AS = "--as supervisor:zhao"


@pytest.fixture
def signing(desk: Desk) -> Desk:
    """Give a desk with a refund, whose log is signed and published."""
    desk.env |= {
        "REFUNDFLOW_SIGNING_KEY": str(desk.folder / "log.key"),
        "REFUNDFLOW_CHECKPOINTS": str(desk.folder / "log"),
    }
    desk.text(f"audit keys create --origin shop.example/refunds {AS}")
    desk.text("submit A1 --reason CODE_INVALID --as buyer:b-17")
    desk.text("audit checkpoint")
    desk.text("begin-review A1-1-1 --as agent:li")
    desk.text("audit checkpoint")
    return desk


@pytest.fixture
def elsewhere(desk: Desk, tmp_path: Path) -> Desk:
    """Give a desk on a machine that has no database."""
    return Desk(url=f"sqlite:///{tmp_path}/none.db", folder=desk.folder)


def key_of(desk: Desk) -> str:
    """Return the verifying key."""
    key: str = desk.json("audit keys list")[0]["vkey"]
    return key


def test_a_proof_is_checked_where_there_is_no_database(signing: Desk, elsewhere: Desk) -> None:
    """The file and the key are enough; a changed file is refused with exit status 8."""
    path = signing.folder / "proof.json"
    signing.text(f"audit prove A1-1-1 -o {path} --as auditor:sun")
    told = elsewhere.json(f"audit check {path} --key {key_of(signing)}")

    assert told["kind"] == "inclusion" and told["entries"] == 2 and told["origin"] == "shop.example/refunds"
    proof = json.loads(path.read_text(encoding="utf-8"))
    proof["entries"][0]["leaf"] += 1
    path.write_text(json.dumps(proof), encoding="utf-8")
    refused = elsewhere.refused(f"audit check {path} --key {key_of(signing)}", 8)
    assert "A1-1-1#1" in refused["findings"][0]


def test_one_entry_is_proven_alone(signing: Desk) -> None:
    """ID:SEQ names one entry; without a file the proof is printed."""
    proof = signing.json("audit prove A1-1-1:2 --as auditor:sun")

    assert [item["seq"] for item in proof["entries"]] == [2]
    assert signing.refused("audit prove A1-1-1:9 --as auditor:sun", 5)
    assert signing.refused("audit prove A1-1-1:2 --as buyer:b-18", 5)
    assert signing.json("audit prove A1-1-1:2 --as buyer:b-17")["entries"] == proof["entries"]
    assert signing.json("audit prove keys --as auditor:sun")["subject"] == "keys"


def test_a_checkpoint_made_where_the_key_is_not_takes_no_proof_away(signing: Desk, elsewhere: Desk) -> None:
    """An auditor without the key exports: what is proven stays so, and he is told where the key is missing."""
    key = key_of(signing)
    signing.text("note A1-1-1 --message Seen. --as agent:li")
    keyless = Desk(url=signing.url, folder=signing.folder)

    result = keyless.run("audit checkpoint")

    assert "the key is elsewhere; set REFUNDFLOW_SIGNING_KEY" in result.stderr and "\tno" in result.stdout
    path = signing.folder / "proof.json"
    keyless.text(f"audit prove A1-1-1 -o {path} --as auditor:sun")
    assert elsewhere.json(f"audit check {path} --key {key}")["entries"] == 2


def test_an_earlier_checkpoint_is_proven_to_be_the_beginning(signing: Desk, elsewhere: Desk) -> None:
    """A consistency between two sizes is checked elsewhere, and so is a checkpoint alone."""
    first, second = (item["size"] for item in signing.json("audit checkpoints"))
    path, newest = signing.folder / "consistency.json", signing.folder / "log" / "checkpoint"
    signing.text(f"audit consistency {first} {second} -o {path}")

    told = elsewhere.json(f"audit check {path} --key {key_of(signing)}")
    assert (told["kind"], told["first"], told["size"]) == ("consistency", first, second)
    assert elsewhere.json(f"audit check {newest} --key {key_of(signing)}")["kind"] == "checkpoint"
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert "no known key" in elsewhere.refused(f"audit check {newest} --key {other}", 8)["findings"][0]
    assert elsewhere.refused(f"audit check {newest} --key {other[:-2]}", 2)
    assert signing.refused(f"audit consistency 1 {second}", 5)
    assert "the earlier checkpoint first" in signing.refused(f"audit consistency {second} {first}", 2)["message"]


def test_whoever_holds_a_checkpoint_verifies_with_it(signing: Desk) -> None:
    """`--checkpoint` and `--key` go with a sound database; what is no checkpoint or no key is bad input."""
    held, key = signing.folder / "held", key_of(signing)
    held.write_text((signing.folder / "log" / "checkpoint").read_text(encoding="utf-8"), encoding="utf-8")
    told = signing.json(f"audit verify --checkpoint {held} --key {key}")

    assert told["ok"] and told["checkpoints"] == 2 and told["leaves"] == told["entries"]
    held.write_text("rubbish", encoding="utf-8")
    assert signing.refused(f"audit verify --checkpoint {held}", 2)
    assert signing.refused("audit verify --key rubbish", 2)


def test_keys_are_rotated_and_retired(signing: Desk) -> None:
    """The list says which may sign; a retired one signs nothing more."""
    signing.text(f"audit keys rotate {AS}")
    assert [line.split("\t")[1] for line in signing.text("audit keys list").splitlines()] == ["retired", "active"]
    active = signing.json("audit keys list")[1]["id"]
    signing.text(f"audit keys retire {active} {AS}")

    assert "retired" in signing.refused("audit checkpoint", 2)["message"]
    assert signing.refused(f"audit keys retire {active} --as agent:li", 4)
    assert signing.json("audit verify")["ok"]


def test_without_a_key_it_is_said_what_to_do(desk: Desk) -> None:
    """A checkpoint that nobody signs is told as such, and nothing is proven with it."""
    made = desk.run("audit checkpoint")

    assert made.exit_code == 0 and "audit keys create" in made.stderr
    assert "no signed checkpoint" in desk.refused("audit prove A1/1 --as auditor:sun", 2)["message"]
    assert "REFUNDFLOW_SIGNING_KEY" in desk.refused(f"audit keys create {AS}", 2)["message"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("checkpoint", "audit checkpoint"),
        ("checkpoints", "audit checkpoints"),
        ("keys", "audit keys list"),
        ("proof", "audit prove A1-1-1 --as auditor:sun"),
    ],
)
def test_every_document_has_the_documented_keys(signing: Desk, name: str, command: str) -> None:
    """What the commands print has the documented keys."""
    same_keys(name, signing.json(command))


def test_a_check_has_the_documented_keys(signing: Desk) -> None:
    """What a check tells has the documented keys."""
    newest = signing.folder / "log" / "checkpoint"
    same_keys("checked", signing.json(f"audit check {newest} --key {key_of(signing)}"))


def test_the_doctor_looks_at_the_log(signing: Desk) -> None:
    """A key that signs and a folder that has what it should are fine; anything else is told with what to do."""

    def verdict() -> tuple[str, str]:
        told = json.loads(signing.run("doctor --json").stdout)
        [found] = [item for item in told if item["what"] == "log"]
        return found["verdict"], found["detail"]

    assert verdict()[0] == "ok" and "published of" in verdict()[1]
    newest = signing.folder / "log" / "checkpoint"
    size = signing.json("audit checkpoints")[-1]["size"]
    newest.write_text(newest.read_text(encoding="utf-8").replace(f"\n{size}\n", f"\n{size + 9}\n"), encoding="utf-8")
    assert verdict()[0] == "failed" and "an old state" in verdict()[1]
    place = signing.env.pop("REFUNDFLOW_CHECKPOINTS")
    assert verdict()[0] == "warning"
    signing.env["REFUNDFLOW_CHECKPOINTS"] = place
    signing.text(f"audit keys retire {signing.json('audit keys list')[0]['id']} {AS}")
    assert verdict()[0] == "failed" and "retired" in verdict()[1]
    del signing.env["REFUNDFLOW_SIGNING_KEY"]
    assert verdict()[0] == "ok"
