"""The settings of the environment are validated where they are read."""

from pathlib import Path

import pytest

from refundflow import config
from refundflow.errors import Misconfigured


def test_without_settings_a_file_beside_is_used() -> None:
    """Without settings the database is an SQLite file in the working folder and nobody acts."""
    read = config.read({})

    assert read == config.Config(database_url="sqlite:///refundflow.db", actor=None)


def test_paths_are_taken_from_the_environment() -> None:
    """The key of the log and the place of its checkpoints are named by settings; an empty one names nothing."""
    read = config.read({config.SIGNING_KEY: "log.key", config.CHECKPOINTS: "/srv/log"})

    assert (read.signing_key, read.checkpoints) == (Path("log.key"), "/srv/log")
    assert config.read({config.SIGNING_KEY: "", config.CHECKPOINTS: ""}) == config.read({})


def test_every_commit_is_flushed_unless_a_setting_says_otherwise() -> None:
    """An SQLite file is fully synchronous where nothing is set; a misspelt setting is refused."""
    assert config.read({}).synchronous == "full"
    assert config.read({config.SYNCHRONOUS: "normal"}).synchronous == "normal"
    with pytest.raises(Misconfigured):
        config.read({config.SYNCHRONOUS: "off"})


@pytest.mark.parametrize(
    "url",
    ["sqlite:////var/lib/refunds.db", "postgresql://shop@db/refunds", "postgresql+psycopg://shop@db/refunds"],
)
def test_both_databases_are_accepted(url: str) -> None:
    """A URL of SQLite or PostgreSQL is taken as it stands."""
    assert config.read({config.DATABASE_URL: url}).database_url == url


@pytest.mark.parametrize("url", ["refunds.db", "mysql://root:secret@db/refunds", "sqlite://", "sqlite:///:memory:"])
def test_anything_else_is_refused_without_repeating_a_password(url: str) -> None:
    """Another URL is refused by naming the setting, and a password in it is not repeated."""
    with pytest.raises(Misconfigured) as caught:
        config.read({config.DATABASE_URL: url})

    assert caught.value.field == config.DATABASE_URL
    assert "secret" not in caught.value.message
