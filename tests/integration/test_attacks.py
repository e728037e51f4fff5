"""What an attacker tries through the facade: another buyer's refunds, texts that are not his to read."""

from tests.support.market import BUYER, LI, SHOP, Market


def two_buyers(market: Market) -> tuple[str, str]:
    """Submit a refund of wang and one of zhang."""
    market.order("Z1", buyer_id="zhang")
    return market.submit().id, market.submit("Z1", actor="buyer:zhang").id


def test_a_service_that_acts_for_a_buyer_has_his_queue_and_his_list_only(market: Market) -> None:
    """Another buyer's refund neither shows up in a queue or a list nor keeps it from being shown."""
    own, _ = two_buyers(market)

    queue = market.refunds.queue(actor=SHOP, buyer="wang", at=market.at)
    page = market.refunds.list(actor=SHOP, buyer="wang", customer="zhang", at=market.at)

    assert [item.refund.id for item in queue] == [own] == [item.id for item in page.refunds]


def test_a_buyer_reads_no_text_of_the_staff_that_was_not_written_for_him(market: Market) -> None:
    """What accompanies an approval or the beginning of a review is internal, as in the messages that leave."""
    refund = market.submit().id
    market.act(refund, "begin_review", LI, message="INTERNAL one")
    market.act(refund, "approve", LI, message="INTERNAL two")

    assert not [entry.texts for entry in market.history(refund, BUYER) if entry.texts]
    assert [entry.texts for entry in market.history(refund) if entry.texts] == [
        {"message": "INTERNAL one"},
        {"message": "INTERNAL two"},
    ]
