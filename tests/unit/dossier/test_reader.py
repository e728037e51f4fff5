"""What a reader is told: in his language, his zone, his way to write money, with codes in words."""

from datetime import timedelta

import pytest

from refundflow.dossier.html import Markup
from refundflow.dossier.reader import Reader
from refundflow.messages import Language
from states import times
from states.case import Blocker
from tests.support.pages import START


def reader(language: Language) -> Reader:
    """Make a reader in Shanghai."""
    return Reader(language=language, zone="Asia/Shanghai", currency="CNY", now=START)


@pytest.mark.parametrize(
    ("blocker", "english", "chinese"),
    [
        (
            Blocker(code="EVIDENCE_INCOMPLETE", params={"missing": ["login_log", "screenshot"]}),
            "still missing: login log, screenshot;",
            "仍缺少：登录日志, 截图；",
        ),
        (
            Blocker(code="USAGE_CHANGED", params={"then": "unused", "now": "partly_used"}),
            "the usage was unused when the offer was made and is partly used now",
            "报价时使用状态为 未使用，现为 部分使用",
        ),
        (
            Blocker(code="AMOUNT_EXCEEDS_LEFT", params={"amount": 123456, "left": 0}),
            "CN¥1,234.56 is more than the CN¥0.00 left",
            "¥1,234.56 超过订单行剩余的 ¥0.00",
        ),
        (
            Blocker(code="PROMISE_NOT_BROKEN", until=times.text(START + timedelta(hours=14))),
            "the promised time is not over yet, until Mon 2 Mar 2026, 24:00",
            "承诺时间尚未到，至 2026年3月2日（周一）24:00 为止",
        ),
        (Blocker(code="NEVER_HEARD_OF", params={"x": 1}), "NEVER_HEARD_OF x=1", "NEVER_HEARD_OF x=1"),
    ],
)
def test_a_refusal_is_told_in_words(blocker: Blocker, english: str, chinese: str) -> None:
    """Codes, amounts and moments of a refusal are written as the reader writes them."""
    assert reader("en").blocker(blocker).startswith(english)
    assert reader("zh").blocker(blocker).startswith(chinese)


@pytest.mark.parametrize(
    ("rule", "english", "chinese"),
    [
        ("1 working days", "1 working day", "1 个工作日"),
        ("0 working days left", "0 working days left", "剩余 0 个工作日"),
        ("48 hours elapsed", "48 hours", "48 小时"),
        ("3 civil days, extended by 2 days", "3 civil days, extended by 2 days", "3 个自然日，延长 2 天"),
        ("24 hours elapsed, again", "24 hours, again", "24 小时，再次"),
    ],
)
def test_how_a_deadline_was_counted(rule: str, english: str, chinese: str) -> None:
    """The rule of a deadline is said in the language."""
    assert reader("en").rule(rule) == english
    assert reader("zh").rule(rule) == chinese


def test_persons() -> None:
    """A person is told by role and name, the system by its role, a channel by its own name, who was erased as such."""
    told = reader("zh")

    assert told.person("agent", "li") == '客服 <bdi dir="auto">li</bdi>'
    assert told.person("system", "system") == "系统"
    assert told.person("agent", "staff") == "客服"
    assert told.person("channel", "alipay") == "支付渠道 支付宝"
    assert told.person("buyer", None) == told.person("buyer", "erased") == "买家 <em>(已抹除)</em>"


def test_a_label_takes_markup_and_escapes_text() -> None:
    """What is put into a sentence is escaped unless it is markup already."""
    assert reader("en").rich("grounds", grounds="<b>") == "Grounds: &lt;b&gt;."
    assert reader("en").rich("grounds", grounds=Markup("<b>x</b>")) == "Grounds: <b>x</b>."
