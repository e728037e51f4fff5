"""The facade: the only way in, from the command line, over HTTP and from workers alike."""

from refundflow.service.facade import Refunds
from refundflow.store import NEAR

__all__ = ["NEAR", "Refunds"]
