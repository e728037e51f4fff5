"""A host under load that may be killed at any moment: it acts at random and tells what was acknowledged."""

import itertools
import json
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from refundflow.errors import Refused
from refundflow.gateways.fake import FakeChannel
from refundflow.service import Refunds
from tests.support.market import BUYER, CHEN, LI, SHOP, ZHAO, a_file, order_row

SHARED = tuple(f"S{number}" for number in range(4))  # orders that all hosts act on
AMOUNT = 4_000


def run(url: str, channel: str, seed: int, told: Connection) -> None:
    """Act for ever; after each call that returned tell its chain, its key and the chain's newest entry."""
    choice = Random(seed)
    with Refunds.connect(url, gateways={"fake": FakeChannel(path=channel)}) as refunds:
        host = _Host(refunds, choice, seed, told)
        for number in itertools.count():
            if choice.random() < 0.4:
                host.act_on_shared(number)
            else:
                host.live_a_life(f"H{seed}.{number}")


class _Host:
    def __init__(self, refunds: Refunds, choice: Random, seed: int, told: Connection) -> None:
        self._refunds, self._choice, self._seed, self._told = refunds, choice, seed, told
        self._keys = itertools.count()

    def live_a_life(self, order: str) -> None:
        """Register an order and drive a refund of it some way."""
        line = self._refunds.register_order(order_row(order, amount_minor=AMOUNT), actor=SHOP)
        self._acknowledge(f"{order}/1", None, line.seq)
        refund = self._act("submit", order, reason="FRAUD", note="Not me.", evidence=[a_file()], actor=BUYER)
        self._act("begin_review", refund, actor=LI)
        way = self._choice.choice(("approve", "reject", "offer", "withdraw", "note"))
        match way:
            case "approve":
                self._act(way, refund, actor=LI)
                self._refunds.work()
            case "reject":
                self._act(way, refund, actor=LI, grounds=["DELIVERY_PROVEN"], message="It was delivered.")
                self._act("appeal", refund, actor=BUYER, message="It was not delivered.")
                self._act("overturn", refund, actor=ZHAO, message="indeed")
            case "offer":
                self._act(way, refund, actor=CHEN, amount=100, compensation=100)
                self._act("accept_offer", refund, actor=BUYER)
            case "withdraw":
                self._act(way, refund, actor=BUYER)
            case _:
                self._act(way, refund, actor=LI, message="called")

    def act_on_shared(self, number: int) -> None:
        """Do something on an order on which everybody else acts too."""
        order = self._choice.choice(SHARED)
        try:
            if number % 2:
                self._act("record_captured", order, amount=self._choice.randrange(AMOUNT, 9 * AMOUNT), actor=SHOP)
            else:
                self._act("submit", order, reason="FRAUD", amount=1, actor=BUYER)
        except Refused as refused:
            if refused.code == "REFUND_IN_PROGRESS":
                refund = str(refused.blockers[0].params["refund"])
                self._act("note", refund, message="asked again", actor=LI)

    def _act(self, method: str, target: str, **terms: Any) -> str:
        key = f"{self._seed}.{next(self._keys)}"
        answer = getattr(self._refunds, method)(target, key=key, **terms)
        subject: str = getattr(answer, "id", f"{target}/1")
        self._acknowledge(subject, key, answer.seq)
        return subject

    def _acknowledge(self, subject: str, key: str | None, seq: int) -> None:
        self._told.send_bytes(json.dumps([subject, key, seq]).encode())
