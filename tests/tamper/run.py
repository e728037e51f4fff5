"""Every attack carried out and verified: alone, with one earlier checkpoint held, and with what was published."""

from dataclasses import dataclass
from pathlib import Path

from refundflow import audit
from refundflow.audit import Outside
from refundflow.store import Store
from refundflow.vault import Vault
from tests.tamper.attacks import Attack, attacks
from tests.tamper.scene import Scene, forging, play

RESTORED = "an old state of the whole database restored"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was found of one attack, None where nothing was."""

    group: str
    name: str
    alone: str | None
    held: str | None
    published: str | None

    @property
    def detected(self) -> bool:
        """Tell whether whoever holds one earlier checkpoint finds it."""
        return self.held is not None


def results(url: str, folder: Path) -> list[Result]:
    """Play the history in an empty database and carry out every attack on it."""
    scene = Scene(url=url, folder=folder)
    play(scene)
    with forging(scene) as nobody:
        for outside in (Outside(), scene.outside, scene.published):
            assert nobody.findings(outside) == []
    return [*(_attacked(scene, attack) for attack in attacks()), _restored(scene)]


def _attacked(scene: Scene, attack: Attack) -> Result:
    with forging(scene) as forger:
        attack.run(forger)
        alone, held, published = (
            _first(forger.findings(outside)) for outside in (Outside(), scene.outside, scene.published)
        )
    return Result(group=attack.group, name=attack.name, alone=alone, held=held, published=published)


def _restored(scene: Scene) -> Result:
    """Verify a backup from before the held checkpoint in the place of the database."""
    told = []
    for outside in (Outside(), scene.outside, scene.published):
        with Store.open(scene.backup) as store, store.read() as tx:
            found = audit.verify(tx, Vault(store.secret, rehearsal=True), outside=outside).findings
        told.append(_first([str(item) for item in found]))
    return Result(group="the history", name=RESTORED, alone=told[0], held=told[1], published=told[2])


def _first(findings: list[str]) -> str | None:
    """Choose what tells most: of an entry or row, of a leaf, of a moment, of the log as a whole."""

    def rank(item: str) -> int:
        if item.startswith("log:"):
            return 1 if item.startswith("log: leaf") else 3
        return 2 if "it says that it was recorded" in item else 0

    return min(findings, key=rank, default=None)
