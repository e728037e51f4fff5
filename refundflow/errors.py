"""The tree of errors, each with a stable code, and the one table code → exit status → HTTP status.

RefundflowError                  1 / 500
├── BadInput                     2 / 422   BAD_INPUT
│   ├── PolicyInvalid            2 / 422   POLICY_INVALID
│   └── Misconfigured            2 / 500   MISCONFIGURED
├── Refused                      3 / 409   the code of the first blocker
│   └── RoleNotAllowed           4 / 403   ROLE_NOT_ALLOWED, NOT_REGISTERED
├── NotFound                     5 / 404   NOT_FOUND
├── Busy                         6 / 503   BUSY
├── ChangedMeanwhile             6 / 409   CHANGED_MEANWHILE
├── ProofFailed                  8 / 500   PROOF_FAILED
├── NotInitialised               1 / 503   NOT_INITIALISED
└── SchemaTooNew                 1 / 503   SCHEMA_TOO_NEW

Exit status 7 is reserved, 130 is an interruption from the keyboard.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from states.case import Blocker

Json = Any


class Status(NamedTuple):
    """What a caller outside Python is told: the exit status of the command, the status of the answer."""

    exit: int
    http: int


STATUS: Mapping[str, Status] = {
    "FAILURE": Status(1, 500),
    "BAD_INPUT": Status(2, 422),
    "POLICY_INVALID": Status(2, 422),
    "MISCONFIGURED": Status(2, 500),
    "REFUSED": Status(3, 409),
    "ROLE_NOT_ALLOWED": Status(4, 403),
    "NOT_REGISTERED": Status(4, 403),
    "NOT_FOUND": Status(5, 404),
    "BUSY": Status(6, 503),
    "CHANGED_MEANWHILE": Status(6, 409),
    "PROOF_FAILED": Status(8, 500),
    "NOT_INITIALISED": Status(1, 503),
    "SCHEMA_TOO_NEW": Status(1, 503),
}
INTERRUPTED = 130


class RefundflowError(Exception):
    """Report what went wrong by a stable code, a message for people, and typed fields."""

    kind = "FAILURE"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.kind

    @property
    def status(self) -> Status:
        """Look up exit and HTTP status by the kind of error."""
        return STATUS[self.kind]

    def as_json(self) -> dict[str, Json]:
        """Return code, message, blockers and what is possible instead as JSON values."""
        return {"code": self.code, "message": self.message, "blockers": [], "possible": []}


class BadInput(RefundflowError):
    """Say that a value given by the caller cannot be read or is not allowed; `field` names it."""

    kind = "BAD_INPUT"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    def as_json(self) -> dict[str, Json]:
        """Add the name of the field where there is one."""
        named = {"field": self.field} if self.field else {}
        return super().as_json() | named


class Misconfigured(BadInput):
    """Say that a setting of the environment is missing or wrong; `field` names the setting."""

    kind = "MISCONFIGURED"


class PolicyProblem(NamedTuple):
    """One thing that is wrong in a policy file: where, what, and what is allowed there."""

    key: str
    problem: str
    allowed: str


class PolicyInvalid(BadInput):
    """Name every problem of a policy file at once: file, key, what is allowed."""

    kind = "POLICY_INVALID"

    def __init__(self, source: str, problems: Sequence[tuple[str, str, str]]) -> None:
        self.source = source
        self.problems = tuple(PolicyProblem(*problem) for problem in problems)
        lines = (f"{source}: {p.key}: {p.problem} (allowed: {p.allowed})" for p in self.problems)
        super().__init__("\n".join(lines), field=self.problems[0].key if self.problems else None)

    def as_json(self) -> dict[str, Json]:
        """Add the file and its problems."""
        return super().as_json() | {"source": self.source, "problems": [p._asdict() for p in self.problems]}


class Refused(RefundflowError):
    """Say that the chart or a rule blocks the act: every blocker, and what is possible instead.

    `refund` is the id of the refund (of the order line, for its own facts) that refused.
    `zone` and `currency` say how the moments and amounts among the parameters are written for people.
    """

    kind = "REFUSED"

    def __init__(
        self,
        blockers: Sequence[Blocker],
        possible: Sequence[str] = (),
        refund: str | None = None,
        *,
        zone: str = "UTC",
        currency: str | None = None,
    ) -> None:
        self.blockers = tuple(blockers)
        self.possible = tuple(possible)
        self.refund = refund
        self.zone = zone
        self.currency = currency
        codes = [blocker.code for blocker in self.blockers]
        super().__init__("refused: " + ", ".join(codes), code=codes[0] if codes else None)

    def as_json(self) -> dict[str, Json]:
        """Return the blockers with their parameters and until when each of them blocks."""
        blockers = [{"code": b.code, **b.params, "until": b.until} for b in self.blockers]
        refund = {"refund": self.refund} if self.refund else {}
        return super().as_json() | {"blockers": blockers, "possible": list(self.possible)} | refund


class RoleNotAllowed(Refused):
    """Say that this role may not do this, or that the person is not registered."""

    kind = "ROLE_NOT_ALLOWED"


class NotFound(RefundflowError):
    """Say that there is no such thing, or none that this actor may see."""

    kind = "NOT_FOUND"

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"there is no {what!r}, or it is not yours to see" + (hint and f"; {hint}"))
        self.what = what

    def as_json(self) -> dict[str, Json]:
        """Add what was asked for."""
        return super().as_json() | {"what": self.what}


class Busy(RefundflowError):
    """Say that the database stayed locked by others for too long; nothing was done, try again."""

    kind = "BUSY"

    def __init__(self, message: str = "the database is busy; nothing was done, try again") -> None:
        super().__init__(message)


class ChangedMeanwhile(RefundflowError):
    """Say that others kept changing the same order line; nothing was done, look again."""

    kind = "CHANGED_MEANWHILE"

    def __init__(self, message: str = "others changed it meanwhile; nothing was done, look again") -> None:
        super().__init__(message)


class ProofFailed(RefundflowError):
    """Say that a chain, a replay or an invariant does not hold; `findings` names each place."""

    kind = "PROOF_FAILED"

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(self.findings) or "the proof failed")

    def as_json(self) -> dict[str, Json]:
        """Add every finding."""
        return super().as_json() | {"findings": list(self.findings)}


class NotInitialised(RefundflowError):
    """Say that the database has not been made ready by `refundflow init` or `refundflow upgrade`."""

    kind = "NOT_INITIALISED"


class SchemaTooNew(RefundflowError):
    """Say that the database was made by a newer version of refundflow than this one."""

    kind = "SCHEMA_TOO_NEW"
