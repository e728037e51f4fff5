"""The proof of what stands beside the chains: texts and evidence are what their entries commit to."""

from collections.abc import Iterator
from hashlib import sha256

from cryptography.exceptions import InvalidTag

from refundflow.audit.replay import Finding, Replayed
from refundflow.store import Tx
from refundflow.vault import BuyerRow, Vault


def texts_agree(tx: Tx, vault: Vault, order_id: str, chain: Replayed) -> Iterator[Finding]:
    """Compare the texts and the evidence of one chain with its commitments.

    Of a buyer whose key is gone nothing can be read any more, so that nothing can be compared.
    """
    evidence = chain.document.get("evidence") or {}
    owner = tx.buyer(chain.document.get("buyer", "")) if chain.texts or evidence else None
    if owner is None:
        return
    ciphers = tx.personal(order_id, chain.subject) if chain.texts else {}
    for (seq, name), commitment in chain.texts.items():
        content = _opened(vault, owner, ciphers.get((seq, name)), f"{chain.subject}|{seq}|{name}")
        if content is None or _commitment(vault, owner, chain.subject, seq, name, content) != commitment:
            yield Finding(chain.subject, seq, f"the text {name} is not what the entry commits to")
    for number, item in evidence.items():
        commitment = str(item.get("commit"))
        content = _opened(vault, owner, tx.content(owner.ref, commitment), f"evidence|{commitment}")
        if content is None or vault.evidence_commitment(owner.key, sha256(content).hexdigest()) != commitment:
            yield Finding(chain.subject, item.get("seq", 0), f"the evidence {number} is not what the entry commits to")


def _opened(vault: Vault, owner: BuyerRow, cipher: bytes | None, context: str) -> bytes | None:
    """Decrypt what is stored; None where it is missing or was changed."""
    try:
        return None if cipher is None else vault.decrypt(owner.key, cipher, context)
    except (InvalidTag, ValueError):
        return None


def _commitment(vault: Vault, owner: BuyerRow, subject: str, seq: int, name: str, content: bytes) -> str:
    return vault.commitment(owner.key, subject, seq, name, content.decode("utf-8", "replace"))
