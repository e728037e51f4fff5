"""The page of attacks: each with what was found, and those that verification does not find with who could."""

from collections.abc import Iterator, Mapping, Sequence

from docs.generate.markdown import table
from tests.tamper.run import Result

# What is not found by whoever holds one earlier checkpoint: why, and who could find it.
UNDETECTED: Mapping[tuple[str, str], tuple[str, str]] = {
    **{
        ("a changed value", f"`{name}.version`"): (
            "it counts writes, so that two cannot overwrite each other; it says nothing of a refund",
            "nobody needs to",
        )
        for name in ("refunds", "order_lines")
    },
    **{
        ("a changed value", f"`{name}.{column}`"): (
            "which refusal came last, and how often since the newest entry; the next entry binds the number",
            "whoever was refused, by the answers that he got",
        )
        for name in ("refunds", "order_lines")
        for column in ("refusal", "repeats")
    },
    ("a changed value", "`refunds.warned_at`"): (
        "which warnings were given; it moves nothing",
        "who should have been warned",
    ),
    **{
        ("a changed value", f"`payouts.{column}`"): (
            "when the worker asks the channel again; the answer is an entry",
            "operations, by the metrics of payouts in flight",
        )
        for column in ("asked", "next_ask_at")
    },
    ("a changed value", "`calendars.ordinal`"): ("only the order counts, and that is compared", "nobody needs to"),
    ("a changed value", "`personal.buyer`"): (
        "it finds the texts of one buyer; whose text it is stands in the entry that commits to it",
        "nobody needs to",
    ),
    **{
        ("an inserted row", f"`{name}`"): ("no entry commits to it, so it is shown to nobody", "nobody needs to")
        for name in ("personal", "evidence_content")
    },
    ("a changed value", "`checkpoints.made_at`"): (
        "the time of a checkpoint is not signed: a host's clock proves nothing",
        "whoever got the checkpoint, by when he got it",
    ),
    ("the history", "the entries behind the newest checkpoint cut off, with their rows"): (
        "nothing outside knows of them yet; that lasts as long as the cadence, a minute or 1,000 entries",
        "who acted and kept the answer; the channel, of a payout",
    ),
}


def page(results: Sequence[Result]) -> str:
    """Return the page of reference."""
    found = sum(result.detected for result in results)
    parts = (
        "<!-- Written by `python -m tests.tamper`; a test compares it with what happens. Do not edit it by hand. -->",
        "# Tampering, and what finds it",
        "Written by `python -m tests.tamper`, which plays a history, lets somebody who may do everything in the "
        f"database carry out {len(results)} attacks on it, and verifies after each, on SQLite and on PostgreSQL. "
        f"Whoever holds one earlier checkpoint finds {found}; of the others it is said why not, and who could.",
        "## A value, a row",
        "Found by `refundflow audit verify` alone, with nothing else known.",
        table(("attack", "at", "finding"), _simple(results)),
        "## The history as a whole",
        "*Alone* is `refundflow audit verify`; *held* the same with `--checkpoint` and one earlier checkpoint; "
        "*published* the same with `REFUNDFLOW_CHECKPOINTS`.",
        table(("attack", "alone", "held", "published"), _history(results)),
        "## Not found, and who could",
        table(("attack", "at", "why not", "who could"), _undetected(results)),
    )
    return "\n\n".join(parts) + "\n"


def _simple(results: Sequence[Result]) -> Iterator[tuple[str, str, str]]:
    for result in results:
        if result.group != "the history":
            yield result.group, result.name, _short(result.alone or result.held or "–")


def _history(results: Sequence[Result]) -> Iterator[tuple[str, str, str, str]]:
    for result in results:
        if result.group == "the history":
            alone, held, published = (_short(told or "–") for told in (result.alone, result.held, result.published))
            yield result.name, alone, held, published


def _undetected(results: Sequence[Result]) -> Iterator[tuple[str, str, str, str]]:
    for result in results:
        if not result.detected:
            why, who = UNDETECTED[result.group, result.name]
            yield result.group, result.name, why, who


def _short(text: str) -> str:
    """Shorten what names a version or a number in full; what stands in a cell is no Markdown."""
    words = [f"{word[:10]}…" if len(word) > 30 and word.isalnum() else word for word in text.split()]
    return " ".join(words).replace("<", "&lt;")
