"""The values of the facade as JSON documents and as words: what the command line and the API print alike."""

from refundflow.render.documents import document, page_json, queue_json, refund_json, verification_json
from refundflow.render.failures import blocker_words, error_json, error_lines
from refundflow.render.wording import due, left, local, money, span, stamp

__all__ = [
    "blocker_words",
    "document",
    "due",
    "error_json",
    "error_lines",
    "left",
    "local",
    "money",
    "page_json",
    "queue_json",
    "refund_json",
    "span",
    "stamp",
    "verification_json",
]
