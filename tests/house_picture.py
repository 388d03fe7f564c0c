"""Draw the ten rooms and their arrows from the code: ``python -m tests.house_picture``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from markupsafe import Markup

from tests.test_house import MODULES, ROOMS, imports, room_of

PICTURE: Final = Path(__file__).parents[1] / "docs" / "images" / "house.svg"
#: What a room holds, in the words of the README.
HOLDS: Final = {
    "base": "values, times, IDs, errors, HTML",
    "columns": "JSON in columns",
    "expressions": "conditions, as objects and as text",
    "updates": "operators and messages",
    "store": "the log, SQLite, history, undo",
    "profiles": "the table of profiles",
    "events": "what users did, joined with profiles",
    "sources": "CSV, files, HTTP clients",
    "reports": "numbers, pictures, users",
    "forms": "what a person sees and clicks",
}
#: On which side a room is drawn, so that no arrow passes behind another room.
_SIDE: Final = {
    **dict.fromkeys(("expressions", "profiles", "sources"), -1),
    **dict.fromkeys(("updates", "store", "events", "reports"), 1),
}
_WIDTH, _HEIGHT, _GAP = 264, 56, 44  # pixels
_BOX = Markup(
    '<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    '<text class="name" x="{middle}" y="{name_y}">{room}</text>'
    '<text x="{middle}" y="{holds_y}">{holds}</text>'
)
_ARROW = Markup('<path d="M{x1} {y1} L{x2} {y2}"/>')
_PICTURE = Markup(
    """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
font-family="Helvetica, Arial, sans-serif" font-size="13" text-anchor="middle">
<title>Ten rooms: {order}. An arrow leads from a room to one it imports from.</title>
<style>
rect {{ fill: #ffffff; stroke: #4f44e0; stroke-width: 1.5 }}
path {{ fill: none; stroke: #6b6f7b; stroke-width: 1.5; marker-end: url(#tip) }}
.tip {{ fill: #6b6f7b; stroke: none; marker-end: none }}
text {{ fill: #40434d }}
.name {{ fill: #16181d; font-size: 16px; font-weight: bold }}
</style>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 z"/></marker>
<rect width="{width}" height="{height}" style="stroke: none"/>
{arrows}
{boxes}
</svg>
"""
)


def arrows() -> set[tuple[str, str]]:
    """Return the pairs of rooms of which the first imports from the second."""
    return {
        (room, other)
        for module, path in MODULES.items()
        if (room := room_of(module))
        for imported in imports(path)
        if (other := room_of(imported)) and other != room
    }


def direct(pairs: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the arrows that do not follow from others: a room may use all that lies below."""
    below: dict[str, set[str]] = {}
    for room in ROOMS:
        nearest = {other for each, other in pairs if each == room}
        below[room] = nearest.union(*(below[other] for other in nearest))
    return sorted(
        (room, other)
        for room, other in pairs
        if not any(other in below[each] for each in below[room])
    )


def floors(pairs: set[tuple[str, str]]) -> list[list[str]]:
    """Return the rooms by floor, from the ground up."""
    floor: dict[str, int] = {}
    for room in ROOMS:
        floor[room] = 1 + max((floor[other] for each, other in pairs if each == room), default=-1)
    storeys = range(max(floor.values()) + 1)
    return [[room for room in ROOMS if floor[room] == each] for each in storeys]


def picture() -> str:
    """Return the drawing as SVG."""
    pairs = arrows()
    storeys = floors(pairs)
    width = 2 * (_WIDTH + _GAP) + _GAP
    height = len(storeys) * (_HEIGHT + _GAP) + _GAP
    at = {
        room: (
            (width - _WIDTH) // 2 + _SIDE.get(room, 0) * (_WIDTH + _GAP) // 2,
            _GAP + number * (_HEIGHT + _GAP),
        )
        for number, rooms in enumerate(reversed(storeys))
        for room in rooms
    }
    lines = [
        _ARROW.format(
            x1=at[room][0] + _WIDTH // 2 + (at[other][0] - at[room][0]) // 3,
            y1=at[room][1] + _HEIGHT,
            x2=at[other][0] + _WIDTH // 2 + (at[room][0] - at[other][0]) // 3,
            y2=at[other][1] - 2,
        )
        for room, other in direct(pairs)
    ]
    boxes = [
        _BOX.format(
            x=x, y=y, width=_WIDTH, height=_HEIGHT, middle=x + _WIDTH // 2, room=room,
            name_y=y + 24, holds_y=y + 43, holds=HOLDS[room],
        )
        for room, (x, y) in at.items()
    ]  # fmt: skip
    return _PICTURE.format(
        width=width,
        height=height,
        order=", ".join(ROOMS),
        arrows=Markup("\n").join(lines),
        boxes=Markup("\n").join(boxes),
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
