"""Exports that are interrupted go on, and nothing half is ever under a final name."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from refundflow.errors import BadInput, Busy, RefundflowError
from refundflow.export import FORMATS
from refundflow.service import Refunds
from refundflow.values import Exported, ExportFilters
from tests.support.databases import Databases
from tests.support.moves import change, register, submit

MANY = 2_500  # entries: more than two pages


def prepare(url: str) -> None:
    """Make a chain of several pages."""
    Refunds.init(url, rehearsal=True)
    with Refunds.connect(url) as refunds, refunds.engine.store.write() as tx:
        register(tx)
        submit(tx)
        for number in range(MANY):
            change(tx, claimed=500, flags={"n": number})


@pytest.fixture
def refunds(databases: Databases) -> Iterator[Refunds]:
    """Open a database with several pages of entries."""
    with Refunds.connect(databases.copy_of("export-parts", prepare)) as opened:
        yield opened


def export(
    refunds: Refunds,
    output: Path | str,
    format: str = "jsonl",
    progress: Callable[[int, int], None] | None = None,
    filters: ExportFilters = ExportFilters(),  # noqa: B008
) -> Exported:
    """Export to a path."""
    return refunds.export(format=format, output=str(output), actor="auditor:sun", progress=progress, filters=filters)


def interrupted_at(rows: int) -> Callable[[int, int], None]:
    """Interrupt, as Ctrl-C does, once so many rows are written."""

    def interrupt(done: int, most: int) -> None:
        if done >= rows:
            raise KeyboardInterrupt

    return interrupt


def names_in(folder: Path) -> set[str]:
    """Name what lies in a folder."""
    return {path.name for path in folder.iterdir() if ".db" not in path.name}


@pytest.mark.parametrize("format", FORMATS)
def test_an_interrupted_export_goes_on_to_the_same_bytes(refunds: Refunds, tmp_path: Path, format: str) -> None:
    """What an interruption leaves is no file; the same command ends it as if nothing had been."""
    done = export(refunds, tmp_path / "whole", format)
    with pytest.raises(KeyboardInterrupt):
        export(refunds, tmp_path / "out", format, interrupted_at(1_000))
    left = names_in(tmp_path) - {"whole", "whole.manifest"}

    resumed = export(refunds, tmp_path / "out", format)

    assert left == {"out.part", "out.unfinished"} and resumed.resumed and not done.resumed
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()
    assert names_in(tmp_path) == {"out", "out.manifest", "whole", "whole.manifest"}


def test_what_came_meanwhile_is_not_in_it(refunds: Refunds, tmp_path: Path) -> None:
    """An export goes on under the checkpoint that it was begun with."""
    with pytest.raises(KeyboardInterrupt):
        export(refunds, tmp_path / "out", progress=interrupted_at(1_000))
    with refunds.engine.store.write() as tx:
        change(tx, claimed=500, flags={"n": -1})

    assert export(refunds, tmp_path / "out").entries == MANY + 2
    assert export(refunds, tmp_path / "out").entries == MANY + 3


def test_another_command_does_not_take_it(refunds: Refunds, tmp_path: Path) -> None:
    """Other filters are another export: it is told what stands in its way, and changes nothing."""
    with pytest.raises(KeyboardInterrupt):
        export(refunds, tmp_path / "out", progress=interrupted_at(1_000))
    before = (tmp_path / "out.part").read_bytes()

    with pytest.raises(BadInput, match=r"out\.unfinished is of another export that was interrupted"):
        export(refunds, tmp_path / "out", filters=ExportFilters(since_size=5))

    assert (tmp_path / "out.part").read_bytes() == before and export(refunds, tmp_path / "out").resumed


def test_a_part_that_was_changed_is_written_anew(refunds: Refunds, tmp_path: Path) -> None:
    """Who goes on first looks whether what is there is what was written."""
    export(refunds, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        export(refunds, tmp_path / "out", progress=interrupted_at(1_000))
    (tmp_path / "out.part").write_bytes(b"x" * 10_000)

    export(refunds, tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("name", ["log.csv.part", "log.csv.unfinished"])
def test_what_somebody_else_laid_there_is_not_gone_on_with(refunds: Refunds, tmp_path: Path, name: str) -> None:
    """In a folder where others write, a link leads nowhere, and a stranger's beginning is never signed for."""
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    place = tmp_path / name

    place.symlink_to(victim)
    with pytest.raises(BadInput, match="link"):
        export(refunds, tmp_path / "log.csv", "csv")
    place.unlink()
    os.link(victim, place)
    with pytest.raises(BadInput, match="yours"):
        export(refunds, tmp_path / "log.csv", "csv")
    place.unlink()
    if os.geteuid() == 0:
        place.touch()
        os.chown(place, 65_534, -1)
        with pytest.raises(BadInput, match="yours"):
            export(refunds, tmp_path / "log.csv", "csv")

    assert victim.read_text(encoding="utf-8") == "precious"
    assert not (tmp_path / "log.csv").exists()


def test_two_do_not_write_to_one_place(refunds: Refunds, tmp_path: Path) -> None:
    """The second is told that the place is busy."""

    def meanwhile(done: int, most: int) -> None:
        with pytest.raises(Busy, match="another export is being written"):
            export(refunds, tmp_path / "out")

    assert export(refunds, tmp_path / "out", progress=meanwhile).entries == MANY + 2


def test_a_file_that_stood_there_is_replaced_through_its_link(refunds: Refunds, tmp_path: Path) -> None:
    """A link goes on pointing at the file, which holds the new export."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    export(refunds, tmp_path / "link")

    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text(encoding="utf-8").startswith("{")
    assert names_in(tmp_path) == {"link", "real", "real.manifest"}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the system refuse what is written beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("format", FORMATS)
def test_a_disk_that_takes_no_more_leaves_what_stood_there(postgres_url: str, tmp_path: Path, format: str) -> None:
    """A write that fails half-way is told, the old file stays, and with room again it goes on."""
    prepare(postgres_url)
    (tmp_path / "out").write_text("old")
    with Refunds.connect(postgres_url) as refunds:
        with files_of_at_most(600_000), pytest.raises(RefundflowError, match="was not written: File too large"):
            export(refunds, tmp_path / "out", format)
        before = (tmp_path / "out").read_text()
        export(refunds, tmp_path / "out", format)

    assert before == "old" and names_in(tmp_path) == {"out", "out.manifest"}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_killed_export_goes_on_to_the_same_bytes(databases: Databases, tmp_path: Path, format: str) -> None:
    """Kill -9 in the middle leaves no file, and the same command ends it."""
    url = databases.copy_of("export-parts", prepare)
    with Refunds.connect(url) as refunds:
        export(refunds, tmp_path / "whole", format)
        kill_while_exporting(url, tmp_path / "out", format)
        left = names_in(tmp_path) - {"whole", "whole.manifest"}

        done = export(refunds, tmp_path / "out", format)

    assert left == {"out.part", "out.unfinished"} and done.resumed
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


SLOW_EXPORT = """
import sys, time
from refundflow.service import Refunds
url, output, format = sys.argv[1:]
with Refunds.connect(url) as refunds:
    refunds.export(format=format, output=output, actor="auditor:sun", progress=lambda done, most: time.sleep(0.3))
"""


def kill_while_exporting(url: str, output: Path, format: str) -> None:
    """Export in a process of its own, and kill it once something is written."""
    process = subprocess.Popen([sys.executable, "-c", SLOW_EXPORT, url, str(output), format])
    part, end = output.with_name(f"{output.name}.part"), time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 100_000):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
