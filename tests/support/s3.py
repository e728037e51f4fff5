"""A real S3 server for tests: Ceph's own daemons, in memory, where Debian's packages are installed.

`radosgw`, `ceph-mon` and `ceph-osd` run as children of the test and end with it; nothing of them is left.
"""

import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
NEEDED = "needs a real S3 server: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common"
ACCESS, SECRET, REGION = "tester", "secretsecret", "us-east-1"
PATIENCE = 60.0
TRIES = 4

_CONF = """
[global]
fsid = {fsid}
mon_host = v1:127.0.0.1:{mon}
public_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
ms_bind_msgr2 = false
run_dir = {folder}
log_file = {folder}/$name.log
admin_socket = {folder}/$name.asok
pid_file =
crash_dir = {folder}
keyring = {folder}/keyring
[mon.a]
mon_data = {folder}/mon
[osd.0]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 268435456
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_data = {folder}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{port}
"""
_LOCK = (
    '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ObjectLockEnabled>Enabled'
    "</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
    "</ObjectLockConfiguration>"
)


def missing() -> bool:
    """Tell whether a program of the server is not installed."""
    return any(shutil.which(name) is None for name in PROGRAMS)


class S3Server:
    """A running server on a loopback port."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="refundflow-s3-"))
        self._children: list[subprocess.Popen[bytes]] = []
        mon, self.port = _free_port(), _free_port()
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        for name in ("mon", "osd", "rgw"):
            (self._folder / name).mkdir()
        conf = _CONF.format(fsid=fsid, mon=mon, port=self.port, folder=self._folder)
        (self._folder / "ceph.conf").write_text(conf, encoding="utf-8")
        try:
            self._boot(fsid, osd, mon)
        except BaseException:
            self.close()
            raise

    def _boot(self, fsid: str, osd: str, mon: int) -> None:
        monmap = str(self._folder / "monmap")
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon}]", monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._start("ceph-mon", "-f", "-i", "a")
        self._run("ceph", "osd", "new", osd)
        for _ in range(TRIES):  # on a busy machine its first words to the monitor may get lost
            if self._storage(osd):
                break
        self._start("radosgw", "-f", "-n", "client.rgw")
        keys = (f"--access-key={ACCESS}", f"--secret-key={SECRET}")
        self._run("radosgw-admin", "user", "create", "--uid=tester", "--display-name=tester", *keys)
        self._wait()

    @property
    def endpoint(self) -> str:
        """Return the address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings by which clients of S3 find it."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true",
        }  # fmt: skip

    def locked_bucket(self, name: str) -> str:
        """Make a bucket in which nothing can be deleted or replaced for a day; return its URL."""
        self.request("PUT", f"/{name}", headers={"x-amz-bucket-object-lock-enabled": "true"})
        md5 = b64encode(hashlib.md5(_LOCK.encode(), usedforsecurity=False).digest()).decode()
        self.request("PUT", f"/{name}", query="object-lock=", body=_LOCK.encode(), headers={"content-md5": md5})
        return f"s3://{name}"

    def request(
        self, method: str, path: str, *, query: str = "", body: bytes = b"", headers: dict[str, str] | None = None
    ) -> bytes:
        """Send one signed request (AWS Signature Version 4).

        Raises:
            urllib.error.HTTPError: the server refused it.
        """
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        own = {
            **(headers or {}),
            "host": f"127.0.0.1:{self.port}",
            "x-amz-date": moment,
            "x-amz-content-sha256": digest,
        }
        names = ";".join(sorted(own))
        canonical = "\n".join(
            [method, path, query, *(f"{name}:{own[name]}" for name in sorted(own)), "", names, digest]
        )
        scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
        signed = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{SECRET}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, signed.encode(), "sha256").hex()
        own["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        address = f"{self.endpoint}{path}" + (f"?{query}" if query else "")
        made = urllib.request.Request(address, data=body or None, headers=own, method=method)
        with urllib.request.urlopen(made, timeout=20) as answer:
            content: bytes = answer.read()
        return content

    def close(self) -> None:
        """End the server and remove its folder."""
        for child in reversed(self._children):
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "CEPH_CONF": str(self._folder / "ceph.conf")}

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, env=self._environment(), capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode:
            self._fail(command, done.stderr)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{command[0]}.out").open("wb") as out:
            child = subprocess.Popen(command, env=self._environment(), stdout=out, stderr=out)
        self._children.append(child)
        return child

    def _storage(self, osd: str) -> bool:
        """Start the storage, empty; False when it did not come up."""
        shutil.rmtree(self._folder / "osd")
        (self._folder / "osd").mkdir()
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        started = self._start("ceph-osd", "-f", "-i", "0")
        end = time.monotonic() + PATIENCE / TRIES
        while started.poll() is None and time.monotonic() < end:
            told = subprocess.run(
                ["ceph", "osd", "stat"], env=self._environment(), capture_output=True, timeout=PATIENCE, check=True
            )
            if b"1 up" in told.stdout:
                return True
            time.sleep(0.2)
        started.kill()
        started.wait()
        return False

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.request("GET", "/")
            except (urllib.error.URLError, OSError) as problem:
                if time.monotonic() > end:
                    self._fail(["radosgw"], str(problem).encode())
                time.sleep(0.2)
            else:
                return

    def _fail(self, command: Sequence[str], told: bytes) -> None:
        raise RuntimeError(f"{' '.join(command)} failed:\n{told.decode(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
