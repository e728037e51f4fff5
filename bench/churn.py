"""What many moves leave behind in PostgreSQL: HOT updates, dead rows, and the growth of tables and indexes.

Run `python -m bench.churn`; `--full` is a million moves, `--plain` takes the storage settings of our tables away. The
moves are decided and committed as a sweep does, a hundred lines in one transaction, through the lives of as many
refunds as it takes; every pass goes over its refunds in another order. Effects are deleted as a worker does. Autovacuum
is on.
"""

import argparse
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from bench.clones import clone, clone_name
from bench.scene import AGENT
from bench.shop import claimed, open_shop
from refundflow import audit
from refundflow.service import Refunds
from refundflow.service.requests import place_of
from refundflow.store import Move, Stored, Tx
from refundflow.store.effects import DELETE_EFFECT
from states.case import Act, Actor, Case
from states.decide import decide
from tests.support.postgres import PostgresServer

BATCH = 100  # lines in one transaction
PORTION = 20_000  # refunds that are open at the same time
NAP_SECONDS = 5  # between looks of autovacuum: the moves of a day come in minutes here
TABLES = ("order_lines", "refunds", "transitions", "effects", "payouts")
AGENT_ACTOR, BUYER = Actor(role="agent", name=AGENT.partition(":")[2]), Actor(role="buyer", name="")
SYSTEM, CHANNEL = Actor(role="system", name=""), Actor(role="channel", name="fake")
# One life: who does what, in order.
LIFE: Sequence[tuple[str, Actor, Mapping[str, Any]]] = (
    ("begin_review", AGENT_ACTOR, {}),
    ("offer", AGENT_ACTOR, {"amount": 5_000}),
    ("counter_offer", BUYER, {"amount": 8_000}),
    ("decline_offer", AGENT_ACTOR, {}),
    ("request_evidence", AGENT_ACTOR, {"kinds": ["screenshot"]}),
    ("end_request", AGENT_ACTOR, {}),
    ("approve", AGENT_ACTOR, {}),
    ("dispatch_payout", SYSTEM, {}),
    ("payout_settled", CHANNEL, {}),
    ("confirm_receipt", BUYER, {}),
)
# Of each table, its partitions taken together: updates, HOT ones, live rows, dead rows, autovacuums, bytes, of indexes.
STANDING = """
    SELECT CAST(COALESCE(i.inhparent, s.relid) AS regclass), sum(s.n_tup_upd), sum(s.n_tup_hot_upd), sum(s.n_live_tup),
        sum(s.n_dead_tup), sum(s.autovacuum_count), sum(pg_table_size(s.relid)), sum(pg_indexes_size(s.relid))
    FROM pg_stat_user_tables s LEFT JOIN pg_inherits i ON i.inhrelid = s.relid GROUP BY 1"""


def main() -> None:
    """Move, and print what it left."""
    parser = argparse.ArgumentParser(prog="python -m bench.churn", description=__doc__)
    parser.add_argument("--moves", type=int, default=100_000, help="how many (default %(default)s)")
    parser.add_argument("--full", action="store_true", help="1,000,000 moves")
    parser.add_argument("--plain", action="store_true", help="without the storage settings of our tables")
    parser.add_argument("--partitions", type=int, help="on tables in so many partitions")
    given = parser.parse_args()
    moves = 1_000_000 if given.full else given.moves
    with PostgresServer(durable=True, settings={"autovacuum_naptime": f"{NAP_SECONDS}s"}) as server:
        url = server.url("postgres")
        open_shop(url, partitions=given.partitions)
        with psycopg.connect(url, autocommit=True) as connection:
            if given.plain:
                _forget_settings(connection)
            begun, cpu = time.perf_counter(), time.process_time()
            done = _churn(url, moves)
            wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
            print(f"{done:,} moves of {done // len(LIFE):,} refunds in {wall:.0f} s ({cpu:.0f} s of our CPU)\n")
            _print(connection)


def _forget_settings(connection: psycopg.Connection) -> None:
    query = "SELECT CAST(oid AS regclass), reloptions FROM pg_class WHERE relkind = 'r' AND reloptions IS NOT NULL"
    for table, options in connection.execute(query).fetchall():
        names = ", ".join(option.partition("=")[0] for option in options)
        connection.execute(f"ALTER TABLE {table} RESET ({names})".encode())


def _churn(url: str, moves: int) -> int:
    refunds_needed = moves // len(LIFE)
    done = 0
    with Refunds.connect(url) as refunds:
        [model] = claimed(refunds, 1)
        for number, first in enumerate(range(0, refunds_needed, PORTION)):
            count, prefix = min(PORTION, refunds_needed - first), f"C{number:03}"
            clone(url, place_of(model)[0], count, prefix=prefix)
            orders = [clone_name(prefix, index) for index in range(count)]
            for step in range(len(LIFE)):
                random.Random(step).shuffle(orders)
                for start in range(0, count, BATCH):
                    done += _batch(refunds, orders[start : start + BATCH], step)
    return done


def _batch(refunds: Refunds, orders: Sequence[str], step: int) -> int:
    """Make one move of each of the orders' refunds in one transaction, and take what it wants to send off the list."""
    engine = refunds.engine

    def work(tx: Tx) -> int:
        lines = tx.take([(order, "1") for order in orders])
        now = tx.now()
        moves = [_move(refunds, tx, stored, step, now) for stored in lines]
        tx.commit_moves(moves)
        return len(moves)

    def finish(tx: Tx) -> None:
        found = tx.effects(10 * BATCH)
        if found:
            tx.session.write(
                {DELETE_EFFECT: [{"at_order": item.id.order_id, "at_id": item.id.number} for item in found]}
            )

    done = engine.write(work)
    engine.write(finish)
    return done


def _move(refunds: Refunds, tx: Tx, stored: Stored, step: int, now: Any) -> Move:
    event, actor, params = LIFE[step]
    [case] = stored.aggregate.refunds.values()
    act = Act(
        event=event, actor=actor, refund=case["id"], params={**params, **_of_the_payout(event, case)},
        texts={"message": "as said"} if actor is AGENT_ACTOR else {},
        facts={"payment_count": 0, "last_dispatched_at": None} if event == "dispatch_payout" else {},
    )  # fmt: skip
    decision = decide(stored.aggregate, act, rules=refunds.engine.rules(tx, stored.aggregate), now=now)
    if decision.refusal is not None:
        raise RuntimeError(f"{event} of {case['id']}: {decision.refusal.blockers}")
    records = audit.seal(decision.entries, heads=stored.heads, recorded_at=now, repeats=stored.repeats)
    return Move(stored, decision, records)


def _of_the_payout(event: str, case: Case) -> Mapping[str, Any]:
    if event != "payout_settled":
        return {}
    [number] = case["attempts"]
    return {"number": number, "amount": case["approved"], "currency": case["currency"], "proof": f"proof-{number}"}


def _print(connection: psycopg.Connection) -> None:
    time.sleep(2 * NAP_SECONDS)  # the last moves are vacuumed too, as they are in a pause
    found = _standing(connection)
    for table in TABLES:
        connection.execute(f"VACUUM FULL {table}".encode())
    packed = _standing(connection)
    print("| table | updates | HOT | live rows | dead rows | autovacuums | table | packed | indexes | packed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for table in TABLES:
        updates, hot, live, dead, vacuums, heap, indexes = found[table]
        sizes = (heap, packed[table][-2], indexes, packed[table][-1])
        print(
            f"| `{table}` | {updates:,} | {hot / updates:.0%} | {live:,} | {dead:,} | {vacuums} | " if updates
            else f"| `{table}` | – | – | {live:,} | {dead:,} | {vacuums} | ",
            " | ".join(f"{size / 2**20:.1f}" for size in sizes), " |", sep="",
        )  # fmt: skip
    print("\nSizes in MiB; packed: after VACUUM FULL.")


def _standing(connection: psycopg.Connection) -> dict[str, list[int]]:
    return {str(row[0]): [int(value) for value in row[1:]] for row in connection.execute(STANDING).fetchall()}


if __name__ == "__main__":
    main()
