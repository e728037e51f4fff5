"""refundflow runs the refunds of a marketplace for virtual goods as persisted, explicit state machines."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refundflow.errors import RefundflowError
    from refundflow.service import Refunds
    from refundflow.values import Attachment

_HOMES = {
    "Attachment": "refundflow.values",
    "RefundflowError": "refundflow.errors",
    "Refunds": "refundflow.service",
}

__all__ = ["Attachment", "RefundflowError", "Refunds"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what the package re-exports when it is first asked for: the facade brings the database layer."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
