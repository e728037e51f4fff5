"""Signed notes as C2SP signed-note writes them: a text, and Ed25519 signatures below it.

A verifying key is written ``NAME+KEYID+BASE64``, a signing key ``PRIVATE+KEY+NAME+KEYID+BASE64``, as the Go
package sumdb/note does.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from refundflow.errors import BadInput, ProofFailed

ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+\x00-\x1f]{1,200}")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
LARGEST = 1_000_000  # characters of a note
MOST_SIGNATURES = 100


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half of a key: a name and 32 bytes."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME+KEYID+BASE64``.

        Raises:
            BadInput: it is none, or its key id is not that of its name and key.
        """
        name, _, rest = text.strip().partition("+")
        told, _, encoded = rest.partition("+")
        public = _decoded(encoded)
        if not _NAME.fullmatch(name) or public is None or len(public) != 33 or public[:1] != ED25519:
            raise BadInput(f"{text.strip()!r} is no Ed25519 verifying key: NAME+KEYID+BASE64", field="key")
        key = cls(name, public[1:])
        if key.id != told:
            raise BadInput(f"the key id of {name} is {key.id}, not {told}: the key was not copied whole", field="key")
        return key

    @property
    def id(self) -> str:
        """Return the four bytes that name the key in a signature, as 8 hexadecimal digits."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4].hex()

    def __str__(self) -> str:
        return f"{self.name}+{self.id}+{_encoded(ED25519 + self.public)}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Tell whether a signature of 64 bytes is this key's over a text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """A key with its private half; it never shows that by itself."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make a new key.

        Raises:
            BadInput: the name is empty or has a plus or a space in it.
        """
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} names no key: no spaces, no +, such as refunds.example/shop", field="origin")
        return cls(name, secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``PRIVATE+KEY+NAME+KEYID+BASE64``.

        Raises:
            BadInput: it is none; what was read is not repeated.
        """
        private, _, rest = text.strip().partition(_PRIVATE)
        name, _, rest = rest.partition("+")
        told, _, encoded = rest.partition("+")
        seed = _decoded(encoded)
        if private or not _NAME.fullmatch(name) or seed is None or len(seed) != 33 or seed[:1] != ED25519:
            raise BadInput("no Ed25519 signing key: PRIVATE+KEY+NAME+KEYID+BASE64 is expected", field="key")
        key = cls(name, seed[1:])
        if key.verifying.id != told:
            raise BadInput(f"the key id of {name} is not {told}: the key was not copied whole", field="key")
        return key

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def verifying(self) -> VerifyingKey:
        """Return the public half."""
        return VerifyingKey(self.name, self._private.public_key().public_bytes_raw())

    def written(self) -> str:
        """Write the key with its private half, for its file."""
        return f"{_PRIVATE}{self.name}+{self.verifying.id}+{_encoded(ED25519 + self.seed)}"

    def sign(self, text: str) -> bytes:
        """Return the signature of 64 bytes over a text."""
        return self._private.sign(text.encode())


def sign_note(text: str, *keys: SigningKey) -> str:
    """Sign a text that ends with a newline by one key or several.

    Raises:
        ValueError: the text cannot stand in a note.
    """
    if not text.endswith("\n") or _CONTROL.search(text):
        raise ValueError("a note is lines of text without control characters, each with its newline")
    lines = [f"— {key.name} {_encoded(bytes.fromhex(key.verifying.id) + key.sign(text))}\n" for key in keys]
    return f"{text}\n{''.join(lines)}"


def open_note(note: str, keys: Sequence[VerifyingKey]) -> str:
    """Return the text of a note that one of the keys has signed; signatures of other keys do not count.

    Raises:
        ProofFailed: it is no signed note, no key has signed it, or a signature in the name of a key is not the key's.
    """
    text, signatures = split_note(note)
    by_name = {(key.name, key.id): key for key in keys}
    signed = False
    for name, key_id, signature in signatures:
        key = by_name.get((name, key_id))
        if key is None:
            continue
        if not key.verifies(text, signature):
            raise ProofFailed([f"the signature of {name} ({key_id}) is not over this text"])
        signed = True
    if not signed:
        told = ", ".join(f"{name} ({key_id})" for name, key_id, _ in signatures)
        known = ", ".join(f"{key.name} ({key.id})" for key in keys) or "none"
        raise ProofFailed([f"no known key has signed it: it is signed by {told}, known are {known}"])
    return text


def split_note(note: str) -> tuple[str, list[tuple[str, str, bytes]]]:
    """Return the text of a note and its signatures as (name, key id, 64 bytes or another number), unverified.

    Raises:
        ProofFailed: it is no signed note.
    """
    head, blank, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if len(note) > LARGEST or _CONTROL.search(note) or not blank or lines.pop() or not lines:
        raise ProofFailed(["this is no signed note: a text, an empty line, signature lines"])
    if len(lines) > MOST_SIGNATURES:
        raise ProofFailed([f"a note with more than {MOST_SIGNATURES} signatures is not read"])
    signatures = []
    for line in lines:
        found = _SIGNATURE.fullmatch(line)
        raw = _decoded(found[2]) if found else None
        if found is None or raw is None or len(raw) < 5:
            raise ProofFailed(["this is no signed note: a signature line cannot be read"])
        signatures.append((found[1], raw[:4].hex(), raw[4:]))
    return head + "\n", signatures


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decoded(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _encoded(raw) == text else None
