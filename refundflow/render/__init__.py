"""The values of the facade as JSON documents and as words: what the command line and the API print alike."""

from refundflow.render.documents import document, page_json, queue_json, refund_json, verification_json
from refundflow.render.failures import MOMENTS, blocker_words, error_json, error_lines
from refundflow.render.wording import (
    amount,
    due,
    due_words,
    left,
    local,
    moment_words,
    money,
    span,
    span_words,
    stamp,
)

__all__ = [
    "MOMENTS",
    "amount",
    "blocker_words",
    "document",
    "due",
    "due_words",
    "error_json",
    "error_lines",
    "left",
    "local",
    "moment_words",
    "money",
    "page_json",
    "queue_json",
    "refund_json",
    "span",
    "span_words",
    "stamp",
    "verification_json",
]
