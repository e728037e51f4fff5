"""On partitioned tables a move stays in the partition of its order, whatever plan PostgreSQL makes."""

from collections import Counter, defaultdict
from contextlib import closing

import pytest
from sqlalchemy import text

from refundflow import migrations
from refundflow.store.moves import READ_REFUNDS_OF, TAKE_LINES
from refundflow.store.queries import READ_BUYER, READ_DUE, READ_PAYMENT, READ_WARNINGS
from refundflow.store.statements import compiled_once
from refundflow.tables import Base
from tests.support.databases import PARTITIONS, Databases
from tests.support.explained import Transaction, explained_pools
from tests.support.market import BUYER, LI, WAY, ZHAO, Market, a_file, prepare_rehearsal

PARTITIONED = {name for name, table in Base.metadata.tables.items() if "order_id" in table.c}
# Tables that belong to no order: small and read by all, or keyed by the buyer. A distributed database copies them to
# every server ("reference tables") or spreads those of buyers by the buyer.
REFERENCE = {
    "meta": "settings of the database",
    "staff": "who may act",
    "policies": "texts that refunds are pinned to",
    "calendars": "asked by every move for one more, then read",
    "buyers": "the key of the line's buyer, by its reference",
    "evidence_content": "files, stored once per buyer",
}
# What is asked across orders within a move, each by one index, and why.
ACROSS = {
    READ_BUYER: "submit: how often this buyer claimed before and whether he was found to abuse, whatever he bought",
    READ_PAYMENT: "dispatch_payout: what was sent on a payment, which may have paid several orders",
    READ_DUE: "a sweep: the first that are due, which are then locked and moved",
    READ_WARNINGS: "a sweep: the first to be warned of, likewise",
}
# What a sweep does of many lines at once where one server has all rows; elsewhere it goes from line to line.
AT_ONCE = {
    *(compiled_once(statements["postgresql"], "postgresql").text for statements in (TAKE_LINES, READ_REFUNDS_OF)),
    (SETS := "writes of sets: each row by its key"),
}


def live_through(market: Market) -> None:
    """Drive refunds to every state, with evidence, notes, texts, repeats, refusals, lapses and messages."""
    for state in WAY:
        market.to(state)
    refund = market.submit(note="It does not work.", evidence=[a_file()], key="once").id
    market.submit(refund.rsplit("-", 2)[0], note="It does not work.", evidence=[a_file()], key="once")
    market.act(refund, "begin_review", LI, key="begin", message="Let me see.")
    market.act(refund, "note", LI, message="called him")
    market.act(refund, "request_evidence", LI, kinds=["chat_log"])
    market.act(refund, "provide_evidence", BUYER, evidence=[a_file("chat_log")])
    market.act(refund, "reject", LI, grounds=["EVIDENCE_INCONSISTENT"], message="no")
    market.act(refund, "appeal", BUYER, message="The code was never sent to me.")
    market.act(refund, "overturn", ZHAO, message="granted")
    for days in (1, 3, 20):
        market.later(days=days)
        market.refunds.work(at=market.at)


@pytest.fixture
def url(partitioned_databases: Databases) -> str:
    """Make a rehearsal database on partitioned tables."""
    return partitioned_databases.copy_of("rehearsal", prepare_rehearsal)


@pytest.fixture(params=[False, True], ids=["one server", "several servers"])
def is_distributed(request: pytest.FixtureRequest, url: str) -> bool:
    """Let the database look like one that Citus has distributed, or not."""
    if request.param:
        with migrations.connect(url, write=True) as connection:
            connection.execute(text("CREATE TABLE pg_dist_partition ()"))
    return bool(request.param)


@pytest.fixture
def parents(url: str) -> dict[str, str]:
    """Return the table of each partition."""
    query = (
        "SELECT CAST(CAST(inhrelid AS regclass) AS text), CAST(CAST(inhparent AS regclass) AS text) FROM pg_inherits"
    )
    with migrations.connect(url) as connection:
        return {row[0]: row[1] for row in connection.execute(text(query))}


@pytest.fixture
def moves(url: str, is_distributed: bool) -> list[Transaction]:
    """Return the transactions of a whole marketplace that were free to write, each statement explained."""
    with explained_pools() as done, closing(Market(url)) as market:
        live_through(market)
        market.require_sound()
    return [transaction for transaction in done if not transaction.read_only]


def test_every_table_of_an_order_is_partitioned(parents: dict[str, str]) -> None:
    """All that carries an order id is split, and nothing else is."""
    tables = Counter(table for partition, table in parents.items() if not partition.startswith(("ix_", "pk_", "uq_")))
    of_tables = {name: count for name, count in tables.items() if name in Base.metadata.tables}
    assert of_tables == dict.fromkeys(PARTITIONED, PARTITIONS)


def test_every_statement_of_a_move_touches_one_partition(
    moves: list[Transaction], parents: dict[str, str], is_distributed: bool
) -> None:
    """Neither a plan for the values nor one for any values reads a second partition, but for what is named."""
    across = {compiled_once(statement, "postgresql").text for statement in ACROSS}
    across |= set() if is_distributed else AT_ONCE
    spread = set()
    for statement in (statement for move in moves for statement in move.statements):
        for scanned in statement.scanned():
            touched = defaultdict(set)
            for name in scanned & set(parents):
                touched[parents[name]].add(name)
            if any(len(partitions) > 1 for partitions in touched.values()):
                spread.add(SETS if "json_to_recordset" in statement.text else statement.text)
    assert spread == across, spread ^ across


def test_all_else_that_a_move_touches_is_a_reference_table(moves: list[Transaction], parents: dict[str, str]) -> None:
    """What is not partitioned is known, and small or of a buyer."""
    touched = {name for move in moves for statement in move.statements for name in statement.tables()}
    assert touched - set(parents) - PARTITIONED <= set(REFERENCE)


def test_a_move_locks_one_partition_of_each_table(url: str) -> None:
    """The server itself tells: what a move locked, foreign keys and inserts included, are partitions of one order."""
    with migrations.connect(url, write=True) as connection:
        name = connection.execute(text("SELECT current_database()")).scalar()
        connection.execute(text(f"ALTER DATABASE {name} SET plan_cache_mode = force_custom_plan"))
    with explained_pools(plans=()) as done, closing(Market(url)) as market:
        refund = market.submit(note="It does not work.").id
        for event, actor in (("begin_review", LI), ("note", LI), ("approve", LI)):
            market.act(refund, event, actor, message="because", key=event)
    changed = [transaction for transaction in done if transaction.holds("UPDATE refunds")]
    assert len(changed) == 3
    for transaction in done:
        locked = Counter(table for table, _ in transaction.locked)
        # a claim asks for the buyer's other claims, see ACROSS
        across = {"refunds"} if transaction.holds("refunds.buyer = ") else set()
        assert {table for table, count in locked.items() if count > 1} == across
        assert transaction not in changed or {"order_lines", "refunds", "transitions"} <= set(locked)
