"""The doctor: looks at the installation, the rules and the database, and says what is not as it should be."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, PackagePath, distribution, packages_distributions
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import refundflow
import states
from refundflow import calendars, migrations, policies
from refundflow.clock import utc_now
from refundflow.config import CHECKPOINTS, SIGNING_KEY
from refundflow.errors import BadInput, NotInitialised, RefundflowError
from refundflow.proof import read_key
from refundflow.proof.publish import published_head
from refundflow.service import Refunds
from refundflow.service.erasing import unfinished
from states.chart import disagreements
from states.policy_values import Policy
from states.refund_v1 import TABLE, RefundV1

Verdict = Literal["ok", "warning", "failed"]
OURS = "refundflow"
SOON = timedelta(days=60)
OLDEST_POSTGRES = 150000


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What one look found."""

    what: str
    verdict: Verdict
    detail: str


def examine(
    url: str, policy: Policy | None = None, *, signing_key: Path | None = None, checkpoints: str | None = None
) -> Iterator[Diagnosis]:
    """Look at everything in turn; what cannot be looked at is a failure with its reason, never an error.

    `policy` is the one that new refunds get (default: the packaged one); `signing_key` and `checkpoints` are the
    settings of the log.
    """
    yield _looked("package", _package)
    yield _looked("chart", _chart)
    yield _looked("calendar", lambda: _calendar(url, policy or policies.default()))
    opened = _looked("database", lambda: _database(url))
    yield opened
    if opened.verdict == "ok":
        yield _looked("guards", lambda: _guards(url))
        yield _looked("privileges", lambda: _privileges(url))
        yield _looked("erasures", lambda: _erasures(url))
        yield _looked("log", lambda: _log(url, signing_key, checkpoints))


def _looked(what: str, look: Callable[[], tuple[Verdict, str]]) -> Diagnosis:
    try:
        verdict, detail = look()
    except RefundflowError as error:
        verdict, detail = "failed", error.message
    except Exception as error:  # noqa: BLE001 - a driver's own: what is broken is what is looked for
        verdict, detail = "failed", str(getattr(error, "orig", error)).partition("\n")[0]
    return Diagnosis(what=what, verdict=verdict, detail="; ".join(detail.splitlines()))


def _package() -> tuple[Verdict, str]:
    """Tell whether `states` is ours: its name is a general one that another distribution may have taken."""
    ours = Path(refundflow.__file__).parents[1]
    there = Path(states.__file__).parents[1]
    owners = sorted({*packages_distributions().get("states", ())} - {OURS})
    if ours != there:
        return "failed", f"the package `states` comes from {there}, not from {ours}"
    if owners:
        return "failed", f"the package `states` is also installed by {', '.join(owners)}: uninstall it, then reinstall"
    changed = list(_changed_files())
    if changed:
        return "failed", f"not as installed: {', '.join(changed)}"
    return "ok", f"refundflow {refundflow.__version__}"


def _changed_files() -> Iterator[str]:
    """Yield our files that differ from what was installed; an editable installation records none."""
    try:
        recorded = distribution(OURS).files or []
    except PackageNotFoundError:
        return
    for file in recorded:
        ours = file.suffix == ".py" and file.parts[0] in ("states", OURS)
        if ours and file.hash is not None and not _as_recorded(file):
            yield str(file)


def _as_recorded(file: PackagePath) -> bool:
    path = Path(str(file.locate()))
    if not path.is_file() or file.hash is None:
        return False
    digest = base64.urlsafe_b64encode(sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
    return file.hash.mode != "sha256" or digest == file.hash.value


def _chart() -> tuple[Verdict, str]:
    """Prove the compiled table against python-statemachine itself."""
    found = list(disagreements(RefundV1, TABLE))
    if found:
        return "failed", "; ".join(found)
    return "ok", f"{TABLE.version}: {len(TABLE.rows)} moves, the table is what the engine does"


def _calendar(url: str, policy: Policy) -> tuple[Verdict, str]:
    calendar = calendars.shipped()
    try:
        with Refunds.connect(url) as refunds:
            now = _present(refunds)
            calendar = refunds.engine.calendars.at(now)
    except NotInitialised:
        return "ok", f"{calendar.version}, covers {calendar.first} to {calendar.last} (shipped)"
    today = now.astimezone(ZoneInfo(policy.zone)).date()
    told = f"{calendar.version}, covers {calendar.first} to {calendar.last}"
    if today + SOON > calendar.last:
        return "warning", f"{told}: later working days are provisional, import the next year's"
    return "ok", told


def _present(refunds: Refunds) -> datetime:
    """Return the time of the database; of a rehearsal that has not begun, the host's."""
    try:
        return refunds.now()
    except BadInput:
        return utc_now()


def _database(url: str) -> tuple[Verdict, str]:
    with Refunds.connect(url) as refunds:
        mode = "rehearsal" if refunds.rehearsal else "live"
        kind = refunds.dialect
    with migrations.connect(url) as connection:
        if kind == "postgresql":
            number = int(str(connection.exec_driver_sql("SHOW server_version_num").scalar()))
            if number < OLDEST_POSTGRES:
                return "failed", f"PostgreSQL {number // 10000} is too old: 15 or newer is needed"
            if connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on":
                return "failed", "it may only be read: a standby, or default_transaction_read_only is on"
        partitions = migrations.partitions_of(connection)
    told = f", {partitions} partitions" if partitions else ""
    return "ok", f"{kind}, {mode}, schema {migrations.HEAD}{told}"


def _guards(url: str) -> tuple[Verdict, str]:
    with migrations.connect(url) as connection:
        migrations.assert_guards(connection)
    return "ok", "entries and payouts can only be added"


def _privileges(url: str) -> tuple[Verdict, str]:
    """Find a role that may not do all that is needed; warn of one that could switch the guards off."""
    with migrations.connect(url) as connection:
        lacking = migrations.privileges_lacking(connection)
        beyond = migrations.privileges_beyond(connection)
        if connection.dialect.name == "sqlite":
            return "ok", "whoever may write the file may do all: guard it by its permissions"
    if lacking:
        return "failed", f"this role lacks {'; '.join(lacking)}: grant it as docs/how-to/postgresql.md says"
    if beyond:
        return "warning", f"this role may also {', '.join(beyond)} entries: run as one that may not"
    return "ok", "this role may do what is needed, and with entries no more than read and add them"


def _erasures(url: str) -> tuple[Verdict, str]:
    """Tell of erasures that somebody promised to a buyer and that were interrupted."""
    with Refunds.connect(url) as refunds:
        found = refunds.engine.read(unfinished)
    if not found:
        return "ok", "none was begun and not ended"
    told = "; ".join(f"{begun.ref} ({begun.reason}) begun at {begun.at:%Y-%m-%d %H:%M} UTC" for begun in found)
    return "warning", f"not ended: {told}: unless one is running, the same call again ends it: privacy erase BUYER"


def _log(url: str, signing_key: Path | None, checkpoints: str | None) -> tuple[Verdict, str]:
    """Look whether checkpoints can be signed and are published."""
    if signing_key is None:
        return "ok", f"{SIGNING_KEY} is not set: no checkpoints are made"
    key = read_key(signing_key).verifying
    with Refunds.connect(url, signing_key=signing_key, checkpoints=checkpoints) as refunds:
        register = refunds.keys()
        if str(key) not in {known.vkey for known in register if known.until is None}:
            return "failed", f"the key {key.id} is not registered, or was retired: refundflow audit keys create"
        signed = [item.size for item in refunds.checkpoints(limit=1) if item.note is not None]
        published = published_head(refunds.place) if refunds.place is not None else None
    told = f"key {key.id}, newest checkpoint of {signed[0]} entries" if signed else f"key {key.id}, no checkpoint yet"
    if checkpoints is None:
        return "warning", f"{told}; {CHECKPOINTS} is not set: none is kept outside of the database"
    if published is not None and signed and published.size > signed[0]:
        return "failed", f"{told}, but one of {published.size} was published: an old state was restored"
    return "ok", f"{told}, published of {published.size}" if published is not None else f"{told}, none published yet"
