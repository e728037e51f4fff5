"""Payment channels behind one port: the port's values and the scripted fake channel."""

from refundflow.gateways.fake import SCRIPTS, BillRow, FakeChannel
from refundflow.gateways.port import Gateway, Notification, Outcome, PayoutOrder

__all__ = ["SCRIPTS", "BillRow", "FakeChannel", "Gateway", "Notification", "Outcome", "PayoutOrder"]
