"""Many moves in one commit are read and written at once, and leave what one after the other leaves."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, cast

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from refundflow import audit, migrations
from refundflow.store import Conflict, Move, Store, Stored, StoredText
from refundflow.tables import Base
from states.case import Aggregate, Case, Decision, Effect, Entry
from tests.support.databases import Databases
from tests.support.explained import explained_pools
from tests.support.moves import START, a_case, a_line, an_attempt, an_effect, an_entry, change, register, submit

pytestmark = pytest.mark.partitioned
ODD = "\"'\\%s {} :x 退款 𝄞\u2028\t\n\x01\x7f$1 \\x00 \\u0000 null"
GREAT = 2**40  # minor units
PARAMETERS = 65_535  # that a statement of PostgreSQL may have
PLACES = [("c", "1"), ("a", "1"), ("b", "1")]
ALL = [*PLACES, *((f"d{number}", "1") for number in range(40))]
Opening = Callable[[], Store]


@pytest.fixture(params=[False, True], ids=["one server", "several servers"])
def opening(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Opening]:
    """Open live databases that are all the same; a server may look like one whose tables Citus has distributed."""

    def opened() -> Store:
        url = databases.copy_of("many", prepare)
        if request.param and url.startswith("sqlite"):
            pytest.skip("a file is on one machine")
        if request.param:
            with migrations.connect(url, write=True) as connection:
                connection.execute(text("CREATE TABLE pg_dist_partition ()"))
        return stack.enter_context(Store.open(url, wait_seconds=0.5))

    with ExitStack() as stack:
        yield opened


def prepare(url: str) -> None:
    """Add lines with a refund each, one of them with three."""
    with Store.create(url, rehearsal=False) as store, store.write() as tx:
        for order, line in ALL:
            register(tx, a_line(order, captured=GREAT))
            for number in (1, 2, 10) if order == "b" else (1,):
                submit(tx, a_case(f"{order}-{line}-{number}", claimed=GREAT // 4, reserved=GREAT // 4))


def a_move(stored: Stored, *, entries: int = 2) -> Move:
    """Decide on the first refund of a line, in so many entries, what touches every table with every kind of value."""
    refund, case = next(iter(stored.aggregate.refunds.items()))
    old, ledger, made = cast(dict[str, Any], case), stored.aggregate.ledger, list[Entry]()
    for step in range(entries):
        new = old | {
            "seq": old["seq"] + 1, "state": "approved.paying", "approved": GREAT // 4, "assignee": ODD, "hold": True,
            "levels": {"review": step}, "attempts": {f"{refund}-7": an_attempt(amount=GREAT // 4)},
        }  # fmt: skip
        made.append(an_entry(old, new, {"excess": 1}, params={"told": ODD, "of": None}, texts=("note",)))
        ledger = replace(ledger, excess=ledger.excess + 1)
        old = new
    refunds = {**stored.aggregate.refunds, refund: cast(Case, old)}
    after = Aggregate(line=stored.aggregate.line, ledger=ledger, refunds=refunds)
    effects = tuple(an_effect(subject=refund, seq=entry.seq, params={"told": ODD, "of": None}) for entry in made)
    texts = [StoredText(case["order_id"], refund, entry.seq, "note", bytes(range(256))) for entry in made]
    sealed = audit.seal(made, heads=stored.heads, recorded_at=START, repeats=stored.repeats)
    return Move(stored, Decision(aggregate=after, entries=tuple(made), effects=effects), sealed, texts)


def a_warning(stored: Stored) -> tuple[Case, list[Effect]]:
    """Warn of the first refund of a line."""
    refund, case = next(iter(stored.aggregate.refunds.items()))
    return case, [an_effect(subject=refund, code="WARNING", params={"told": ODD})]


def everything(store: Store) -> dict[str, Sequence[Any]]:
    """Read all rows of all tables, as the database has numbered them."""
    with store.read() as tx:
        return {
            name: sorted(map(tuple, tx.session.rows(text(f"SELECT * FROM {name}"))), key=repr)
            for name in Base.metadata.tables
            if name != "meta"
        }


def test_lines_come_in_the_order_asked_each_with_its_refunds(opening: Opening) -> None:
    """Lines of several orders are taken as each is read alone, refunds by number; what is not there is left out."""
    store = opening()
    with store.write() as tx:
        taken = tx.take([PLACES[0], ("x", "1"), ("a", "2"), *PLACES[1:]])
        assert taken == [tx.aggregate(*place, lock=True) for place in PLACES]
    assert list(taken[2].aggregate.refunds) == ["b-1-1", "b-1-2", "b-1-10"]


@pytest.mark.parametrize("name", [ODD, "", "o,1", '["a","1"]'])
def test_a_line_may_have_any_name(opening: Opening, name: str) -> None:
    """Names are values, whatever stands in them."""
    store = opening()
    with store.write() as tx:
        register(tx, a_line(name))
        submit(tx, a_case(f"{name}-1-1", order_id=name))
        [_, stored] = tx.take([PLACES[0], (name, "1")])
    assert stored.aggregate.line["order_id"] == name and list(stored.aggregate.refunds) == [f"{name}-1-1"]


def test_a_line_that_another_holds_is_left_to_him(opening: Opening) -> None:
    """The others are taken without waiting for it."""
    store = opening()
    if store.dialect == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with store.write() as other, store.write() as tx:
        other.aggregate("a", "1", lock=True)
        assert [stored.aggregate.line["order_id"] for stored in tx.take(PLACES)] == ["c", "b"]


@pytest.mark.parametrize("parts", [True, False])
def test_many_moves_leave_what_one_after_the_other_leaves(opening: Opening, parts: bool) -> None:
    """Every row of every table is the same, numbers of entries and effects too."""
    one_by_one, at_once = opening(), opening()
    for place in ALL:
        with one_by_one.write() as tx:
            tx.session.spans_orders = False
            tx.commit_moves([a_move(stored) for stored in tx.take([place])])
    with at_once.write() as tx:
        (tx.commit_each if parts else tx.commit_moves)([a_move(stored) for stored in tx.take(ALL)])
    expected = everything(one_by_one)
    assert len(expected["effects"]) == 2 * len(ALL)
    assert everything(at_once) == expected


def test_where_one_row_has_changed_meanwhile_nothing_is_written(opening: Opening) -> None:
    """The version of every line and refund is compared, of many as of one."""
    store = opening()
    with store.write() as tx:
        moves = [a_move(stored) for stored in tx.take(PLACES)]
    with store.write() as tx:
        change(tx, "a-1-1", hold=True)
    before = everything(store)
    for write in ("commit_moves", "commit_each"):
        with pytest.raises(Conflict, match="changed"), store.write() as tx:
            getattr(tx, write)(moves)
    assert everything(store) == before


def test_where_one_cannot_be_decided_nothing_is_written(opening: Opening) -> None:
    """What was sent before that is taken back, and the connection serves again."""
    store = opening()
    before = everything(store)

    def decided(lines: Sequence[Stored]) -> Iterator[Move]:
        for stored in lines:
            yield a_move(stored)
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"), store.write() as tx:
        tx.commit_each(decided(tx.take(ALL)))
    assert everything(store) == before


def test_what_the_server_refuses_is_told_whatever_comes_behind(opening: Opening) -> None:
    """An entry that is there already is a conflict, though others are read and decided before the answer comes."""
    store = opening()
    before = everything(store)

    def decided(lines: Sequence[Stored]) -> Iterator[Move]:
        for stored in (*lines, lines[0], *lines):
            tx.aggregate(stored.aggregate.line["order_id"], "1", lock=False)
            yield a_move(stored)

    with pytest.raises(Conflict, match="changed"), store.write() as tx:
        tx.commit_each(decided(tx.take(ALL)))
    assert everything(store) == before


def test_lines_are_held_in_the_order_given(opening: Opening) -> None:
    """Each line is as it is read alone, None where there is none; who takes lines meanwhile gets none of them."""
    store = opening()
    with store.write() as tx:
        held = tx.hold([PLACES[0], ("x", "1"), *PLACES[1:]])
        assert held == [tx.aggregate(*place, lock=False) for place in (PLACES[0], ("x", "1"), *PLACES[1:])]
        if store.dialect == "postgresql":
            with store.write() as other:
                assert other.take(PLACES) == []


def test_a_batch_costs_a_few_statements(postgres_databases: Databases) -> None:
    """Five before it is decided, then one for each of two parts, whatever tables; rows are found by their keys."""
    url = postgres_databases.copy_of("many", prepare)
    with explained_pools() as done, Store.open(url) as store, store.write() as tx:
        tx.commit_each([a_move(stored) for stored in tx.take(ALL)])
    [batch] = [transaction for transaction in done if transaction.holds("UPDATE refunds")]
    assert len(batch.statements) == 5 + 2
    assert not {"Hash Join", "Merge Join"} & {kind for statement in batch.statements for kind in statement.kinds()}


def test_many_warnings_leave_what_one_after_the_other_leaves(opening: Opening) -> None:
    """Every row of every table is the same, the numbers of the effects too."""
    one_by_one, at_once = opening(), opening()
    for place in ALL:
        with one_by_one.write() as tx:
            tx.give_warnings([a_warning(stored) for stored in tx.take([place])], START)
    with at_once.write() as tx:
        tx.give_warnings([a_warning(stored) for stored in tx.take(ALL)], START)
    expected = everything(one_by_one)
    assert len(expected["effects"]) == len(ALL)
    assert everything(at_once) == expected


def test_many_warnings_cost_a_few_statements(postgres_databases: Databases) -> None:
    """Five before they are known, then one for the effects and the refunds."""
    url = postgres_databases.copy_of("many", prepare)
    with explained_pools() as done, Store.open(url) as store, store.write() as tx:
        tx.give_warnings([a_warning(stored) for stored in tx.take(ALL)], START)
    [batch] = [transaction for transaction in done if transaction.holds("UPDATE refunds")]
    assert len(batch.statements) == 5 + 1
    assert not {"Hash Join", "Merge Join"} & {kind for statement in batch.statements for kind in statement.kinds()}


def test_a_batch_may_be_empty(opening: Opening) -> None:
    """Nothing is asked for, nothing is written."""
    store = opening()
    before = everything(store)
    with store.write() as tx:
        assert tx.take([]) == [] and tx.hold([]) == []
        tx.commit_each([])
        tx.give_warnings([], START)
    assert everything(store) == before


def test_a_batch_has_more_values_than_a_statement_has_parameters(opening: Opening) -> None:
    """Rows are counted, not their values."""
    store, count = opening(), PARAMETERS // 16 + 1
    with store.write() as tx:
        [stored] = tx.take(PLACES[:1])
        tx.commit_moves([a_move(stored, entries=count)])
    with store.read() as tx:
        chain = tx.session.rows(text("SELECT seq FROM transitions WHERE subject = 'c-1-1' ORDER BY gid"))
    assert [row[0] for row in chain] == list(range(1, count + 2))
