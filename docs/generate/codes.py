"""The page of codes: errors with exit and HTTP status, blockers in words, and the coded lists."""

import re
from collections.abc import Iterator

from docs.generate.markdown import code, first_sentence, table
from docs.generate.markdown import page as whole_page
from refundflow import errors, messages
from states import codes

_PARAMETER = re.compile(r"{(\w+)")
_EXIT = (
    (0, "done, or already done by the same key"),
    (1, "failure"),
    (2, "usage: an argument, a file or a setting cannot be used"),
    (3, "refused by the chart or a rule"),
    (4, "role not allowed, or not registered"),
    (5, "not found, or not yours to see"),
    (6, "changed meanwhile or busy: nothing was done"),
    (7, "reserved"),
    (8, "proof failed"),
    (errors.INTERRUPTED, "interrupted from the keyboard"),
)
_LISTS = (
    ("Product types", codes.PRODUCT_TYPES),
    ("Usage", codes.USAGES),
    ("Reasons", codes.REASONS),
    ("Grounds of rejection", codes.GROUNDS),
    ("Evidence kinds", codes.EVIDENCE_KINDS),
    ("Answers to an enquiry", codes.ANSWERS),
    ("Roles", codes.ROLES),
    ("Channels", codes.CHANNELS),
)


def page() -> str:
    """Return the page."""
    return whole_page(
        "Codes",
        "## Exit status",
        table(("exit status", "meaning"), _EXIT),
        "## Errors",
        "Every error is a `refundflow.RefundflowError` with `code`, `message` and typed fields. With `--json` the "
        "command line prints it on stderr as `{code, message, blockers, possible}`. A refusal has the code of its "
        "first blocker; arguments that the command line cannot read have `USAGE` and exit status 2.",
        table(("code", "class", "exit", "HTTP", "meaning"), _errors()),
        "## Blockers",
        "A blocked act is refused with every blocker that can be judged. Each has its code, its parameters, and "
        "`until` where time lifts it. Exit status 3 and HTTP 409; the two of kind *role* have 4 and 403.",
        table(("code", "parameters", "in words", "中文", "exit", "HTTP"), _blockers()),
        "## Coded lists",
        *(part for title, words in _LISTS for part in (f"### {title}", code(*words))),
    )


def _errors() -> Iterator[tuple[object, ...]]:
    for kind in _tree(errors.RefundflowError):
        status = errors.STATUS[kind.kind]
        shown = "of the first blocker" if kind is errors.Refused else code(kind.kind)
        yield shown, code(kind.__name__), status.exit, status.http, first_sentence(kind.__doc__)


def _tree(kind: type[errors.RefundflowError]) -> Iterator[type[errors.RefundflowError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


def _blockers() -> Iterator[tuple[object, ...]]:
    for name, said in sorted(messages.BLOCKERS.items()):
        status = errors.STATUS.get(name, errors.STATUS["REFUSED"])
        named = dict.fromkeys(_PARAMETER.findall(said.en))
        yield code(name), code(*named), _plain(said.en), _plain(said.zh), status.exit, status.http


def _plain(sentence: str) -> str:
    """Write the parameters of a sentence without their forms, e.g. ``{amount:money}`` → ``{amount}``."""
    return re.sub(r"{(\w+):\w+}", r"{\1}", sentence)
