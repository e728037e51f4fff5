"""The settings of the environment are validated where they are read."""

import pytest

from refundflow import config
from refundflow.errors import Misconfigured


def test_without_settings_a_file_beside_is_used() -> None:
    """Without settings the database is an SQLite file in the working folder and nobody acts."""
    read = config.read({})

    assert read == config.Config(database_url="sqlite:///refundflow.db", actor=None)


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
