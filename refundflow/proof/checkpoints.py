"""Checkpoints as C2SP tlog-checkpoint writes them: origin, size and root of the log, signed as a note."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from refundflow.errors import ProofFailed
from refundflow.proof.merkle import HASH_SIZE
from refundflow.proof.notes import VerifyingKey, open_note, split_note

_NONE = "this is no checkpoint: origin, size and root, each on a line of its own"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Head:
    """What a checkpoint says: whose log, how many leaves, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Write the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a checkpoint; lines behind the third are extensions, and not read.

        Raises:
            ProofFailed: it is none.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise ProofFailed([_NONE])
        origin, size, root = lines[:3]
        decoded = _root(root)
        if decoded is None or not _SIZE.fullmatch(size):
            raise ProofFailed([_NONE])
        return cls(origin, int(size), decoded)


def opened(note: str, keys: Sequence[VerifyingKey]) -> Head:
    """Return what a signed checkpoint says, once one of the keys verifies it.

    Raises:
        ProofFailed: no key has signed it, a signature is false, or it is no checkpoint.
    """
    return Head.parse(open_note(note, keys))


def unverified(note: str) -> Head:
    """Return what a checkpoint says without looking at its signatures.

    Raises:
        ProofFailed: it is no checkpoint.
    """
    return Head.parse(split_note(note)[0])


def _root(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == HASH_SIZE else None
