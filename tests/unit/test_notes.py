"""Signed notes against the published examples of the format, and against everything that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refundflow.errors import BadInput, ProofFailed
from refundflow.proof.notes import SigningKey, VerifyingKey, open_note, sign_note, split_note

# The example of the Go package sumdb/note.
PETER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH_PUBLIC = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# The example of C2SP signed-note.
SPEC_PUBLIC = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def keys(*texts: str) -> list[VerifyingKey]:
    """Read verifying keys."""
    return [VerifyingKey.parse(text) for text in texts]


def test_a_signature_is_the_published_one() -> None:
    """The published key over the published text gives the published note, byte for byte."""
    key = SigningKey.parse(PETER)

    assert str(key.verifying) == PETER_PUBLIC and key.written() == PETER
    assert sign_note(TEXT, key) == f"{TEXT}\n{PETER_LINE}"


@pytest.mark.parametrize(
    ("note", "public"),
    [
        (f"{TEXT}\n{PETER_LINE}", [PETER_PUBLIC]),
        (f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}", [ENOCH_PUBLIC]),
        (f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}", [PETER_PUBLIC, ENOCH_PUBLIC]),
        (SPEC_NOTE, [SPEC_PUBLIC]),
    ],
)
def test_published_notes_open(note: str, public: list[str]) -> None:
    """Whoever trusts one of the signers gets the text; signatures of others do not matter."""
    assert open_note(note, keys(*public)) == note.partition("\n\n")[0] + "\n"


def test_a_key_never_shows_its_private_half() -> None:
    """Neither in a log nor in an error."""
    key = SigningKey.generate("shop")

    secret = key.written().partition(f"+{key.verifying.id}+")[2]  # base64 has a + of its own
    assert secret and secret not in repr(key) and repr(key.seed) not in repr(key)
    with pytest.raises(BadInput) as caught:
        SigningKey.parse(key.written()[:-3])
    assert key.written()[30:60] not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        PETER_PUBLIC[1:], PETER_PUBLIC[:-4], PETER_PUBLIC.replace("c74f20a3", "c74f20a4"), "PeterNeumann", "",
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", PETER,
    ],
)  # fmt: skip
def test_what_is_no_verifying_key_is_refused(text: str) -> None:
    """A key cut short, of another algorithm, or a private one is not taken."""
    with pytest.raises(BadInput):
        VerifyingKey.parse(text)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb", "wide space"])
def test_names_of_keys_have_neither_spaces_nor_plus(name: str) -> None:
    """A name that could not be read back is refused."""
    with pytest.raises(BadInput):
        SigningKey.generate(name)


@pytest.mark.parametrize(
    ("note", "what"),
    [
        (f"{TEXT}\n{ENOCH_LINE}", "no known key"),
        (f"{TEXT.upper()}\n{PETER_LINE}", "is not over this text"),
        (f"{TEXT}\n{PETER_LINE.replace('x08go/Z', 'x08go/a')}", "is not over this text"),
        (f"{TEXT}\n{PETER_LINE}{PETER_LINE.replace('x08go/Z', 'x08go/a')}", "is not over this text"),
        (f"{TEXT}{PETER_LINE}", "no signed note"),
        (f"{TEXT}\n{PETER_LINE}"[:-1], "no signed note"),
        (f"{TEXT}\n", "no signed note"),
        (f"{TEXT}\n{PETER_LINE}rubbish\n", "cannot be read"),
        (f"{TEXT}\n— PeterNeumann x08g\n", "cannot be read"),
        (f"tab\there\n\n{PETER_LINE}", "no signed note"),
        (f"{TEXT}\n{PETER_LINE * 101}", "more than 100 signatures"),
        ("", "no signed note"),
    ],
)
def test_what_no_known_key_has_signed_does_not_open(note: str, what: str) -> None:
    """A changed text or signature, no known signer, or no note at all: the text is not given out."""
    with pytest.raises(ProofFailed, match=what):
        open_note(note, keys(PETER_PUBLIC))


def test_an_empty_line_inside_belongs_to_the_text() -> None:
    """The last empty line parts text and signatures."""
    key = SigningKey.generate("shop")
    note = sign_note("one\n\ntwo\n", key)

    assert open_note(note, [key.verifying]) == "one\n\ntwo\n"
    assert [(name, key_id) for name, key_id, _ in split_note(note)[1]] == [("shop", key.verifying.id)]


@pytest.mark.parametrize("text", ["no newline", "a\tb\n", "a\rb\n"])
def test_what_cannot_stand_in_a_note_is_not_signed(text: str) -> None:
    """Control characters, and a text without its last newline."""
    with pytest.raises(ValueError, match="a note is lines of text"):
        sign_note(text, SigningKey.generate("shop"))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=40), st.integers(1, 3))
def test_what_was_signed_opens_for_each_signer(text: str, count: int) -> None:
    """Any text of one line, signed by several, opens with the key of each."""
    signers = [SigningKey.generate(f"shop{number}") for number in range(count)]
    note = sign_note(f"{text}\n", *signers)

    assert [open_note(note, [key.verifying]) for key in signers] == [f"{text}\n"] * count
