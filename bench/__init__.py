"""The published benchmark: `make bench` measures a move against the floor and against what else one would take.

A scene (`scene`, `lived`) is a database full of refunds. Arms (`arms`, `serving`) are programs that make the same move
in different ways and take turns (`rounds`); the floor is `by_hand`, filled in from what the facade wrote (`recorded`).
Figures, a module each: `moves`, `counts` (without a clock), `deciding`, `reading`, `processes`, `growth`; `goals` holds
them to what they are to be, `report` writes the page. Beside it stand `worker`, `numbers`, `export` and `verify`.
"""
