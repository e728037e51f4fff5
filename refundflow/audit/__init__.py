"""The chains: entries sealed onto the hash of the one before, replayed, and verified."""

from refundflow.audit.heads import Outside, held_checkpoints
from refundflow.audit.replay import Finding, Replayed, parse, replay
from refundflow.audit.seal import BODY_VERSION, CHART, fingerprint, seal
from refundflow.audit.verify import Verified, verify
from refundflow.store import Sealed, canonical

__all__ = [
    "BODY_VERSION",
    "CHART",
    "Finding",
    "Outside",
    "Replayed",
    "Sealed",
    "Verified",
    "canonical",
    "fingerprint",
    "held_checkpoints",
    "parse",
    "replay",
    "seal",
    "verify",
]
