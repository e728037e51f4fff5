"""The built wheel: both packages whole, typed, with the policy, the migrations and the command."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("refundflow", "states")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """Build the wheel from a copy of the sources, so that nothing is left beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    built = subprocess.run([sys.executable, "-c", build], cwd=folder, capture_output=True, text=True, check=True)
    with ZipFile(folder / "dist" / built.stdout.splitlines()[-1]) as archive:
        yield archive


def test_every_source_file_is_in_the_wheel_and_nothing_else(wheel: ZipFile) -> None:
    """The wheel holds exactly the files of the two packages, beside its own metadata."""
    folder = Path(str(wheel.filename)).parents[1]
    sources = {
        path.relative_to(folder).as_posix()
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.is_file()
    }

    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == sources


@pytest.mark.parametrize(
    "needed",
    [
        "refundflow/py.typed",
        "states/py.typed",
        "refundflow/data/policy.toml",
        "refundflow/migrations/env.py",
    ],
)
def test_the_wheel_holds_what_is_read_at_run_time(wheel: ZipFile, needed: str) -> None:
    """Types, the default policy and the migrations travel with the packages."""
    assert needed in wheel.namelist()


def test_the_wheel_installs_the_command(wheel: ZipFile) -> None:
    """Installing the wheel gives the command `refundflow`."""
    (entry_points,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))

    assert "refundflow = refundflow.cli:main" in wheel.read(entry_points).decode()


def test_the_packages_work_out_of_the_wheel(wheel: ZipFile, tmp_path: Path) -> None:
    """The packages, taken from the wheel alone, import and find the default policy."""
    wheel.extractall(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import states, refundflow.policies as policies\n"
        "print(states.__file__, policies.__file__, len(policies.default_text()))"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)

    *homes, length = ran.stdout.split()
    assert all(Path(home).is_relative_to(tmp_path) for home in homes)
    assert int(length) > 1_000
