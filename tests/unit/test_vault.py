"""The vault: keys, commitments, encryption, and what is masked at the door."""

import hmac

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from refundflow.vault import MASK, BuyerRow, Vault, hmac_sha256, mask

LIVE = Vault(b"s" * 32, rehearsal=False)
REHEARSAL = Vault(b"r" * 32, rehearsal=True)
KEY = b"k" * 32
codes = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=4, max_size=4)
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12).filter(lambda word: word not in ("pin", "key"))


def test_a_buyer_is_found_by_his_id_only() -> None:
    """The lookup is the same for the same id under the same secret, and tells nothing of the id."""
    assert LIVE.buyer_lookup("zoe") == LIVE.buyer_lookup("zoe") != LIVE.buyer_lookup("zo")
    assert LIVE.buyer_lookup("zoe") != REHEARSAL.buyer_lookup("zoe")


def test_a_live_key_is_random_and_a_rehearsed_one_follows_from_the_id() -> None:
    """Histories of rehearsals repeat; of live databases nobody can guess a reference."""
    live, again = LIVE.new_buyer("zoe"), LIVE.new_buyer("zoe")
    assert live.ref != again.ref and live.key != again.key and live.lookup == again.lookup
    assert REHEARSAL.new_buyer("zoe").ref == REHEARSAL.new_buyer("zoe").ref
    assert len(live.ref) == 25 and live.ref.startswith("b") and LIVE.open_buyer_id(live) == "zoe"


@given(st.binary() | st.text(st.characters(exclude_categories=["Cs"])), st.text())
def test_what_is_encrypted_reads_back_under_the_same_context(plaintext: bytes | str, context: str) -> None:
    """Encryption keeps every byte."""
    context = context.encode("ascii", "replace").decode()
    cipher = LIVE.encrypt(KEY, plaintext, context)
    assert LIVE.decrypt(KEY, cipher, context) == (plaintext.encode() if isinstance(plaintext, str) else plaintext)


def test_nobody_reads_with_another_key_or_context_or_cipher() -> None:
    """A text moved to another place, changed, or read with another key is refused."""
    cipher = LIVE.encrypt(KEY, b"secret", "o1|1|note")
    assert b"secret" not in cipher and LIVE.encrypt(KEY, b"secret", "o1|1|note") != cipher
    for key, text, context in (
        (b"x" * 32, cipher, "o1|1|note"),
        (KEY, cipher, "o1|2|note"),
        (KEY, cipher[:-1] + bytes([cipher[-1] ^ 1]), "o1|1|note"),
    ):
        with pytest.raises(InvalidTag):
            LIVE.decrypt(key, text, context)


def test_a_buyer_row_cannot_be_swapped() -> None:
    """The encrypted id is bound to the reference that it belongs to."""
    one, two = LIVE.new_buyer("one"), LIVE.new_buyer("two")
    with pytest.raises(InvalidTag):
        LIVE.open_buyer_id(BuyerRow(ref=two.ref, lookup=one.lookup, key=one.key, cipher=one.cipher))


def test_a_buyer_row_is_sound_as_it_was_made_only() -> None:
    """Whoever changes a part of it is found, also who encrypts the id anew under another reference."""
    row, other = LIVE.new_buyer("one"), LIVE.new_buyer("two")
    moved = replace(row, ref=other.ref, cipher=LIVE.encrypt(row.key, b"one", f"buyer {other.ref}"))

    assert LIVE.is_sound(row) and LIVE.is_sound(other)
    parts = ({"lookup": other.lookup}, {"key": other.key}, {"ref": other.ref})
    for changed in (moved, *(replace(row, **part) for part in parts)):
        assert not LIVE.is_sound(changed)


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_messages_are_authenticated_as_the_library_does(key: bytes, message: bytes) -> None:
    """RFC 2104, to the bit: a database knows its requests and buyers by what they were named."""
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


def test_a_commitment_binds_text_and_place() -> None:
    """Only the same text at the same place under the same key gives the same commitment."""
    bound = LIVE.commitment(KEY, "o1-1-1", 2, "note", "hello")
    assert bound == REHEARSAL.commitment(KEY, "o1-1-1", 2, "note", "hello")
    others = [
        LIVE.commitment(b"x" * 32, "o1-1-1", 2, "note", "hello"),
        LIVE.commitment(KEY, "o1-1-12", 2, "note", "hello"),
        LIVE.commitment(KEY, "o1-1-1", 3, "note", "hello"),
        LIVE.commitment(KEY, "o1-1-1", 2, "message", "hello"),
        LIVE.commitment(KEY, "o1-1-1", 2, "note", "hello "),
    ]
    assert bound not in others and len(set(others)) == len(others)


def test_the_same_evidence_of_the_same_buyer_has_one_commitment() -> None:
    """It is stored once per buyer and says nothing across buyers."""
    assert LIVE.evidence_commitment(KEY, "ab") == LIVE.evidence_commitment(KEY, "ab")
    assert LIVE.evidence_commitment(KEY, "ab") != LIVE.evidence_commitment(b"x" * 32, "ab")
    assert LIVE.request_hash(KEY, b"{}") == LIVE.request_hash(KEY, b"{}") != LIVE.request_hash(KEY, b"[]")


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("password: hunter2", f"password: {MASK}"),
        ("Password：Hunter", f"Password：{MASK}"),
        ("my pwd=abc, please", f"my pwd={MASK}, please"),
        ("密码：小猫123，谢谢", f"密码：{MASK}，谢谢"),
        ("密码是abc123", f"密码是{MASK}"),
        ("the password is Tr0ub4dor!", f"the password is {MASK}"),
        ("卡密 K7Q2-M9X4", f"卡密 {MASK}"),
        ("code: K7Q2M9", f"code: {MASK}"),
        ("兑换码：99887766", f"兑换码：{MASK}"),
        ("卡号 1234567890，密码 888666", f"卡号 {MASK}，密码 {MASK}"),
        ("I got ABCD-EFGH-1234-5678 only", f"I got {MASK} only"),
        ("卡密ABCD-EFGH-JKLM不能用", f"卡密{MASK}不能用"),
        ("card 4111 1111 1111 1111 charged", f"card {MASK} charged"),
        ("4111-1111-1111-1111", MASK),
        ("it says K7Q2M9X4PL is used", f"it says {MASK} is used"),
    ],
)
def test_secrets_are_masked(said: str, masked: str) -> None:
    """Passwords, card codes and card numbers do not get past the door."""
    assert mask(said) == masked


@pytest.mark.parametrize(
    "said",
    [
        "order ORD-2026-00017 arrived on 2026-11-22 at 10:30, paid 1299.00 CNY",
        "refund o1-1-1 of order TB20261122001",
        "see case 202611220001-1-2, it was 100000 minor units",
        "I forgot my password and cannot log in",
        "the password reset page is broken, the code does not work",
        "密码错误，无法登录",
        "the password is broken，please help",
        "the game-card-code was never sent",
        "seen 2026-11-22T09:00:00+08:00 and 20261122T090000Z",
        "payout rf0a1b2c3d4e5f60718293a4b5c6d7e8",
        "call 138-0013-800 between 9 and 17",
        "活动期间充值 648 元，未到账",
        "",
    ],
)
def test_words_amounts_dates_and_orders_stay(said: str) -> None:
    """What a reviewer needs to read is not blotted out."""
    assert mask(said) == said


def test_an_id_that_looks_like_a_code_can_be_kept() -> None:
    """The caller names the ids that belong to the case."""
    kept = {"A1B2C3D4E5"}
    assert mask("order A1B2C3D4E5 and A1B2C3D4E6", keep=kept) == f"order A1B2C3D4E5 and {MASK}"
    assert mask("order code: A1B2C3D4E5, code: A1B2C3D4E6", keep=kept) == f"order code: A1B2C3D4E5, code: {MASK}"


@given(st.lists(codes, min_size=3, max_size=5), words, words)
def test_no_printed_code_survives(groups: list[str], before: str, after: str) -> None:
    """Whatever stands around it, a code in groups of four is masked."""
    code = "-".join(groups)
    assert code not in mask(f"{before} {code} {after}")


@given(st.lists(words, max_size=8))
def test_plain_words_survive(said: list[str]) -> None:
    """Lower-case words come through unchanged."""
    assert mask(" ".join(said)) == " ".join(said)


@given(st.text() | st.lists(codes | words | st.sampled_from(["密码：", "pwd=", "code", "-", "是"])).map("".join))
@example("password: ****")
def test_masking_twice_is_masking_once(said: str) -> None:
    """What was masked is not masked again."""
    assert mask(mask(said)) == mask(said)
