"""The facade: the only way in, from the command line, over HTTP and from workers alike."""

from refundflow.service.facade import Refunds

__all__ = ["Refunds"]
