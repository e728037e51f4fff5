"""Evidence: what may be attached, what has come, what is still missing."""

from collections.abc import Iterable, Mapping

from states import codes
from states.case import Blocker, Case, Json
from states.draft import Turn
from states.moves import of_terms
from states.policy import Policy

BUYER_SIDE = ("buyer", "service")


def unknown_kinds(kinds: Iterable[str]) -> list[Blocker]:
    """Return the blocker of kinds that are not in the coded list."""
    unknown = [kind for kind in kinds if kind not in codes.EVIDENCE_KINDS]
    return (
        [Blocker(code="UNKNOWN_KIND", params={"kinds": unknown, "allowed": list(codes.EVIDENCE_KINDS)})]
        if unknown
        else []
    )


@of_terms
def file_blockers(turn: Turn) -> list[Blocker]:
    """Judge the files of an act: kind, media type, size, and how many the refund would have."""
    files = turn.given("evidence") or []
    return judge_files(turn.policy, files, list(turn.case["evidence"].values()))


def judge_files(policy: Policy, files: list[dict[str, Json]], have: list[dict[str, Json]]) -> list[Blocker]:
    """Judge files against the policy, beside those that the refund already has."""
    blockers = unknown_kinds([item["kind"] for item in files])
    for item in files:
        if item["media_type"] not in policy.media_types:
            blockers.append(
                Blocker(
                    code="MEDIA_TYPE_NOT_ALLOWED",
                    params={"type": item["media_type"], "allowed": list(policy.media_types)},
                )
            )
        if item["size"] > policy.evidence_max_bytes:
            blockers.append(
                Blocker(code="FILE_TOO_LARGE", params={"size": item["size"], "limit": policy.evidence_max_bytes})
            )
    count = len(have) + len(_unseen(files, have))
    if files and count > policy.evidence_max_files:
        blockers.append(Blocker(code="TOO_MANY_FILES", params={"count": count, "limit": policy.evidence_max_files}))
    return blockers


def _unseen(files: list[dict[str, Json]], have: list[dict[str, Json]]) -> list[dict[str, Json]]:
    """Return the files that are not there yet: the same kind and content again changes nothing."""
    seen = {(item["kind"], item["commit"]) for item in have}
    fresh = []
    for item in files:
        if (item["kind"], item["commit"]) not in seen:
            seen.add((item["kind"], item["commit"]))
            fresh.append(item)
    return fresh


def unseen_files(turn: Turn, case: Case) -> list[dict[str, Json]]:
    """Return the act's files that the refund does not have yet."""
    return _unseen(turn.given("evidence") or [], list(case["evidence"].values()))


def named_files(turn: Turn, case: Case) -> list[dict[str, Json]]:
    """Return what an entry says of the act's new files: kind and commitment."""
    return [{"kind": item["kind"], "commit": item["commit"]} for item in unseen_files(turn, case)]


def known_since(turn: Turn, case: Case) -> int | None:
    """Return the seq with which the last of the act's files came, or None where one of them is new."""
    files = {(item["kind"], item["commit"]) for item in turn.given("evidence") or []}
    came = {(item["kind"], item["commit"]): int(item["seq"]) for item in case["evidence"].values()}
    return max(came[file] for file in files) if files and files <= came.keys() else None


def add_files(turn: Turn, case: Case) -> None:
    """Attach the act's files that are new."""
    buyer_side = turn.actor.role in BUYER_SIDE
    for item in unseen_files(turn, case):
        case["evidence"][str(len(case["evidence"]) + 1)] = {
            "kind": item["kind"], "commit": item["commit"], "size": item["size"], "media_type": item["media_type"],
            "role": turn.actor.role, "by": turn.actor.name, "at": case["effective_at"], "seq": case["seq"],
            "audience": "buyer" if buyer_side else turn.given("audience") or "internal",
        }  # fmt: skip


def came_since(case: Case, seq: int) -> list[dict[str, Json]]:
    """Return the evidence that the buyer's side gave after an entry."""
    return [item for item in case["evidence"].values() if item["seq"] > seq and item["role"] in BUYER_SIDE]


def missing(
    needed: Iterable[tuple[str, ...]], evidence: Mapping[str, Mapping[str, Json]]
) -> tuple[tuple[str, ...], ...]:
    """Return the groups of kinds that are needed and of which none has come yet."""
    kinds = {item["kind"] for item in evidence.values()}
    return tuple(group for group in needed if not kinds & set(group))
