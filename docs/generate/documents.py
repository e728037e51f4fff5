"""The page of JSON keys: what ``--json`` prints for every value of the facade."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from docs.generate.markdown import code, first_sentence, table
from docs.generate.markdown import page as whole_page
from docs.generate.meanings import MEANINGS
from refundflow import values
from states.case import Blocker

SHOWN = (
    (values.Refund, "every act on a refund, `show`; `list` prints them in `refunds` with `after`; `queue` adds "
                    "`turn` and `urgency`"),
    (values.Deadline, "`deadline`, `deadlines`"),
    (values.Evidence, "`evidence`"),
    (values.Offer, "`offer`, `offers`"),
    (values.Attempt, "`attempts`"),
    (values.First, "`firsts`"),
    (values.Imported, "`imported`"),
    (values.HistoryEntry, "`history`"),
    (values.Dossier, "`audit dossier`"),
    (values.Check, "`check`"),
    (values.Explanation, "`explain`"),
    (values.QueueItem, "`queue`: these keys beside those of the refund"),
    (values.Page, "`list`"),
    (values.OrderLine, "facts of an order line, `line`"),
    (values.StaffMember, "`staff`"),
    (values.Verification, "`audit verify`, with `ok`"),
    (values.Finding, "`findings`"),
    (values.PersonalData, "`privacy show`"),
    (values.StoredText, "`texts` of `privacy show`"),
    (values.StoredFile, "`files` of `privacy show`"),
    (values.HistoryImport, "`history import`"),
    (values.Erasure, "`privacy erase`"),
    (values.Replay, "`audit replay`, with `ok`"),
    (values.Difference, "`differences`"),
    (values.Work, "`worker`"),
    (values.Delivered, "`worker` with a receiver, beside the keys above"),
    (values.PendingEffect, "`effects`"),
    (values.CalendarStatus, "`calendar status`"),
    (values.CalendarImport, "`calendar import`"),
    (values.Exported, "`audit export`, with `format` and `output`"),
    (values.Checkpoint, "`audit checkpoint`, `audit checkpoints`"),
    (values.LogKey, "`audit keys`"),
    (values.Checked, "`audit check`"),
)  # fmt: skip
# What has no value of its own: command, keys.
OTHERS = (
    ("audit export --as-of", "`rows` (lines and refunds written), `format`, `output`"),
    ("audit verify PATH, audit verify --refund", "`ok`, `origin` and `size` (of the log), `chains`, `entries`, "
     "`imported` (entries of other systems), `findings` (each `code`, `subject`, `seq`, `leaf`, `since`, `what`), "
     "`limits` (what could not be judged)"),
    ("audit verify --rules", "beside the keys of *Verification* `rules`, with the keys of the line above"),
    ("audit verifier", "`output`, `lines`"),
    ("audit prove, audit consistency", "the proof itself; with `--output`: `format` and `output`"),
    ("calendar show", "`version`, `first`, `last`, `days` (each `day`, `what`)"),
    ("chart", "`chart` (its version), `mermaid`, and the lists that `chart` prints as tables"),
    ("demo", "`orders`, `refunds`, `now`, `queue`, `commands`, `database_url`"),
    ("doctor", "a list, each `what`, `verdict`, `detail`"),
    ("history import", "beside the keys above `rejects`: where bad cases went, null where there were none"),
    ("init", "`mode`: `live` or `rehearsal`"),
    ("orders import", "`registered`, `changed`, `unchanged`, `rejected`, `rejects`"),
    ("policy check", "`ok`, `version`"),
    ("policy show", "`version`, `content`"),
    ("rehearse", "`rule`, and what the summary counts"),
    ("upgrade", "`pending`, `applied`"),
)  # fmt: skip
_PLAIN = {
    str: "text",
    int: "integer",
    bool: "true or false",
    datetime: "time",
    date: "date",
    NoneType: "null",
    Any: "value",
}
_ERRORS = (
    ("code", "text", "the stable code of the error, of the first blocker for a refusal"),
    ("message", "text", "the error in words"),
    ("blockers", "list of blockers", "each `{code, …parameters, until}`; `until` is null where time does not lift it"),
    ("possible", "list of text", "events that are possible instead"),
)


def page() -> str:
    """Return the page."""
    parts = []
    for kind, where in SHOWN:
        parts += [f"## {kind.__name__}", f"{first_sentence(kind.__doc__)} Printed by: {where}."]
        parts.append(table(("key", "type", "meaning"), rows(kind)))
    return whole_page(
        "JSON keys",
        "With `--json` every command prints one JSON document on stdout; an error goes to stderr. Keys are never "
        "left out: an absent value is null. Amounts are integers in minor units, times are UTC with microseconds "
        "(`2026-03-02T01:00:00.000000Z`). A buyer is told less: no flags, no assignee, no names of staff.",
        "## Errors",
        table(("key", "type", "meaning"), _ERRORS),
        *parts,
        "## Others",
        table(("command", "keys"), [(code(command), keys) for command, keys in OTHERS]),
    )


def rows(kind: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield key, type and meaning of every field of a value."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        own = f"{kind.__name__}.{field.name}"
        yield code(field.name), _words(hints[field.name]), MEANINGS.get(own) or MEANINGS.get(field.name, "")


def _words(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is UnionType:
        return " or ".join(_words(item) for item in arguments)
    if origin is tuple:
        return f"list of {_many(arguments[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "object"
    return f"[{hint.__name__}](#{hint.__name__.lower()})" if hint is not Blocker else "blocker"


def _many(hint: Any) -> str:
    return {"blocker": "blockers", "integer": "integers"}.get(word := _words(hint), word)
