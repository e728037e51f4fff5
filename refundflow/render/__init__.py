"""The values of the facade as JSON documents and as words: what the command line and the API print alike."""

from refundflow.render.failures import error_json, error_lines
from refundflow.render.wording import due, left, local, money, span

__all__ = ["due", "error_json", "error_lines", "left", "local", "money", "span"]
