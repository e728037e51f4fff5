"""The log of all entries: its Merkle tree, signed checkpoints, proofs, and how they leave the database."""

from refundflow.proof.checkpointer import Cadence
from refundflow.proof.checkpoints import Head, opened, unverified
from refundflow.proof.keys import KnownKey, known_keys, origin_of, read_key, sign
from refundflow.proof.log import Checkpoint, Log
from refundflow.proof.notes import SigningKey, VerifyingKey, open_note, sign_note
from refundflow.proof.proofs import check

__all__ = [
    "Cadence",
    "Checkpoint",
    "Head",
    "KnownKey",
    "Log",
    "SigningKey",
    "VerifyingKey",
    "check",
    "known_keys",
    "open_note",
    "opened",
    "origin_of",
    "read_key",
    "sign",
    "sign_note",
    "unverified",
]
