"""What `refundflow` itself offers."""

import subprocess
import sys

import pytest

import refundflow


@pytest.mark.parametrize("name", refundflow.__all__)
def test_every_name_that_is_offered_can_be_imported(name: str) -> None:
    """The table of homes and the list of names agree, and each home has its name."""
    assert getattr(refundflow, name).__name__ == name


def test_an_unknown_name_is_no_attribute() -> None:
    """A misspelt import fails as it does everywhere."""
    with pytest.raises(AttributeError, match="Refundz"):
        _ = refundflow.Refundz


def test_importing_the_package_brings_no_database_layer() -> None:
    """The command line starts fast because the facade is imported when it is asked for."""
    code = "import sys, refundflow; print('sqlmodel' in sys.modules, 'sqlalchemy' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]
