"""Hosts whose clocks differ: effective time never goes back, and nobody is in time because his clock is late."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import BUYER, Story, agent

SKEWS = st.lists(st.integers(-900, 900), min_size=1, max_size=8)  # seconds of the host that acts next


@given(skews=SKEWS)
def test_effective_time_never_goes_backwards(skews: list[int]) -> None:
    """Whatever a host's clock says, an entry is never before the one before it."""
    story = Story().reviewing()
    true = story.now
    for number, skew in enumerate(skews):
        true += timedelta(minutes=5)
        story.now = true + timedelta(seconds=skew)
        story.do("flag_risk", agent(), flag=f"f{number}")
        story.sweep()

    moments = [entry.effective_at for entry in story.entries]
    assert moments == sorted(moments)


@given(late=st.integers(1, 900), ahead=st.integers(0, 900))
def test_no_late_act_wins_once_the_lapse_stands(late: int, ahead: int) -> None:
    """After a host has fired a lapse, one whose clock is behind cannot accept what lapsed."""
    story = Story().reviewing().must("offer", agent(), amount=100).at_due("offer", seconds=ahead).sweep()
    story.now -= timedelta(seconds=ahead + late)

    story.do("accept_offer", BUYER)

    assert "WRONG_STATE" in story.codes
    assert story.entries[-1].effective_at >= story.entries[-2].effective_at
