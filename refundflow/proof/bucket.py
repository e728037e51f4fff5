"""Publication into an S3 bucket, by the extra `s3`; object lock with a default retention is the bucket's own matter.

The client reads its credentials and its endpoint from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_REGION``,
``AWS_ENDPOINT_URL``, …), as others do.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from refundflow.errors import Misconfigured, RefundflowError

RETRIES = 3
PATIENCE = timedelta(seconds=60)  # for all tries of one request together


class Bucket:
    """A bucket, or a folder in one: ``s3://BUCKET/FOLDER``."""

    def __init__(self, url: str) -> None:
        """Name the bucket; nothing is asked of it yet.

        Raises:
            Misconfigured: the extra is missing, or the URL names no bucket.
        """
        try:
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError as problem:
            raise Misconfigured("s3:// needs the extra: pip install 'refundflow[s3]'") from problem
        name, _, prefix = url.removeprefix("s3://").partition("/")
        if not name:
            raise Misconfigured(f"{url!r} names no bucket: s3://BUCKET/FOLDER")
        self._url, self._errors = url, (BaseError, OSError)
        self._store = S3Store(
            name,
            prefix=prefix or None,
            retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
        )

    def read(self, name: str) -> bytes | None:
        """Return what stands under a name, None where nothing does."""
        import obstore

        try:
            return bytes(obstore.get(self._store, name).bytes())
        except FileNotFoundError:
            return None
        except self._errors as problem:
            raise self._failed(name, problem) from problem

    def keep(self, name: str, content: bytes) -> bool:
        """Write what stays as it is; False where something stands there already.

        It is looked first, since not every server keeps the condition of the write in a bucket with versions.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        if self._exists(name):
            return False
        try:
            obstore.put(self._store, name, content, mode="create")
        except AlreadyExistsError:
            return False
        except self._errors as problem:
            raise self._failed(name, problem) from problem
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write what takes the place of what stood there; a bucket with versions keeps that too."""
        import obstore

        try:
            obstore.put(self._store, name, content)
        except self._errors as problem:
            raise self._failed(name, problem) from problem

    def drop(self, name: str) -> None:
        """Leave everything: what is locked cannot be removed."""

    def sizes(self) -> Iterator[int]:
        """Yield the sizes under `checkpoints/` in ascending order."""
        import obstore

        try:
            pages: list[Any] = list(obstore.list(self._store, prefix="checkpoints"))
        except self._errors as problem:
            raise self._failed("checkpoints", problem) from problem
        names = [item["path"].rpartition("/")[2] for page in pages for item in page]
        yield from sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def _exists(self, name: str) -> bool:
        import obstore

        try:
            obstore.head(self._store, name)
        except FileNotFoundError:
            return False
        except self._errors as problem:
            raise self._failed(name, problem) from problem
        return True

    def _failed(self, name: str, problem: Exception) -> RefundflowError:
        told = str(problem).partition("\n")[0]
        return RefundflowError(f"{self._url}/{name}: {told}: the checkpoints are published by the next run")
