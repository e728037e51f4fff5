"""The chains: entries sealed onto the hash of the one before, replayed, and verified."""

from refundflow.audit.compare import Compared, Difference, compare
from refundflow.audit.heads import Outside, held_checkpoints
from refundflow.audit.past import Past, line_at
from refundflow.audit.replay import Finding, Replayed, parse, replay
from refundflow.audit.seal import BODY_VERSION, CHART, fingerprint, seal
from refundflow.audit.verify import Verified, verify
from refundflow.store import Sealed, canonical

__all__ = [
    "BODY_VERSION",
    "CHART",
    "Compared",
    "Difference",
    "Finding",
    "Outside",
    "Past",
    "Replayed",
    "Sealed",
    "Verified",
    "canonical",
    "compare",
    "fingerprint",
    "held_checkpoints",
    "line_at",
    "parse",
    "replay",
    "seal",
    "verify",
]
