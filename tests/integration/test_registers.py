"""Registers under others and under clocks: what an entry stands on was looked at by then, and time never goes back."""

import json
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from refundflow import verifier
from refundflow.errors import BadInput, RoleNotAllowed
from refundflow.service import Refunds
from tests.integration.test_calendar_import import NEXT_YEAR
from tests.support.aged import make_live
from tests.support.databases import Databases
from tests.support.market import CHEN, Market, prepare_live, prepare_rehearsal

AFTER_NEXT = NEXT_YEAR | {"first": "2028-01-01", "last": "2028-12-31", "holidays": ["2028-01-03"], "makeup": []}
ROUNDS = 60


def supervisors(refunds: Refunds) -> list[str]:
    """Return who may change the register of staff."""
    return [member.name for member in refunds.staff_list() if member.active and "supervisor" in member.roles]


def test_of_two_supervisors_who_disable_each_other_one_stays(databases: Databases) -> None:
    """Whoever comes second sees what the first did, however close they are: no database is left without any."""
    url = databases.copy_of("live", prepare_live)
    pair = ("chen", "zhou")
    with Refunds.connect(url) as first, Refunds.connect(url) as second:
        hosts = dict(zip(pair, (first, second), strict=True))
        for _ in range(ROUNDS):
            [left, *_] = supervisors(first)
            for name in pair:
                first.staff_add(name, roles=["supervisor"], actor=f"supervisor:{left}")
            begin = threading.Barrier(2)

            def disable(me: str, other: str, begin: threading.Barrier = begin) -> None:
                begin.wait()
                with suppress(BadInput, RoleNotAllowed):
                    hosts[me].staff_disable(other, actor=f"supervisor:{me}")

            both = [threading.Thread(target=disable, args=names) for names in (pair, pair[::-1])]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
            assert len(supervisors(first)) == 1


def test_a_clock_that_goes_back_moves_no_register_back(databases: Databases, tmp_path: Path) -> None:
    """Keys, calendars and staff go on from their newest entries, and everything verifies and replays."""
    url = databases.empty()
    prepare_rehearsal(url)
    market = Market(url, signing_key=tmp_path / "log.key")
    ahead = market.now = datetime.now(UTC) + timedelta(seconds=50)  # a verifier bears a minute
    market.refunds.staff_add("chen", roles=["supervisor"], actor=CHEN, at=market.at)
    old = market.refunds.key_create(actor=CHEN, at=market.at)
    market.refunds.calendar_import(json.dumps(NEXT_YEAR), source="2027.json", actor=CHEN, at=market.at)
    market.close()
    make_live(url)
    with Refunds.connect(url, signing_key=tmp_path / "log.key") as refunds:
        done = refunds.calendar_import(json.dumps(AFTER_NEXT), source="2028.json", actor=CHEN)
        refunds.staff_add("li", roles=["agent"], actor=CHEN)
        new = refunds.key_rotate(actor=CHEN)
        found = refunds.verify()

        assert found.findings == () and refunds.replay().ok
        assert str(done.last) == "2028-12-31" and refunds.calendar_status().imports == 2
        retired = refunds.keys()[0]
        assert new.since >= ahead and retired.id == old.id and retired.until is not None and retired.until >= ahead
        path = tmp_path / "entries.jsonl"
        refunds.export(format="jsonl", output=str(path), actor=CHEN)
        assert verifier.verify(path, [old.vkey, new.vkey]).findings == []
        with refunds.engine.store.read() as tx:
            for subject in ("keys", "calendar", "staff"):
                moments = [entry.effective_at for entry in tx.entries(subject, order_id="")]
                assert moments == sorted(moments) and moments[-1] >= ahead
