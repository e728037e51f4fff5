"""The store on both databases: opening, committing, conflicts, finding."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from refundflow import errors, migrations
from refundflow.store import Conflict, StaffRow, Store, Tx
from refundflow.store.people import ADD_CONTENT, ADD_PERSONAL
from refundflow.store.registers import REACH_TIME
from refundflow.vault import Vault
from states import times
from states.case import Aggregate, Ledger
from tests.support.databases import Databases
from tests.support.moves import (
    BUYER,
    LINE,
    ORDER,
    REFUND,
    START,
    a_case,
    a_line,
    an_attempt,
    an_effect,
    an_entry,
    at,
    change,
    change_line,
    register,
    submit,
)


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """Open a fresh live database."""
    with Store.open(databases.copy_of("store", prepare)) as opened:
        yield opened


def prepare(url: str) -> None:
    """Make the database that each test gets a copy of."""
    Store.create(url, rehearsal=False).close()


@pytest.fixture
def held(store: Store) -> Store:
    """Add a line with one submitted refund."""
    with store.write() as tx:
        register(tx)
        submit(tx)
    return store


def test_creating_twice_in_the_same_mode_changes_nothing(database_url: str) -> None:
    """The secret of a live database is random, made once and kept."""
    with Store.create(database_url, rehearsal=False) as first, Store.create(database_url, rehearsal=False) as second:
        assert first.secret == second.secret and len(first.secret) == 32 and not second.rehearsal


def test_the_mode_is_for_ever(database_url: str) -> None:
    """A live database never becomes a rehearsal."""
    Store.create(database_url, rehearsal=False).close()
    with pytest.raises(errors.BadInput, match="live database, for ever"):
        Store.create(database_url, rehearsal=True)


def test_rehearsals_share_their_secret(databases: Databases) -> None:
    """Two rehearsal databases have the same secret, so that their histories can be equal."""
    with Store.create(databases.empty(), rehearsal=True) as one, Store.create(databases.empty(), rehearsal=True) as two:
        assert one.rehearsal and one.secret == two.secret


@pytest.mark.parametrize("rehearsal", [False, True])
def test_a_live_move_survives_a_power_cut(database_url: str, rehearsal: bool) -> None:
    """What a live database acknowledges is on the disk; a rehearsal, which can be repeated, does not wait for it."""
    asked = {"sqlite": text("PRAGMA synchronous"), "postgresql": text("SHOW synchronous_commit")}
    kept = {"sqlite": 1 if rehearsal else 2, "postgresql": "off" if rehearsal else "on"}
    with Store.create(database_url, rehearsal=rehearsal) as store, store.write() as tx:
        assert tx.session.rows(asked[store.dialect])[0][0] == kept[store.dialect]


def test_a_live_file_can_be_flushed_now_and_then_only(sqlite_url: str) -> None:
    """Who asks for it gets synchronous NORMAL on a live SQLite file, for this connection of his alone."""
    Store.create(sqlite_url, rehearsal=False).close()
    with Store.open(sqlite_url, synchronous="normal") as store, store.read() as tx:
        assert tx.session.rows(text("PRAGMA synchronous"))[0][0] == 1
    with Store.open(sqlite_url) as store, store.read() as tx:
        assert tx.session.rows(text("PRAGMA synchronous"))[0][0] == 2


def test_a_database_without_schema_is_not_opened(database_url: str) -> None:
    """Opening an empty database says what to run."""
    with pytest.raises(errors.NotInitialised, match="refundflow init"):
        Store.open(database_url)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "sqlite:////no/such/folder/x.db", "nonsense"])
def test_only_files_and_servers_are_databases(url: str) -> None:
    """A URL that names neither an SQLite file nor PostgreSQL is refused."""
    with pytest.raises(errors.BadInput):
        Store.open(url)


def test_what_was_committed_is_read_back(held: Store) -> None:
    """Line, ledger, refunds, versions and heads are what the moves left."""
    with held.read() as tx:
        stored = tx.aggregate(ORDER, "1", lock=False)
        heads = {subject: tx.head(ORDER, subject).hash for subject in (LINE, REFUND)}
    assert stored is not None
    assert stored.aggregate == Aggregate(line=a_line(), ledger=Ledger(reserved=500), refunds={REFUND: a_case()})
    assert {subject: chain.version for subject, chain in stored.chains.items()} == {LINE: 2, REFUND: 1}
    assert stored.heads == heads


def test_refunds_come_in_order_of_their_number(store: Store) -> None:
    """The tenth refund of a line follows the ninth, not the first."""
    with store.write() as tx:
        register(tx)
        for number in (10, 2, 1):
            submit(tx, a_case(f"{ORDER}-1-{number}", reserved=0))
        stored = tx.aggregate(ORDER, "1", lock=True)
    assert stored is not None and list(stored.aggregate.refunds) == [f"{ORDER}-1-{number}" for number in (1, 2, 10)]


def test_an_exception_leaves_nothing_behind(store: Store) -> None:
    """A transaction that raises is rolled back whole, and the connection serves again."""
    with pytest.raises(Conflict), store.write() as tx:
        twice(tx)
    with store.write() as tx:
        assert tx.aggregate(ORDER, "1", lock=True) is None


def twice(tx: Tx) -> None:
    """Register a line and, in vain, once more."""
    register(tx)
    register(tx)


def test_an_error_passed_over_is_not_committed(postgres_databases: Databases) -> None:
    """PostgreSQL rolls back at COMMIT when a statement failed before: that is told, never taken for done."""
    with Store.open(postgres_databases.copy_of("store", prepare)) as store:
        with pytest.raises(Exception, match=r"aborted|cannot be committed"), store.write() as tx, suppress(Exception):
            twice(tx)
        with store.read() as tx:
            assert tx.aggregate(ORDER, "1", lock=False) is None


def test_a_server_that_came_back_is_used_again(postgres_databases: Databases) -> None:
    """Connections that the server ended while they were idle are replaced before the next move."""
    url = postgres_databases.copy_of("store", prepare)
    with Store.open(url) as store:
        with store.write() as tx:
            register(tx)
        end_others(url)
        with store.write() as tx:
            submit(tx)


def test_a_server_that_goes_away_in_a_move_is_a_conflict(postgres_databases: Databases) -> None:
    """Nothing was committed, so the whole move may be tried again."""
    url = postgres_databases.copy_of("store", prepare)
    with Store.open(url) as store:
        with pytest.raises(Conflict) as raised, store.write() as tx:
            interrupted(tx, url)
        with store.write() as tx:
            register(tx)
    assert raised.value.reason == "away"


def test_a_connection_whose_answer_is_still_to_come_is_not_used_again(postgres_databases: Databases) -> None:
    """Whoever is interrupted between a question and its answer leaves the next a connection of its own."""
    with Store.open(postgres_databases.copy_of("store", prepare)) as store:
        with suppress(KeyboardInterrupt), store.look() as tx:
            tx.session._connection.pgconn.send_query(b"SELECT pg_sleep(1)")
            raise KeyboardInterrupt
        with store.look() as tx:
            assert tx.staff_list() == []


def test_a_process_may_have_many_files_open(postgres_databases: Databases) -> None:
    """The numbers of connections pass what select() knows."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    url = postgres_databases.copy_of("store", prepare)
    with ExitStack() as files:
        for _ in range(1_100):
            files.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        with Store.open(url) as store:
            for _ in range(3):
                with store.read() as tx:
                    assert tx.session._connection.fileno() > 1_023 and tx.staff_list() == []
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_an_act_writes_once(store: Store) -> None:
    """What would be two commits is refused."""
    row = {"key": "k", "value": "v"}
    with store.act() as tx:
        tx.session.write({REACH_TIME: [row]})
        with pytest.raises(TypeError, match="twice"):
            tx.session.write({REACH_TIME: [row]})


def interrupted(tx: Tx, url: str) -> None:
    """Register a line while the server goes away."""
    tx.staff_list()
    end_others(url)
    register(tx)


def end_others(url: str) -> None:
    """End all connections to a database but one's own."""
    with migrations.connect(url) as connection:
        connection.execute(text(END_OTHERS))


END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def test_a_read_cannot_write(held: Store) -> None:
    """The database itself refuses a write in a read transaction."""
    with pytest.raises(Exception, match=r"read-?only"), held.read() as tx:
        tx.put_policy("p", "text")
    with held.write() as tx:
        tx.put_policy("p", "text")


def test_a_read_sees_one_moment(held: Store) -> None:
    """What others commit during a read is not seen by it."""
    with held.read() as reading:
        before = reading.aggregate(ORDER, "1", lock=False)
        with held.write() as tx:
            change(tx, reason="OTHER")
        after = reading.aggregate(ORDER, "1", lock=False)
        assert reading.head(ORDER, REFUND).seq == 1
    assert before == after


def test_a_stale_move_is_a_conflict(held: Store) -> None:
    """A refund that changed since it was read is not written over."""
    with held.read() as tx:
        stale = tx.aggregate(ORDER, "1", lock=False)
    with held.write() as tx:
        change(tx)
    with pytest.raises(Conflict) as raised, held.write() as tx:
        change(tx, stored=stale)
    assert raised.value.reason == "changed"
    with held.read() as tx:
        assert tx.head(ORDER, REFUND).seq == 2


def test_a_stale_line_is_a_conflict_before_anything_is_written(held: Store) -> None:
    """The line is compared too: no two claims rest on the same ledger."""
    with held.write() as tx:
        stored = tx.aggregate(ORDER, "1", lock=True)
        assert stored is not None
        line = stored.chains[LINE]
        stored = replace(stored, chains={**stored.chains, LINE: replace(line, version=line.version - 1)})
    with pytest.raises(Conflict), held.write() as tx:
        change_line(tx, stored, usage="used")


def test_two_lines_of_one_name_are_a_conflict(held: Store) -> None:
    """Whoever registers a line second is told that somebody was first."""
    with pytest.raises(Conflict), held.write() as tx:
        register(tx)


def test_a_key_is_used_once(held: Store) -> None:
    """An idempotency key of one scope stands in one entry of the order."""
    keyed = {"key": "k1", "key_scope": REFUND, "request_hash": "h", "key_entry": 0}
    with held.write() as tx:
        change(tx, keyed=keyed)
        found = tx.entry_by_key(ORDER, REFUND, "k1")
        assert found is not None and (found.seq, found.request_hash) == (2, "h")
        assert tx.entry_by_key(ORDER, LINE, "k1") is None
    with pytest.raises(Conflict), held.write() as tx:
        change(tx, keyed=keyed)


@pytest.mark.parametrize(
    "ledger",
    [Ledger(reserved=1001), Ledger(settled=600, in_flight=401), Ledger(reserved=-1), Ledger(reserved=1002, excess=1)],
)
def test_the_ledger_cannot_hold_more_than_was_paid(held: Store, ledger: Ledger) -> None:
    """The CHECK of the line refuses what no rule may decide, and it is no conflict to be tried again."""
    with held.read() as tx:
        stored = tx.aggregate(ORDER, "1", lock=False)
    assert stored is not None
    stored.aggregate.ledger = ledger
    with pytest.raises(Exception, match=r"(?i)check") as raised, held.write() as tx:
        change_line(tx, stored)
    assert not isinstance(raised.value, Conflict)


@pytest.mark.parametrize(
    "changes",
    [{"state": "approved"}, {"deadlines": {}}, {"state": "withdrawn"}, {"approved": 501}, {"settled": 1}],
    ids=["no leaf", "open without deadline", "final with deadline", "more than claimed", "more than approved"],
)
def test_a_refund_cannot_stand_where_the_workflow_never_does(held: Store, changes: dict[str, Any]) -> None:
    """CHECKs refuse a state that is no leaf, a wrong deadline, and amounts out of order."""
    with pytest.raises(Exception, match=r"(?i)check"), held.write() as tx:
        change(tx, **changes)


def test_refusals_are_counted_outside_the_chain(held: Store) -> None:
    """A repeat adds no entry; the next entry carries the count and forgets the refusal."""
    with held.write() as tx:
        change(tx, kind="refused")
        stored = tx.aggregate(ORDER, "1", lock=True)
        assert stored is not None and stored.chains[REFUND].refusal is not None
        tx.count_refusal(stored, REFUND)
        tx.count_refusal(stored, REFUND)
        tx.count_refusal(stored, LINE)
    with held.write() as tx:
        change(tx)
        entries = tx.entries(REFUND, order_id=ORDER)
        stored = tx.aggregate(ORDER, "1", lock=True)
    assert stored is not None and stored.chains[REFUND].refusal is None and stored.repeats == {REFUND: 0, LINE: 1}
    assert [entry.parsed().get("repeats") for entry in entries] == [None, None, 2]


def test_entries_are_read_in_order_and_in_part(held: Store) -> None:
    """A chain can be read behind a number and up to one."""
    with held.write() as tx:
        for _ in range(3):
            change(tx)
    with held.read() as tx:
        assert [entry.seq for entry in tx.entries(REFUND, order_id=ORDER, after_seq=1, upto=3)] == [2, 3]
        assert [entry.seq for entry in tx.all_entries(limit=4)] == [1, 1, 2, 3]
        assert list(tx.subjects()) == [(ORDER, REFUND), (ORDER, LINE)] and tx.count_entries() == 5


def test_what_is_due_is_found_and_nothing_else(held: Store) -> None:
    """At its due moment a refund is due, a microsecond before it is not."""
    due = START + timedelta(days=1)
    with held.read() as tx:
        assert tx.due(due, 10) == [REFUND] and tx.due(due, 0) == []
        assert tx.due(due - timedelta(microseconds=1), 10) == []


def test_due_work_is_found_by_the_partial_index(held: Store) -> None:
    """No plan for due work reads the table of refunds as a whole."""
    if held.dialect != "sqlite":
        pytest.skip("a plan of PostgreSQL depends on its statistics")
    from refundflow.store.queries import READ_DUE
    from refundflow.store.statements import compiled_once

    made = compiled_once(READ_DUE, "sqlite")
    with sqlite3.connect(held.url.removeprefix("sqlite:///")) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {made.text}", made.bound({"before": at(), "page": 9}))
        assert "USING COVERING INDEX ix_refunds_due" in plan.fetchall()[0][3]


@pytest.mark.parametrize(
    ("asked", "index"), [({}, "due"), ({"clear": True}, "clear"), ({"assignee": "li"}, "assignee")], ids=str
)
def test_a_queue_begins_with_what_an_index_gives_in_order(held: Store, asked: dict[str, Any], index: str) -> None:
    """However many refunds are open, the first page of a queue is found without reading or sorting the others."""
    if held.dialect != "sqlite":
        pytest.skip("a plan of PostgreSQL depends on its statistics")
    plans: list[str] = []
    with held.read() as tx:
        driver = tx.session._connection
        driver.set_trace_callback(plans.append)
        assert len(tx.queue(**asked, limit=9)) == (not asked)
        driver.set_trace_callback(None)
        [asked_for] = [plan for plan in plans if plan.startswith("SELECT")]
        [[*_, plan]] = driver.execute(f"EXPLAIN QUERY PLAN {asked_for}").fetchall()
    assert f"USING INDEX ix_refunds_{index}" in plan


def test_a_warning_is_given_once(held: Store) -> None:
    """What was warned of is not found again, whatever else changes."""
    warned = START + timedelta(hours=4)
    with held.write() as tx:
        assert tx.warnings(warned, 10) == [REFUND]
        [stored] = tx.take([(ORDER, "1")])
        tx.give_warnings([(stored.aggregate.refunds[REFUND], [])], warned)
        assert tx.warnings(warned + timedelta(days=9), 10) == []
        change(tx)
        assert tx.warnings(warned + timedelta(days=9), 10) == []


def test_refunds_are_found_by_what_is_asked(held: Store) -> None:
    """Each filter of the list finds the refund, and its opposite finds none."""
    with held.read() as tx:
        for yes in ({"order": ORDER}, {"buyer_ref": BUYER}, {"payment_no": f"pay-{ORDER}"}, {"states": ["submitted"]}):
            assert [case["id"] for case in tx.find(**yes)] == [REFUND]
        for no in ({"order": "o2"}, {"buyer_ref": "b2"}, {"payment_no": "x"}, {"states": ["withdrawn"]}):
            assert tx.find(**no) == []
        assert tx.find(since=START) and not tx.find(since=START + timedelta(microseconds=1))


def test_lists_come_in_pages(store: Store) -> None:
    """Pages behind the place of the last one give every refund once, in order."""
    with store.write() as tx:
        for number in range(7):
            register(tx, a_line(f"o{number}"))
            submit(tx, a_case(f"o{number}-1-1", submitted_at=at(hours=number // 2)))
    found: list[str] = []
    with store.read() as tx:
        after = None
        while page := tx.find(after=after, limit=3):
            found += [case["id"] for case in page]
            after = (page[-1]["submitted_at"], page[-1]["id"])
        queue = [case["id"] for case in tx.queue(limit=9)]
    assert found == queue == [f"o{number}-1-1" for number in range(7)]


def test_claims_and_abuse_of_a_buyer_are_counted(held: Store) -> None:
    """A rejection for suspected abuse is remembered while it stands."""
    with held.write() as tx:
        assert tx.claims_of(BUYER, START) == (1, False) and tx.claims_of(BUYER, START + timedelta(hours=1)) == (
            0,
            False,
        )
        change(tx, rejection={"grounds": ["ABUSE_SUSPECTED"], "seq": 2, "at": at()})
        assert tx.claims_of(BUYER, START).abused and not tx.claims_of("b2", START).abused


def test_payout_numbers_follow_the_attempts(held: Store) -> None:
    """A number is kept with its parameters, changes with its attempt, and is asked for when told."""
    with held.write() as tx:
        change(tx, approved=500, attempts={"rf1": an_attempt()})
        tx.ask_later(ORDER, "rf1", 2, START)
        assert [row.asked for row in tx.payouts_to_ask(START, 9)] == [2]
        change(tx, approved=500, attempts={"rf1": an_attempt(state="refused", void=True)})
        row = tx.payout("rf1")
        assert tx.payouts_to_ask(START, 9) == [] and tx.payout("rf2") is None
    assert row is not None
    assert (row.refund, row.amount, row.state, row.void, row.asked) == (REFUND, 500, "refused", True, 0)
    assert row.dispatched_at == START + timedelta(hours=1)


def test_a_payment_is_judged_over_all_its_lines(store: Store) -> None:
    """Numbers on one channel payment count together, transfers by hand not at all."""
    attempts = {"rf1": an_attempt(), "rf2": an_attempt(at=at(hours=3)), "rf3": an_attempt(channel="bank_manual")}
    with store.write() as tx:
        for index, (number, attempt) in enumerate(attempts.items()):
            register(tx, a_line(f"o{index}", payment_no="pay"))
            submit(tx, a_case(f"o{index}-1-1"))
            change(tx, f"o{index}-1-1", attempts={number: attempt})
        facts = tx.payment_facts("pay", lock=True)
        assert tx.payment_facts("other", lock=False).last_dispatched_at is None
    assert (facts.count, facts.last_dispatched_at) == (2, START + timedelta(hours=3))


def test_effects_wait_until_they_are_done(store: Store) -> None:
    """Effects leave in order, come back when postponed, and are gone when done, once."""
    with store.write() as tx:
        register(tx)
        submit(tx, effects=[an_effect(), an_effect(kind="staff_task", code="ASSIGNED")])
        tx.give_warnings([(a_case(), [an_effect(code="WARNING")])], START)
        first, second, third = tx.effects(9)
        assert [effect.code for effect in (first, second, third)] == ["SUBMITTED", "ASSIGNED", "WARNING"]
        assert dict(first.params) == {"amount": 500} and first.effective_at == START
        tx.postpone_effect(first.id, 1, START + timedelta(minutes=1))
        assert tx.finish_effect(second.id) and not tx.finish_effect(second.id)
        assert [effect.code for effect in tx.effects(9, before=START)] == ["WARNING"]
        assert [effect.tries for effect in tx.effects(9, kinds=["buyer_message"])] == [0, 1]


def test_staff_policies_and_calendars_are_kept(store: Store) -> None:
    """A person is written over, a policy and a calendar never."""
    with store.write() as tx:
        tx.put_staff(StaffRow(name="mei", roles=("agent",), active=True))
        tx.put_staff(StaffRow(name="mei", roles=("agent", "finance"), active=False, document={"limits": {"CNY": 1}}))
        for _ in range(2):
            tx.put_policy("v1", "text")
            tx.put_calendar("c1", None, "shipped")
            tx.put_calendar("c1", START, "imported")
    with store.read() as tx:
        person = tx.staff("mei")
        assert person and person.roles == ("agent", "finance") and not person.active and tx.staff("li") is None
        assert tx.staff_list() == [person] and person.document == {"limits": {"CNY": 1}}
        assert tx.policies() == {"v1": "text"} and tx.policy("v2") is None
        assert tx.calendars() == [(None, "shipped"), (START, "imported")]


def test_a_register_chain_goes_on_from_its_head(store: Store) -> None:
    """Entries of a register follow each other; one that does not is a conflict."""
    from refundflow import audit

    with store.write() as tx:
        entry = an_entry({}, {"order_id": "", "line": "", "seq": 1, "effective_at": at()}, subject="staff", kind="fact")
        [sealed] = audit.seal([entry], heads={"staff": tx.head("", "staff").hash}, recorded_at=START)
        tx.append_register_entry("staff", sealed)
        with pytest.raises(Conflict):
            tx.append_register_entry("staff", sealed)
        assert tx.head("", "staff") == (1, sealed.hash)


def test_buyers_and_their_texts_are_kept_encrypted(store: Store) -> None:
    """Clear ids, texts and contents stand nowhere; with the buyer's key they are read again."""
    vault = Vault(store.secret, store.rehearsal)
    buyer = vault.new_buyer("zoe@example.com")
    with store.write() as tx:
        tx.put_buyer(buyer)
        kept = {"order_id": ORDER, "subject": REFUND, "seq": 1, "field": "note", "buyer": buyer.ref}
        tx.session.write({ADD_PERSONAL: [kept | {"cipher": vault.encrypt(buyer.key, "my card", "note")}]})
        for _ in range(2):
            picture = {"buyer": buyer.ref, "digest": "digest", "cipher": vault.encrypt(buyer.key, b"x", "content")}
            tx.session.write({ADD_CONTENT: [picture]})
    with store.read() as tx:
        found = tx.buyer_by_lookup(vault.buyer_lookup("zoe@example.com"))
        assert found == buyer == tx.buyer(buyer.ref) and vault.open_buyer_id(buyer) == "zoe@example.com"
        texts, content = tx.personal(ORDER, REFUND), tx.content(buyer.ref, "digest")
    assert vault.decrypt(buyer.key, texts[1, "note"], "note") == b"my card"
    assert content is not None and vault.decrypt(buyer.key, content, "content") == b"x"


def test_the_clock_is_the_one_that_all_hosts_share(store: Store) -> None:
    """The time of a live database is aware, in UTC and now."""
    with store.write() as tx:
        register(tx)
        tx.aggregate(ORDER, "1", lock=True)
        now = tx.now()
    assert now.tzinfo is UTC and abs(datetime.now(UTC) - now) < timedelta(minutes=1)


def test_a_rehearsal_remembers_its_time(store: Store) -> None:
    """The time that a rehearsal has reached is kept to the microsecond."""
    reached = START + timedelta(microseconds=1)
    with store.write() as tx:
        assert tx.rehearsal_time() is None
        tx.set_rehearsal_time(START)
        tx.set_rehearsal_time(reached)
        assert tx.rehearsal_time() == times.moment(times.text(reached))
