"""Keeps what can identify a person: keys per buyer, encryption, commitments, and masking at the door."""

import os
import re
from collections.abc import Callable, Collection
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

_NONCE = 12
_COLLEAGUES = 256  # members of staff and services whose lookups are remembered
MASK = "****"
_BLOCK = 64  # bytes that SHA-256 takes at once
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class BuyerRow(Struct, frozen=True):
    """One buyer: the reference that documents use, the lookup of his id, his key, his encrypted id.

    Of an erased buyer only the reference is left: he has no such row.
    """

    ref: str
    lookup: str
    key: bytes
    cipher: bytes


class Vault:
    """The cryptography of one database, under its secret; the caller stores what it returns."""

    def __init__(self, secret: bytes, rehearsal: bool) -> None:
        self.secret, self._rehearsal = secret, rehearsal
        # of few names that come again and again; a buyer's is never kept
        self.colleague_lookup = lru_cache(_COLLEAGUES)(self.buyer_lookup)

    def buyer_lookup(self, buyer_id: str) -> str:
        """Turn a buyer's id into the value by which his row is found."""
        return _mac(self.secret, "lookup", buyer_id).hex()

    def new_buyer(self, buyer_id: str, life: int = 0) -> BuyerRow:
        """Make the row of a new buyer; in a rehearsal the key follows from the id, so that histories repeat.

        `life` counts how often the buyer was erased before: in a rehearsal too he comes back as somebody else.
        """
        lives = (str(life),) if life else ()
        key = _mac(self.secret, "key", buyer_id, *lives) if self._rehearsal else os.urandom(32)
        ref = reference(key, buyer_id)
        cipher = self.encrypt(key, buyer_id.encode(), f"buyer {ref}")
        return BuyerRow(ref=ref, lookup=self.buyer_lookup(buyer_id), key=key, cipher=cipher)

    def open_buyer_id(self, row: BuyerRow) -> str:
        """Return the clear id of a buyer.

        Raises:
            cryptography.exceptions.InvalidTag: the row was changed.
        """
        return self.decrypt(row.key, row.cipher, f"buyer {row.ref}").decode()

    def is_sound(self, row: BuyerRow) -> bool:
        """Tell whether key, lookup and id of a buyer are those that his reference was made from."""
        try:
            buyer_id = self.open_buyer_id(row)
        except (InvalidTag, ValueError):
            return False
        return row.lookup == self.buyer_lookup(buyer_id) and row.ref == reference(row.key, buyer_id)

    def commitment(self, key: bytes, subject: str, seq: int, field: str, text: str) -> str:
        """Bind an entry to a text without telling it: once the buyer's key is gone nobody can guess it back."""
        return _mac(key, "text", subject, str(seq), field, text).hex()

    def evidence_commitment(self, key: bytes, sha256: str) -> str:
        """Bind an entry to the content of evidence: the same content of the same buyer gives the same value."""
        return _mac(key, "evidence", sha256).hex()

    def request_hash(self, key: bytes, request: bytes) -> str:
        """Name a request (canonical bytes of event, actor, target, parameters), so that a repeat is known."""
        return hmac_sha256(_mac(key, "request"), request).hex()

    def encrypt(self, key: bytes, plaintext: bytes | str, context: str) -> bytes:
        """Encrypt by AES-256-GCM (a text as UTF-8); it can be read only under the same context."""
        nonce = os.urandom(_NONCE)
        plaintext = plaintext.encode() if isinstance(plaintext, str) else plaintext
        return nonce + AESGCM(_mac(key, "encryption")).encrypt(nonce, plaintext, context.encode())

    def decrypt(self, key: bytes, cipher: bytes, context: str) -> bytes:
        """Read what `encrypt` wrote.

        Raises:
            cryptography.exceptions.InvalidTag: another key or context, or the cipher was changed.
        """
        return AESGCM(_mac(key, "encryption")).decrypt(cipher[:_NONCE], cipher[_NONCE:], context.encode())


def reference(key: bytes, buyer_id: str) -> str:
    """Name a buyer in documents and entries: nobody without his key can tell whose name it is."""
    return "b" + _mac(key, "ref", buyer_id).hex()[:24]


def _mac(key: bytes, *parts: str) -> bytes:
    """Authenticate parts under a key, written as JSON, which keeps ("ab", "c") apart from ("a", "bc")."""
    return hmac_sha256(key, f"[{', '.join(map(encode_basestring, parts))}]".encode("utf-8", "surrogatepass"))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Authenticate a message under a key of at most 64 bytes (RFC 2104).

    Not the library's, which looks its algorithm up anew for each message: two of them take a twentieth of a move.
    """
    block = key.ljust(_BLOCK, b"\0")
    inner = sha256(block.translate(_INNER) + message).digest()
    return sha256(block.translate(_OUTER) + inner).digest()


# ------------------------------------------------------------------ masking at the door

_EDGE, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
_SECRET_WORD = r"(?:passwords?|passwd|passcode|pwd|pin|cvv|cvc|secret|密码|口令|卡密|支付密码)"
_CODE_WORD = (
    r"(?:card(?:\s+(?:no|number|code))?|gift\s*code|redeem\s*code|redemption\s*code|activation\s*code|"
    r"licen[cs]e\s*key|serial(?:\s+number)?|cdk(?:ey)?|code|key|卡号|兑换码|激活码|充值码|序列号|注册码|验证码)"
)
# "password: x", "pwd=x", "密码：x": whatever follows
_PASSWORD = re.compile(rf"({_SECRET_WORD}\s*[:：=]\s*)([^\s,，;；。]+)", re.IGNORECASE)
# "password is x1", "密码是x1": only what is no plain word
_PASSWORD_IS = re.compile(
    rf"({_SECRET_WORD}\s*(?:\bis\b|\bwas\b|是|为|\s)\s*)((?=[!-~]*[0-9@#$%^&*_+=~])[!-~]+)", re.IGNORECASE
)
# "code: K7Q2M9", "卡号 1234567890": six and more letters and digits, a digit among them
_CODE = re.compile(
    rf"({_CODE_WORD}\s*(?:[:：=#是为]|\bis\b|\s)\s*)(?=[A-Za-z0-9-]*[0-9])([A-Za-z0-9][A-Za-z0-9-]{{5,}})",
    re.IGNORECASE,
)
# three and more groups of one length, as gift codes are printed
_GROUPS = re.compile(rf"{_EDGE}(?:[A-Za-z0-9]{{4,8}}-){{2,}}[A-Za-z0-9]{{4,8}}{_END}(?!-[A-Za-z0-9])")
_DIGITS = re.compile(rf"{_EDGE}[0-9](?:[ -]?[0-9]){{12,18}}{_END}")
_TOKEN = re.compile(rf"{_EDGE}[A-Za-z0-9]{{10,}}{_END}")
_SWITCH = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
# our own payout numbers, and moments without separators
_HARMLESS = re.compile(r"rf[0-9a-f]{30}|[0-9]{8}T[0-9]{4,6}Z?")


def mask(text: str, keep: Collection[str] = ()) -> str:
    """Blot out card codes, card numbers and passwords in a text; `keep` names ids that look like codes.

    Words, amounts, dates and order ids (letters, then digits; or groups of different lengths) stay.
    """
    for pattern in (_PASSWORD, _PASSWORD_IS, _CODE):
        text = pattern.sub(lambda found: found[0] if found[2] in keep else found[1] + MASK, text)
    for pattern, is_secret in ((_GROUPS, _is_grouped_code), (_DIGITS, _is_card_number), (_TOKEN, _is_code)):
        text = _blot(text, pattern, is_secret, keep)
    return text


def _blot(text: str, pattern: re.Pattern[str], is_secret: Callable[[str], bool], keep: Collection[str]) -> str:
    return pattern.sub(lambda found: MASK if found[0] not in keep and is_secret(found[0]) else found[0], text)


def _is_grouped_code(text: str) -> bool:
    groups = text.split("-")
    printed = any(character.isdigit() for character in text) or text.isupper()
    return printed and len({len(group) for group in groups}) == 1


def _is_card_number(text: str) -> bool:
    """Check the digit of Luhn, which one number in ten passes by chance."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_code(text: str) -> bool:
    """Letters and digits that take turns: "K7Q2M9X4PL", neither "ORD20261122" nor "20261122"."""
    return len(_SWITCH.findall(text)) >= 3 and not _HARMLESS.fullmatch(text)
