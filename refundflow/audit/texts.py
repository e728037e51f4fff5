"""The proof of what stands beside the chains: texts and evidence are what their entries commit to, or were erased."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag

from refundflow.audit.replay import Finding, Replayed
from refundflow.store import Tx
from refundflow.vault import BuyerRow, Vault


def texts_agree(
    tx: Tx, vault: Vault, order_id: str, chains: Mapping[str, Replayed], erasures: Mapping[str, Any]
) -> Iterator[Finding]:
    """Compare the texts and the evidence of an order with the commitments in its chains.

    Of an erased buyer nothing can be read any more; then his lines and the register of erasures must say so.
    """
    owners: dict[str, BuyerRow | None] = {}
    for chain in chains.values():
        ref = str(chain.document.get("buyer", ""))
        if not ref:
            continue
        if ref not in owners:
            owners[ref] = tx.buyer(ref)
        owner = owners[ref]
        if "/" in chain.subject:
            yield from _erasure_agrees(chain, owner, erasures.get(ref, {}))
        if owner is not None:
            yield from _readable(tx, vault, order_id, chain, owner)
        elif "ended" in erasures.get(ref, {}):
            yield from _nothing_left(tx, order_id, chain)


def _erasure_agrees(line: Replayed, owner: BuyerRow | None, register: Mapping[str, Any]) -> Iterator[Finding]:
    """Tell an erasure that has its entries from a key that somebody removed, or put back."""
    said = "erased" in line.document
    if owner is not None and said:
        yield Finding(line.subject, 0, "its buyer was erased, but the key of his data is there")
    elif owner is None and not said and ("begun" not in register or "ended" in register):
        yield Finding(line.subject, 0, "the key of its buyer's data is gone, and no entry says that he was erased")
    elif said and "begun" not in register:
        yield Finding(line.subject, 0, "its buyer was erased, but the register of erasures does not say so")


def _readable(tx: Tx, vault: Vault, order_id: str, chain: Replayed, owner: BuyerRow) -> Iterator[Finding]:
    ciphers = tx.personal(order_id, chain.subject) if chain.texts else {}
    for (seq, name), commitment in chain.texts.items():
        content = _opened(vault, owner, ciphers.get((seq, name)), f"{chain.subject}|{seq}|{name}")
        if content is None or _commitment(vault, owner, chain.subject, seq, name, content) != commitment:
            yield Finding(chain.subject, seq, f"the text {name} is not what the entry commits to")
    for number, item in (chain.document.get("evidence") or {}).items():
        commitment = str(item.get("commit"))
        content = _opened(vault, owner, tx.content(owner.ref, commitment), f"evidence|{commitment}")
        if content is None or vault.evidence_commitment(owner.key, sha256(content).hexdigest()) != commitment:
            yield Finding(chain.subject, item.get("seq", 0), f"the evidence {number} is not what the entry commits to")


def _nothing_left(tx: Tx, order_id: str, chain: Replayed) -> Iterator[Finding]:
    """Require that of an erased buyer no text and no file is kept, not even encrypted."""
    if chain.texts and tx.personal(order_id, chain.subject):
        yield Finding(chain.subject, 0, "texts of an erased buyer are still stored")
    ref = str(chain.document["buyer"])
    for number, item in (chain.document.get("evidence") or {}).items():
        if tx.content(ref, str(item.get("commit"))) is not None:
            yield Finding(chain.subject, 0, f"the evidence {number} of an erased buyer is still stored")


def _opened(vault: Vault, owner: BuyerRow, cipher: bytes | None, context: str) -> bytes | None:
    """Decrypt what is stored; None where it is missing or was changed."""
    try:
        return None if cipher is None else vault.decrypt(owner.key, cipher, context)
    except (InvalidTag, ValueError):
        return None


def _commitment(vault: Vault, owner: BuyerRow, subject: str, seq: int, name: str, content: bytes) -> str:
    return vault.commitment(owner.key, subject, seq, name, content.decode("utf-8", "replace"))
