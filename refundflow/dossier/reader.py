"""The reader of one dossier: language and time zone, and how labels, codes, money and moments are written for him."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import Formatter
from zoneinfo import ZoneInfo

from refundflow import messages, render, words
from refundflow.dossier.html import Child, Markup, code, join, said, tag
from refundflow.dossier.labels import LABELS
from refundflow.messages import Language, Sentence
from states import clocks, times
from states.case import Blocker, Json

HTML_LANGUAGE: Mapping[Language, str] = {"en": "en", "zh": "zh-Hans"}
ERASED = "erased"  # how the facade names a buyer whose data was erased
# How the rules say a deadline's length, and how a Chinese reader does.
_RULES = (
    (re.compile(r"(\d+) working days left"), r"剩余 \1 个工作日"),
    (re.compile(r"(\d+) working days"), r"\1 个工作日"),
    (re.compile(r"(\d+) civil days"), r"\1 个自然日"),
    (re.compile(r"(\d+) hours elapsed"), r"\1 小时"),
    (re.compile(r"(\d+) minutes elapsed"), r"\1 分钟"),
    (re.compile(r", extended by (\d+) days"), r"，延长 \1 天"),
    (re.compile(r", again"), "，再次"),
)
# Which coded list a parameter of a blocker is of.
_PARAMETERS: Mapping[str, Mapping[str, Sentence]] = {
    "missing": words.EVIDENCE, "kinds": words.EVIDENCE, "usage": words.USAGES, "then": words.USAGES,
    "now": words.USAGES, "event": words.EVENTS, "channel": words.CHANNELS, "roles": words.ROLES,
    "reasons": words.REASONS, "reason": words.REASONS, "product": words.PRODUCTS, "deadline": words.DEADLINES,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Who reads: everything that depends on the language goes through here."""

    language: Language
    zone: str
    currency: str
    now: datetime

    # texts of the page

    def label(self, key: str, **params: object) -> str:
        """Say a label; its parameters are plain text."""
        sentence: str = getattr(LABELS[key], self.language)
        return sentence.format(**params)

    def rich(self, key: str, **params: Child) -> Markup:
        """Say a label whose parameters may be markup."""
        parts: list[Child] = []
        for plain, name, _, _ in Formatter().parse(getattr(LABELS[key], self.language)):
            parts.append(plain)
            if name is not None:
                parts.append(params[name])
        return join(parts)

    def word(self, known: Mapping[str, Sentence], value: object) -> str:
        """Say a code in words."""
        return words.word(known, str(value), self.language)

    def state(self, state: str) -> str:
        """Say a state in words."""
        return messages.state_words(state, self.language)

    def listed(self, items: Iterable[str]) -> str:
        """Write items one after the other."""
        return ("、" if self.language == "zh" else ", ").join(items)

    def coded(self, known: Mapping[str, Sentence], value: object) -> Markup:
        """Say a code in words with the code itself beside it; what is none of the list stands alone."""
        if value not in known:
            return said(str(value))
        return join([self.word(known, value), " ", tag("small", code(value))])

    # money and time

    def money(self, minor: int, currency: str | None = None) -> Markup:
        """Write an amount that does not break."""
        return tag("span", render.amount(minor, currency or self.currency, self.language), class_="nb")

    def plain_money(self, minor: int) -> str:
        """Write an amount as text."""
        return render.amount(minor, self.currency, self.language)

    def moment(self, moment: datetime) -> Markup:
        """Write a moment as prose does."""
        return _time(moment, render.moment_words(moment, self.zone, self.language))

    def when(self, event: str, moment: datetime) -> Markup:
        """Write when something happened: what a deadline caused, at the moment that it was due."""
        return self.due(moment) if event in clocks.EVENTS.values() else self.moment(moment)

    def due(self, moment: datetime) -> Markup:
        """Write a due moment: midnight is 24:00 of the day that it ends."""
        return _time(moment, render.due_words(moment, self.zone, self.language))

    def day(self, moment: datetime) -> str:
        """Write a short day for an axis, e.g. "3 Mar" or "3月3日"."""
        there = moment.astimezone(ZoneInfo(self.zone))
        return f"{there.month}月{there.day}日" if self.language == "zh" else f"{there.day} {there:%b}"

    def span(self, length: timedelta) -> str:
        """Write a length of time."""
        return render.span_words(length, self.language)

    def rule(self, rule: str) -> str:
        """Say how a deadline was counted."""
        if self.language == "en":
            return re.sub(r"\b1 (working|civil) days", r"1 \1 day", rule).replace(" elapsed", "")
        for pattern, told in _RULES:
            rule = pattern.sub(told, rule)
        return rule

    # persons and refusals

    def person(self, role: str, name: str | None) -> Markup:
        """Name who acted: the role in words, and the name where it tells more."""
        shown = self.word(words.ROLES, role)
        if name in (None, ERASED):
            return join([shown, " ", tag("em", f"({self.label('erased')})")])
        if role == "system" or name in ("staff", role):
            return join(shown)
        if role == "channel":
            return join([shown, " ", self.word(words.CHANNELS, name)])
        return join([shown, " ", said(str(name))])

    def blocker(self, blocker: Blocker) -> str:
        """Say why something was refused."""
        params = {name: self._told(name, value) for name, value in blocker.params.items()}
        reason = messages.sentence(blocker.code, params, language=self.language, money=self.plain_money)
        if blocker.until is None:
            return reason
        until = render.due_words(times.moment(blocker.until), self.zone, self.language)
        return self.label("blocked_until", reason=reason, time=until)

    def _told(self, name: str, value: Json) -> Json:
        """Write a parameter of a blocker: moments in the zone, codes in words, whatever they are lists of."""
        if isinstance(value, list | tuple):
            return [self._told(name, item) for item in value]
        if name in render.MOMENTS and isinstance(value, str):
            return render.due_words(times.moment(value), self.zone, self.language)
        return self.word(_PARAMETERS[name], value) if name in _PARAMETERS else value


def _time(moment: datetime, words_of_it: str) -> Markup:
    written = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return tag("time", words_of_it, datetime=written, class_="nb")


def capital(text: str) -> str:
    """Begin a text with a capital."""
    return text[:1].upper() + text[1:]
