"""The chart as a Petri net (PNML, ISO/IEC 15909-2): one place per leaf, one transition per move.

A refund begins with `submit` out of the place `start`. From every leaf a transition without a label leads to
`end`: `end:…` from a final one, `open:…` from one in which a refund may still stand when the log is exported. So
a log of moves that the chart allows replays with fitness 1.0, and no other does.
"""

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from states.chart import Table
from states.picture import moves

START, END = "start", "end"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml">\n'
    ' <net id={name} type="http://www.pnml.org/version-2009/grammar/ptnet">\n  <name><text>{text}</text></name>\n'
    '  <page id="page">\n'
)
_TAIL = (
    '  </page>\n  <finalmarkings><marking><place idref="end"><text>1</text></place></marking></finalmarkings>\n'
    " </net>\n</pnml>\n"
)
_SILENT = '<toolspecific tool="ProM" version="6.4" activity="$invisible$" localNodeID={id}/>'


def pnml(table: Table) -> str:
    """Return the net of a chart version."""
    head = _HEAD.format(name=quoteattr(table.version.replace("/", "-")), text=table.version)
    return head + "".join(f"   {line}\n" for line in _page(table)) + _TAIL


def _page(table: Table) -> Iterator[str]:
    for place in (START, *table.leaves, END):
        marking = "<initialMarking><text>1</text></initialMarking>" if place == START else ""
        yield f"<place id={quoteattr(place)}><name><text>{place}</text></name>{marking}</place>"
    arcs: list[tuple[str, str]] = []
    made: set[str] = set()
    for move in moves(table):
        source = move.source or START
        name = f"{move.event}:{source}:{move.target}"
        if name not in made:  # two guards may lead the same way
            made.add(name)
            yield f"<transition id={quoteattr(name)}><name><text>{move.event}</text></name></transition>"
            arcs += [(source, name), (name, move.target)]
    for leaf in table.leaves:
        name = f"{'end' if leaf in table.final else 'open'}:{leaf}"
        silent = _SILENT.format(id=quoteattr(name))
        yield f"<transition id={quoteattr(name)}><name><text>{name}</text></name>{silent}</transition>"
        arcs += [(leaf, name), (name, END)]
    for number, (source, target) in enumerate(arcs):
        yield f'<arc id="arc{number}" source={quoteattr(source)} target={quoteattr(target)}/>'
