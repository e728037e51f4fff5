"""Publication into a bucket with object lock, on a real S3 server: written once, kept, caught up, never removed.

It runs where Ceph's daemons are installed, as by Debian's packages; elsewhere these tests are skipped.
"""

import re
import subprocess
import urllib.error
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from refundflow import errors
from refundflow.proof.bucket import Bucket
from refundflow.service.facade import place_of_publication
from tests.support.market import CHEN, LI, Market
from tests.support.s3 import NEEDED, S3Server, missing


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """Run a real S3 server."""
    if missing():
        pytest.skip(NEEDED)
    try:
        running = S3Server()
    except (OSError, RuntimeError, subprocess.SubprocessError) as problem:
        pytest.skip(f"the S3 server is installed but does not come up here: {problem}")
    with running:
        yield running


@pytest.fixture
def bucket(server: S3Server, market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let a market publish into a new locked bucket; return the name of the bucket."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    name = f"log-{uuid.uuid4()}"
    market.refunds.signing_key = tmp_path / "log.key"
    market.refunds.key_create(actor=CHEN, at=market.at)
    market.refunds.place = place_of_publication(f"{server.locked_bucket(name)}/shop")
    return name


def versions(server: S3Server, bucket: str) -> list[tuple[str, str]]:
    """Return (name, version) of everything that the bucket holds, deleted or replaced or not."""
    told = server.request("GET", f"/{bucket}", query="versions=").decode()
    return re.findall(r"<Version><Key>([^<]+)</Key><VersionId>([^<]+)</VersionId>", told)


@pytest.mark.slow
def test_checkpoints_are_kept_by_a_locked_bucket(server: S3Server, bucket: str, market: Market) -> None:
    """Each is there once and cannot be removed; what was not published is caught up; verification reads them."""
    refunds = market.refunds
    refund = market.submit().id
    refunds.checkpoint(at=market.at)
    place, refunds.place = refunds.place, None
    market.act(refund, "note", LI, message="while the bucket was away")
    refunds.checkpoint(at=market.at)
    refunds.place = place
    market.act(refund, "note", LI, message="after that")
    refunds.checkpoint(at=market.at)
    refunds.publish()

    made = refunds.checkpoints()
    assert isinstance(place, Bucket) and list(place.sizes()) == [item.size for item in made] and len(made) == 3
    for item in made:
        assert place.read(f"checkpoints/{item.size}") == (item.note or "").encode()
    held = versions(server, bucket)
    kept = [name for name, _ in held if name != "shop/checkpoint"]
    assert len(kept) == len(set(kept)) > 3
    assert refunds.verify().findings == ()
    for name, version in held:
        with pytest.raises(urllib.error.HTTPError, match="403"):
            server.request("DELETE", f"/{bucket}/{name}", query=f"versionId={version}")


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_told(server: S3Server, bucket: str, market: Market) -> None:
    """The checkpoint is in the database by then, and the next run publishes it; nothing takes its place."""
    refunds = market.refunds
    market.submit()
    place, refunds.place = refunds.place, Bucket("s3://no-such-bucket/shop")
    with pytest.raises(errors.RefundflowError, match="NoSuchBucket"):
        refunds.checkpoint(at=market.at)
    refunds.place = place
    made = refunds.checkpoint(at=market.at)

    assert place is not None and place.read("checkpoint") == (made.note or "").encode()
    assert not place.keep(f"checkpoints/{made.size}", b"another one")


@pytest.mark.parametrize("named", ["s3://", "ftp://host/folder"])
def test_what_names_no_place_is_refused(named: str) -> None:
    """A setting that names neither a folder nor a bucket is told before anything is signed."""
    with pytest.raises(errors.Misconfigured):
        place_of_publication(named)
