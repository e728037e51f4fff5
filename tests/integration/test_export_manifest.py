"""The manifest binds files to the log, and the filters choose what the log says."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from refundflow.errors import BadInput
from refundflow.proof import open_note
from refundflow.proof.merkle import leaf_hash, root_from
from refundflow.proof.notes import VerifyingKey
from refundflow.service import Refunds
from refundflow.values import Exported, ExportFilters
from states import times
from tests.support.databases import Databases
from tests.support.market import CHEN, SHOP, START, WU, Market, prepare_rehearsal
from tests.support.past import REJECTED, a_past_case, write_jsonl


def prepare(url: str) -> None:
    """Make three refunds that went different ways, and a register."""
    prepare_rehearsal(url)
    market = Market(url)
    market.refunds.staff_add("li", roles=["agent"], actor=CHEN, at=market.now)
    for state in ("paid_out.confirmed", "rejected.closed", "under_review.reviewing"):
        market.to(state)
        market.now += timedelta(hours=1)
    market.close()


@pytest.fixture
def told(databases: Databases) -> Iterator[Market]:
    """Open a database with three refunds."""
    market = Market(databases.copy_of("export-manifest", prepare))
    yield market
    market.close()


def export(opened: Refunds, output: Path | str, *formats: str, **filters: Any) -> Exported:
    """Export what the filters choose."""
    chosen = ExportFilters(**filters)
    return opened.export(format=formats or ("jsonl",), output=str(output), actor=WU, filters=chosen)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def manifest_of(path: Path) -> dict[str, Any]:
    """Read an unsigned manifest."""
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def test_a_folder_holds_every_form_and_one_manifest(told: Market, tmp_path: Path) -> None:
    """Names, hashes, sizes and rows of all files stand in the manifest; JSON Lines and the chart always come too."""
    done = export(told.refunds, f"{tmp_path}/all/", "csv", "parquet", "xes", "ocel")
    manifest = manifest_of(tmp_path / "all" / "manifest")

    files = {item["path"]: item for item in manifest["files"]}
    assert {path.name for path in (tmp_path / "all").iterdir()} == {*files, "manifest"}
    assert files.keys() == {
        "entries.csv", "entries.jsonl", "entries.parquet", "entries.xes", "entries.jsonocel", "chart.pnml",
    }  # fmt: skip
    for name, item in files.items():
        content = (tmp_path / "all" / name).read_bytes()
        assert (item["sha256"], item["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert files["entries.jsonl"]["rows"] == done.entries == manifest["entries"] == done.size


def test_a_manifest_lets_a_lone_reader_compute_the_root(told: Market, tmp_path: Path) -> None:
    """Whole or filtered: the leaves of the file and the pruned nodes give the root."""
    for name, filters in (("whole", {}), ("part", {"states": ("rejected",)}), ("tail", {"since_size": 7})):
        done = export(told.refunds, tmp_path / name, **filters)
        rows, manifest = rows_of(tmp_path / name), manifest_of(tmp_path / f"{name}.manifest")

        leaves = {row["leaf"]: leaf_hash(bytes.fromhex(row["hash"])) for row in rows}
        pruned = [(level, index, bytes.fromhex(node)) for level, index, node in manifest["pruned"]]
        root = root_from(manifest["tree"]["size"], pruned, leaves)
        assert base64.b64encode(root).decode() == manifest["tree"]["root"]
        assert (manifest["whole"], not pruned) == (name == "whole", name == "whole")
        assert (manifest["first_leaf"], manifest["last_leaf"]) == (rows[0]["leaf"], rows[-1]["leaf"])
        assert done.entries == manifest["entries"] == len(rows)


def test_a_manifest_carries_the_rules(told: Market, tmp_path: Path) -> None:
    """Charts, policies by the hash of their content, and calendars stand in it."""
    export(told.refunds, tmp_path / "out")
    manifest = manifest_of(tmp_path / "out.manifest")

    assert manifest["charts"]["refund/1"]["initial"] == "submitted" and manifest["by"] == WU
    assert all(hashlib.sha256(text.encode()).hexdigest() == version for version, text in manifest["policies"].items())
    assert [item["version"] for item in manifest["calendars"]] == [
        json.loads(manifest["calendars"][0]["content"])["version"]
    ]


def test_with_a_key_the_manifest_is_a_signed_note(databases: Databases, tmp_path: Path) -> None:
    """Its text is one line of JSON, signed by the key that signed the checkpoint in it."""
    url, key = databases.copy_of("export-manifest", prepare), tmp_path / "log.key"
    with Refunds.connect(url, signing_key=key) as refunds:
        made = refunds.key_create(actor=CHEN, at=START + timedelta(days=90))
        done = export(refunds, tmp_path / "out")

    text = open_note((tmp_path / "out.manifest").read_text(encoding="utf-8"), [VerifyingKey.parse(made.vkey)])
    manifest = json.loads(text)
    assert done.signed and text.count("\n") == 1 and [item["vkey"] for item in manifest["keys"]] == [made.vkey]
    head = open_note(manifest["checkpoint"], [VerifyingKey.parse(made.vkey)])
    assert head.splitlines() == [manifest["origin"], str(done.size), manifest["tree"]["root"]]


def test_filters_choose_refunds_with_their_chains_and_lines(told: Market, tmp_path: Path) -> None:
    """Every filter on refunds brings whole chains, and those of the order lines."""
    first, second, third = (item.id for item in told.refunds.list(actor=WU).refunds)
    asked: dict[str, Any] = {
        "states": ({"states": ("paid_out",)}, {first}),
        "agents": ({"agents": ("agent:li",), "states": ("reviewing", "rejected")}, {second, third}),
        "products": ({"products": ("software_licence",)}, {first, second, third}),
        "amounts": ({"min_amount": 30_001}, set()),
        "most": ({"max_amount": 30_000}, {first, second, third}),
        "refunds": ({"refunds": (second,)}, {second}),
    }
    for name, (filters, expected) in asked.items():
        export(told.refunds, tmp_path / name, **filters)
        subjects = {row["subject"] for row in rows_of(tmp_path / name)}
        lines = {refund.rsplit("-", 2)[0] + "/1" for refund in expected}
        assert subjects == expected | lines, name
    assert manifest_of(tmp_path / "amounts.manifest")["first_leaf"] is None
    assert len(rows_of(tmp_path / "refunds")) == len(told.refunds.history(second, actor=WU)) + 1


def test_filters_choose_entries_by_record_time(told: Market, tmp_path: Path) -> None:
    """From is included, to is not; the leaf numbers are those of the whole log."""
    export(told.refunds, tmp_path / "whole")
    rows = rows_of(tmp_path / "whole")
    begin, *_, end = sorted({row["recorded_at"] for row in rows})

    export(told.refunds, tmp_path / "out", recorded_from=times.moment(begin), recorded_to=times.moment(end))

    assert rows_of(tmp_path / "out") == [row for row in rows if begin <= row["recorded_at"] < end] != []
    assert manifest_of(tmp_path / "out.manifest")["filters"] == {"from": begin, "to": end}


@pytest.mark.parametrize(
    ("filters", "field"), [({"since_size": 10_000}, "since_size"), ({"states": ("nowhere",)}, "state")]
)
def test_a_filter_that_cannot_be_is_bad_input(
    told: Market, tmp_path: Path, filters: dict[str, Any], field: str
) -> None:
    """A size that the log has not reached, a state that does not exist: told, and nothing is left behind."""
    (tmp_path / "made").mkdir()
    with pytest.raises(BadInput) as refused:
        export(told.refunds, tmp_path / "made" / "out", **filters)

    assert refused.value.field == field and list((tmp_path / "made").iterdir()) == []


def test_imported_cases_are_chosen_too(market: Market, tmp_path: Path) -> None:
    """What came in from another system is told apart, has its filters, and is no move of the chart."""
    path = write_jsonl(tmp_path / "cases.jsonl", [a_past_case(1), a_past_case(2, REJECTED)])
    market.refunds.history_import(path, actor=SHOP, at=market.at)

    export(market.refunds, tmp_path / "out", states=("paid_out",), products=("software_licence",))
    export(market.refunds, tmp_path / "out.xes", "xes")

    rows = rows_of(tmp_path / "out")
    assert {row["subject"] for row in rows} == {"H1-1-1", "H1/1"} and {row["kind"] for row in rows} == {"imported"}
    assert "complete" not in (tmp_path / "out.xes").read_text(encoding="utf-8").partition("<trace>")[2]
