"""Checkpoints, proofs and key files as they are read: what is none of them is told as such."""

import json
from pathlib import Path
from typing import Any

import pytest

from refundflow import config
from refundflow.errors import BadInput, Misconfigured, ProofFailed
from refundflow.proof import SigningKey, check, merkle, open_note, read_key, sign, sign_note
from refundflow.proof.checkpoints import Head, opened, unverified
from refundflow.proof.keys import write_key

# The example of C2SP tlog-checkpoint.
NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
KEY = SigningKey("shop", b"k" * 32)
LEAF = merkle.leaf_hash(bytes(32))
HEAD = Head("shop", 1, LEAF)


def test_the_published_example_is_read() -> None:
    """Origin, size and root stand where the format says, and are written as they were read."""
    head = unverified(NOTE)

    assert (head.origin, head.size, len(head.root)) == ("example.com/behind-the-sofa", 20852163, 32)
    assert head.text == NOTE.partition("\n\n")[0] + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "", "shop\n1\n", "\n1\n{root}\n", "shop\n01\n{root}\n", "shop\n-1\n{root}\n", "shop\n1\nAAAA\n",
        "shop\n1\n{root}",         "shop\n٣\n{root}\n", "shop\n1\n{root}\n\n", "shop\n1\nno base64!\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_told(text: str) -> None:
    """A line is missing or empty, the size is not written as it must be, or the root is none."""
    with pytest.raises(ProofFailed, match="no checkpoint"):
        Head.parse(text.format(root=HEAD.text.split("\n")[2]))


def test_extensions_are_passed_over() -> None:
    """Lines behind the third belong to others."""
    assert Head.parse(HEAD.text + "an extension\n") == HEAD


def proof(**changes: Any) -> str:
    """Write a proof that the only leaf is in the log."""
    entry = {"seq": 1, "leaf": 0, "hash": "00" * 32, "path": []}
    told = {"format": "refundflow-proof/1", "checkpoint": sign_note(HEAD.text, KEY), "subject": "A1-1-1"}
    return json.dumps(told | {"entries": [entry]} | changes)


def test_a_proof_is_checked_with_the_key_alone() -> None:
    """What it proves is told; nothing else is needed."""
    told = check(proof(), [KEY.verifying])

    assert (told.kind, told.origin, told.size, told.subject, told.entries) == ("inclusion", "shop", 1, "A1-1-1", 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"entries": []},
        {"entries": [{"seq": 1, "leaf": 1, "hash": "00" * 32, "path": []}]},
        {"entries": [{"seq": 1, "leaf": 0, "hash": "01" * 32, "path": []}]},
        {"entries": [{"seq": 1, "leaf": 0, "hash": "00" * 32, "path": ["00" * 32]}]},
        {"checkpoint": sign_note(HEAD.text, SigningKey("shop", b"o" * 32))},
        {"checkpoint": sign_note("shop\n", KEY)},
    ],
)
def test_a_proof_that_does_not_hold_is_refused(changes: dict[str, Any]) -> None:
    """No entry, another leaf, another body, another path, another key, or no checkpoint."""
    with pytest.raises(ProofFailed):
        check(proof(**changes), [KEY.verifying])


@pytest.mark.parametrize("text", ["{", "{}", '{"format": "other/1"}', proof(entries=[{}]), proof(entries=7)])
def test_what_is_no_proof_is_bad_input(text: str) -> None:
    """A file of another kind, or a spoilt one, is told as such."""
    with pytest.raises(BadInput):
        check(text, [KEY.verifying])


def test_checkpoints_of_two_logs_prove_nothing() -> None:
    """A consistency is between two checkpoints of one log, and only of its beginning."""
    other = SigningKey("other", b"o" * 32)
    two = Head("shop", 2, merkle.root_of([LEAF, LEAF]))
    between: dict[str, Any] = {"format": "refundflow-consistency/1", "path": [LEAF.hex()]}
    notes = {"first": sign_note(HEAD.text, KEY), "second": sign_note(two.text, KEY)}
    keys = [KEY.verifying, other.verifying]

    assert check(json.dumps(between | notes), keys).first == 1
    with pytest.raises(ProofFailed, match="does not begin"):
        check(json.dumps(between | notes | {"path": []}), keys)
    foreign = sign_note(Head("other", 1, LEAF).text, other)
    with pytest.raises(ProofFailed, match="two logs"):
        check(json.dumps(between | notes | {"first": foreign}), keys)


def test_a_text_is_signed_with_the_key_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key in hand the setting names it; without a setting that is told."""
    path = tmp_path / "log.key"
    write_key(path, KEY)
    monkeypatch.setenv(config.SIGNING_KEY, str(path))
    assert open_note(sign("one\n"), [KEY.verifying]) == open_note(sign("one\n", KEY), [KEY.verifying]) == "one\n"
    monkeypatch.delenv(config.SIGNING_KEY)
    with pytest.raises(Misconfigured, match="names no key"):
        sign("one\n")


def test_a_file_that_holds_no_key_is_told(tmp_path: Path) -> None:
    """Missing, empty, spoilt, a folder, or there already: each is said with what to do."""
    path = tmp_path / "log.key"
    with pytest.raises(Misconfigured, match="audit keys create"):
        read_key(path)
    for content in (b"", b"\xff\xfe", KEY.written()[:-4].encode()):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(Misconfigured, match="holds no signing key"):
            read_key(path)
    with pytest.raises(BadInput, match="the path of a new file"):
        write_key(path, KEY)
    with pytest.raises(Misconfigured):
        read_key(tmp_path)


def test_a_checkpoint_opens_with_a_known_key_only() -> None:
    """Its head is given out once the signature is verified."""
    assert opened(sign_note(HEAD.text, KEY), [KEY.verifying]) == HEAD
    with pytest.raises(ProofFailed):
        opened(NOTE, [KEY.verifying])
