"""What people read: every blocker code has a sentence in both languages that its parameters fill."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import states
from refundflow import messages
from states.refund_v1 import TABLE

STATES = Path(states.__file__).parent


def codes_of_the_rules() -> dict[str, set[str]]:
    """Read every blocker that the rules build: its code, and its parameters where they are written in place."""
    found: dict[str, set[str]] = {}
    for file in STATES.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Blocker":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                code, params = given["code"], given.get("params")
                if isinstance(code, ast.Constant) and (params is None or isinstance(params, ast.Dict)):
                    keys = params.keys if isinstance(params, ast.Dict) else []
                    found[str(code.value)] = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return found


def slots(sentence: str) -> set[str]:
    """Return the parameters that a sentence shows."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_every_code_of_the_workflow_has_a_sentence(shared: Path) -> None:
    """Every blocker code that the workflow names can be said in words."""
    text = (shared / "workflow.md").read_text(encoding="utf-8")
    section = text.split("## Blocker codes")[1].split("## ")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])`", section))

    assert named - set(messages.BLOCKERS) == set()


def test_every_code_of_the_rules_has_a_sentence() -> None:
    """Every blocker that the rules build can be said in words."""
    assert set(codes_of_the_rules()) - set(messages.BLOCKERS) == set()


@pytest.mark.parametrize("code", sorted(codes_of_the_rules()))
def test_a_sentence_shows_only_what_the_rule_gives(code: str) -> None:
    """A sentence asks for no parameter that the rule does not give, so that no blank is ever shown."""
    given = codes_of_the_rules()[code]

    assert slots(messages.BLOCKERS[code].en) <= given
    assert slots(messages.BLOCKERS[code].zh) <= given


@pytest.mark.parametrize("code", sorted(messages.BLOCKERS))
def test_both_languages_say_the_same(code: str) -> None:
    """The English and the Chinese sentence of a code show the same parameters, and both say something."""
    sentence = messages.BLOCKERS[code]

    assert sentence.en.strip() and sentence.zh.strip()
    assert slots(sentence.en) == slots(sentence.zh)


def test_every_state_of_the_chart_has_words() -> None:
    """Every state of the chart is said in words in both languages, and no other."""
    assert set(messages.STATES) == set(TABLE.leaves)


def test_amounts_are_written_by_the_given_writer() -> None:
    """An amount in a sentence is written as money when the currency is known."""
    said = messages.sentence(
        "AMOUNT_EXCEEDS_LEFT", {"amount": 900, "left": 500}, money=lambda minor: f"{minor / 100:.2f} CNY"
    )

    assert said == "9.00 CNY is more than the 5.00 CNY left on the order line"


def test_lists_are_written_with_commas_and_nothing_as_a_dash() -> None:
    """A list of codes reads as a list; what a refusal does not carry is shown as a dash."""
    assert messages.sentence("CHARGEBACK_OPEN", {"ids": ["a", "b"]}) == "a chargeback is open: a, b"
    assert messages.sentence("CHARGEBACK_OPEN", {}) == "a chargeback is open: –"


def test_braces_in_a_parameter_stay_text() -> None:
    """What a caller wrote is never read as a place for a parameter."""
    said = messages.sentence("UNKNOWN_REASON", {"reason": "{0.__class__}"})

    assert said.startswith("no such reason: {0.__class__}; one of ")


def test_chinese_is_said_on_demand() -> None:
    """A Chinese reader gets the Chinese sentence."""
    assert messages.sentence("NOT_PAID", {}, language="zh") == "订单尚未付款"


def test_an_unknown_code_is_said_as_it_stands() -> None:
    """A code without a sentence is not hidden: code and parameters are shown."""
    assert messages.sentence("SOMETHING_NEW", {"a": 1}) == "SOMETHING_NEW a=1"
