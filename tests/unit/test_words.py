"""The coded lists in words: complete, in both languages, each word its own."""

import re
from collections.abc import Mapping

import pytest

from refundflow import messages, words
from refundflow.dossier.labels import LABELS
from refundflow.messages import Sentence
from states import clocks, codes
from states.chart import phase_of
from states.decide import EVENTS
from states.line import FACTS
from states.refund_v1 import TABLE

BESIDE = {"registered", "first_fell", "deadline_recomputed", "stray_payment", "effect_discarded", "late_reversal"}
LISTS: Mapping[str, tuple[Mapping[str, Sentence], set[str]]] = {
    "events": (words.EVENTS, {*TABLE.events, *EVENTS, *FACTS, *clocks.EVENTS.values(), *BESIDE}),
    "reasons": (words.REASONS, set(codes.REASONS)),
    "grounds": (words.GROUNDS, set(codes.GROUNDS)),
    "evidence": (words.EVIDENCE, set(codes.EVIDENCE_KINDS)),
    "products": (words.PRODUCTS, set(codes.PRODUCT_TYPES)),
    "usages": (words.USAGES, set(codes.USAGES)),
    "roles": (words.ROLES, set(codes.ROLES)),
    "channels": (words.CHANNELS, set(codes.CHANNELS)),
    "answers": (words.ANSWERS, set(codes.ANSWERS)),
    "deadlines": (words.DEADLINES, set(clocks.EVENTS)),
    "leaves": (words.LEAVES, set(TABLE.leaves)),
    "phases": (words.PHASES, {phase_of(leaf) for leaf in TABLE.leaves}),
}
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_PUNCTUATION = re.compile("[，：。]")
_SAME = ("Stripe", "SHA-256", "{event} → {state}")


@pytest.mark.parametrize("name", sorted(LISTS))
def test_every_code_has_its_words(name: str) -> None:
    """No code of the workflow is left without words."""
    known, needed = LISTS[name]

    assert needed <= set(known)


@pytest.mark.parametrize("known", [*(known for known, _ in LISTS.values()), words.ATTEMPTS, words.ENDS, LABELS])
def test_both_languages_say_it(known: Mapping[str, Sentence]) -> None:
    """Every word and label stands in both languages, with the same parameters."""
    for code, sentence in known.items():
        assert sentence.en and not _CHINESE.search(sentence.en), code
        assert _CHINESE.search(sentence.zh) or _PUNCTUATION.search(sentence.zh) or sentence.en in _SAME, code
        assert set(re.findall(r"{(\w+)}", sentence.zh)) <= set(re.findall(r"{(\w+)}", sentence.en)), code


def test_the_states_are_said_as_everywhere() -> None:
    """Every leaf has the words of the messages too."""
    assert set(words.LEAVES) == set(messages.STATES)


def test_an_unknown_code_stands_as_it_is() -> None:
    """A code of a later version is shown, not hidden."""
    assert words.word(words.EVENTS, "teleported", "zh") == "teleported"
    assert words.word(words.ROLES, "buyer", "zh") == "买家"
