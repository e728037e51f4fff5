"""refundflow runs the refunds of a marketplace for virtual goods as persisted, explicit state machines."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refundflow.dossier import write_dossier
    from refundflow.errors import (
        BadInput,
        Busy,
        ChangedMeanwhile,
        NotFound,
        ProofFailed,
        RefundflowError,
        Refused,
        RoleNotAllowed,
    )
    from refundflow.gateways import FakeChannel, Gateway
    from refundflow.orders import OrderRow
    from refundflow.service import Refunds
    from refundflow.values import Attachment, ExportFilters
    from refundflow.worker import Worker

_HOMES = {
    "Attachment": "refundflow.values",
    "BadInput": "refundflow.errors",
    "Busy": "refundflow.errors",
    "ChangedMeanwhile": "refundflow.errors",
    "ExportFilters": "refundflow.values",
    "FakeChannel": "refundflow.gateways",
    "Gateway": "refundflow.gateways",
    "NotFound": "refundflow.errors",
    "OrderRow": "refundflow.orders",
    "ProofFailed": "refundflow.errors",
    "RefundflowError": "refundflow.errors",
    "Refunds": "refundflow.service",
    "Refused": "refundflow.errors",
    "RoleNotAllowed": "refundflow.errors",
    "Worker": "refundflow.worker",
    "write_dossier": "refundflow.dossier",
}

__all__ = [
    "Attachment",
    "BadInput",
    "Busy",
    "ChangedMeanwhile",
    "ExportFilters",
    "FakeChannel",
    "Gateway",
    "NotFound",
    "OrderRow",
    "ProofFailed",
    "RefundflowError",
    "Refunds",
    "Refused",
    "RoleNotAllowed",
    "Worker",
    "write_dossier",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what the package re-exports when it is first asked for: the facade brings the database layer."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
