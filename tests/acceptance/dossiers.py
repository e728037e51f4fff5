"""A refund with everything in it, played on a desk, for tests of its dossier."""

from refundflow.messages import Language
from tests.acceptance.desk import Desk

REFUND = "A3-1-1"
NOTE = "主机连续两天无法访问，控制面板显示 502。\nThe panel shows 502."
INTERNAL = "The supplier admits the outage; do not tell yet."
LOG = b"2026-03-02 502 Bad Gateway\n"


def played(desk: Desk) -> Desk:
    """Play a claim with evidence, a refused act, offers, a rejection, an appeal that wins, and its payout."""
    log = desk.file("monitor.log.txt", LOG)
    promise = desk.file("promise.txt", "99.9 %")
    day = "2026-03-{:02}T{}:00+08:00".format
    desk.text(
        f"submit A3 --reason SERVICE_INTERRUPTED --evidence screenshot={log} --note '{NOTE}' --as buyer:b-18 "
        f"--at {day(3, '10:00')}"
    )
    desk.text(f"begin-review {REFUND} --as agent:li")
    desk.text(f"note {REFUND} --message '{INTERNAL}' --audience internal --as agent:li")
    desk.refused(f"approve {REFUND} --as agent:li", 3)
    desk.text(f"offer {REFUND} --amount 5000 --compensation 300 --message 'For ten days.' --as agent:li")
    desk.text(f"counter-offer {REFUND} --amount 29000 --as buyer:b-18 --at {day(3, '15:00')}")
    desk.text(f"decline-offer {REFUND} --as agent:li --at {day(4, '09:00')}")
    desk.text(
        f"reject {REFUND} --ground DELIVERY_PROVEN --message 'It ran for 27 of 28 days.' --as agent:li "
        f"--at {day(5, '09:00')}"
    )
    desk.text(f"appeal {REFUND} --evidence platform_promise={promise} --as buyer:b-18 --at {day(6, '09:00')}")
    desk.text(f"offer {REFUND} --amount 21000 --as agent:zhao --at {day(12, '09:00')}")
    desk.text(f"accept-offer {REFUND} --offer 3 --as buyer:b-18 --at {day(12, '10:00')}")
    desk.text("worker --once")
    return desk


def dossier(desk: Desk, *, language: Language = "en", actor: str = "auditor:sun", refund: str = REFUND) -> str:
    """Write a dossier through the command line and return the page."""
    path = desk.folder / f"{refund}-{language}.html"
    desk.text(f"audit dossier {refund} --output {path} --lang {language} --as {actor}")
    return path.read_text(encoding="utf-8")
