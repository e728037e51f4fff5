"""Parquet, XES, OCEL and PNML as foreign readers see them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import jsonschema
import pytest
import xmlschema

from refundflow.export.pnml import pnml
from refundflow.service import Refunds
from states.refund_v1 import TABLE
from tests.integration.test_demo import prepare
from tests.support.databases import Databases

BAI = "auditor:bai"


@pytest.fixture
def exported(databases: Databases, tmp_path: Path) -> Path:
    """Export a month of a small marketplace in every format, and return the folder."""
    with Refunds.connect(databases.copy_of("demo", prepare)) as refunds:
        refunds.export(format=("csv", "parquet", "xes", "ocel"), output=f"{tmp_path}/all/", actor=BAI)
    return tmp_path / "all"


def published(name: str) -> str:
    """Return the path of a published schema, which is not ours to ship; without it, the test is skipped."""
    folder = os.environ.get("REFUNDFLOW_SCHEMAS")
    if folder is None or not (Path(folder) / name).exists():
        pytest.skip(f"needs {name} in the folder that REFUNDFLOW_SCHEMAS names (docs/why/012-exports.md says whence)")
    return str(Path(folder) / name)


def test_duckdb_reads_parquet_with_types_and_agrees_with_the_others(exported: Path) -> None:
    """Moments, numbers, codes, deadlines and blockers are typed; sums and rows are those of CSV and JSON Lines."""
    parquet, csv, jsonl = (f"'{exported}/entries.{form}'" for form in ("parquet", "csv", "jsonl"))
    with duckdb.connect() as db:
        types = {row[0]: row[1] for row in db.execute(f"DESCRIBE SELECT * FROM {parquet}").fetchall()}
        sums = [
            db.execute(f"SELECT count(*), sum(reserved), sum(settled), max(leaf), max(hash) FROM {name}").fetchone()
            for name in (parquet, csv, jsonl)
        ]
        told = db.execute(
            f"SELECT count(*) FROM {parquet} p JOIN {jsonl} j USING (leaf, body) WHERE sha256(p.body) = j.hash"
        ).fetchone()
        late = db.execute(f"SELECT count(*) FROM {parquet} WHERE deadlines[1].due_at < effective_at").fetchone()

    assert (types["effective_at"], types["leaf"], types["event"]) == ("TIMESTAMP WITH TIME ZONE", "BIGINT", "VARCHAR")
    assert types["blockers"].startswith("STRUCT(code VARCHAR") and sums[0] == sums[1] == sums[2]
    assert sums[0] is not None and told == (sums[0][0],) and late == (0,)


def test_xes_is_valid_against_the_published_schema(exported: Path) -> None:
    """IEEE 1849-2016."""
    assert list(xmlschema.XMLSchema(published("xes.xsd")).iter_errors(str(exported / "entries.xes"))) == []


def test_ocel_is_valid_against_the_published_schema(exported: Path) -> None:
    """OCEL 2.0, JSON."""
    log = json.loads((exported / "entries.jsonocel").read_bytes())
    schema = json.loads(Path(published("ocel20-schema-json.json")).read_bytes())

    jsonschema.validate(log, schema)


def test_the_moves_of_every_trace_replay_on_the_net(exported: Path) -> None:
    """What is marked complete in XES walks along the arcs of the exported chart, from start to a leaf."""
    arcs = moves_of(exported / "chart.pnml")
    traces = list(traces_of(exported / "entries.xes"))
    for refund, events in traces:
        place = "start"
        for event in events:
            if event["lifecycle:transition"] == "complete":
                assert (place, event["concept:name"], event["to"]) in arcs, (refund, event)
                place = event["to"]
            else:
                assert event.get("to", place) == place, (refund, event)
    assert len(traces) > 80


def moves_of(path: Path) -> set[tuple[str, str, str]]:
    """Read (place, label, place) out of a net."""
    net = ElementTree.parse(path).getroot()
    space = "{http://www.pnml.org/version-2009/grammar/pnml}"
    labels = {item.attrib["id"]: item.findtext(f"{space}name/{space}text") for item in net.iter(f"{space}transition")}
    arcs = [(item.attrib["source"], item.attrib["target"]) for item in net.iter(f"{space}arc")]
    ends = {source: target for source, target in arcs if source in labels}
    return {(source, str(labels[target]), ends[target]) for source, target in arcs if target in labels}


def traces_of(path: Path) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Read the name and the events of each trace."""
    for trace in ElementTree.parse(path).getroot().iter("trace"):
        events = [{item.attrib["key"]: item.attrib["value"] for item in event} for event in trace.iter("event")]
        name = trace.find("string[@key='concept:name']")
        assert name is not None
        yield name.attrib["value"], events


def test_a_trace_tells_what_the_others_tell(exported: Path) -> None:
    """Both ends, both times, actor, role, reason, blockers, versions and hash stand in the events of XES."""
    lines = (exported / "entries.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["hash"]: row for row in map(json.loads, lines)}
    for _, events in traces_of(exported / "entries.xes"):
        for event in events:
            row = rows[event["hash"]]
            assert (event["time:timestamp"], event["recorded_at"]) == (row["effective_at"], row["recorded_at"])
            assert (event["org:resource"], event["org:role"]) == (row["actor_name"], row["actor_role"])
            assert (event.get("from"), event.get("to"), event["seq"]) == (row["from"], row["to"], str(row["seq"]))
            assert json.loads(event.get("blockers", "[]")) == row["blockers"]
            assert json.loads(event.get("deadlines", "[]")) == row["deadlines"]


def test_every_event_of_ocel_is_about_objects_that_are_told(exported: Path) -> None:
    """Ids are unique, relations end at objects, types and attributes are declared."""
    log: dict[str, Any] = json.loads((exported / "entries.jsonocel").read_bytes())
    objects = {item["id"]: item for item in log["objects"]}
    declared = {
        kind: {item["name"]: {attribute["name"] for attribute in item["attributes"]} for item in log[kind]}
        for kind in ("objectTypes", "eventTypes")
    }

    assert len(objects) == len(log["objects"]) and len({event["id"] for event in log["events"]}) == len(log["events"])
    for event in log["events"]:
        assert {item["objectId"] for item in event["relationships"]} <= objects.keys()
        assert {item["name"] for item in event["attributes"]} <= declared["eventTypes"][event["type"]]
    for item in objects.values():
        assert {link["objectId"] for link in item["relationships"]} <= objects.keys()
        assert {attribute["name"] for attribute in item["attributes"]} <= declared["objectTypes"][item["type"]]
    assert {item["type"] for item in objects.values()} == declared["objectTypes"].keys()


def test_the_net_has_every_leaf_and_move_of_the_chart() -> None:
    """One place per leaf, with start and end; one labelled transition per move."""
    net = pnml(TABLE)

    assert all(f'<place id="{place}">' in net for place in ("start", *TABLE.leaves, "end"))
    assert all(f'id="{row.event}:{row.source}:{row.target}"' in net for row in TABLE.rows)
    assert net.count("$invisible$") == len(TABLE.leaves)
