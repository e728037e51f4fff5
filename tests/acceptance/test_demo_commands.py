"""The commands that the demo prints can be typed as they stand."""

from refundflow.demo import CHANNELS, play
from refundflow.gateways import FakeChannel
from refundflow.service import Refunds
from tests.acceptance.desk import Desk


def test_the_commands_to_try_work(empty_desk: Desk) -> None:
    """Each of the three commands is done, and the refund of the appeal moves on."""
    Refunds.init(empty_desk.url, rehearsal=True)
    with Refunds.connect(empty_desk.url) as refunds:
        commands = play(refunds, {name: FakeChannel(name) for name in CHANNELS}).commands

    printed = [empty_desk.text(command) for command in commands]

    assert len(printed) == 3
    assert all(printed)
