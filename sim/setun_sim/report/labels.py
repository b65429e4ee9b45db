"""Places for the names of points in a chart, so that no two overlap and none covers a point or a line."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

Box = tuple[float, float, float, float]  #: left, top, right, bottom


class Point(NamedTuple):
    """A point and its name; y grows downwards."""

    x: float
    y: float
    name: str
    radius: float


class Label(NamedTuple):
    """Where a name stands: its anchor (``start``, ``middle`` or ``end``) and the middle of its height."""

    x: float
    y: float
    anchor: str


def merged(points: Sequence[Point], near: float) -> list[Point]:
    """Points that lie nearer than ``near`` to an earlier one give up their names: it says how many there are more."""
    found: list[list[Point]] = []
    for point in points:
        for group in found:
            if abs(group[0].x - point.x) < near and abs(group[0].y - point.y) < near:
                group.append(point)
                break
        else:
            found.append([point])
    return [
        group[0]._replace(name=group[0].name + (f" +{len(group) - 1}" if len(group) > 1 else "")) for group in found
    ]


def placed(
    points: Sequence[Point],
    frame: Box,
    line: Sequence[tuple[float, float]],
    boxes: Sequence[Box],
    character: float,
    height: float,
) -> list[Label | None]:
    """A place for each name, or None where there is none; earlier points choose first.

    Parameters
    ----------
    frame:
        What labels must not leave.
    line:
        Corners of a line that labels must not cross.
    boxes:
        Anything else that they must not cover.
    character, height:
        Width of a character, height of a line of text.
    """
    taken: list[Box] = [(p.x - p.radius, p.y - p.radius, p.x + p.radius, p.y + p.radius) for p in points]
    taken += [*boxes, *((x - 1, y - 1, x + 1, y + 1) for x, y in _along(line))]
    found: list[Label | None] = []
    for point in points:
        width = character * len(point.name)
        for label in _around(point, height):
            left = label.x - {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
            box = (left, label.y - height / 2, left + width, label.y + height / 2)
            inside = box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found.append(label)
                break
        else:
            found.append(None)
    return found


def _around(point: Point, height: float) -> Iterator[Label]:
    """Places beside, above and below a point, then some way off."""
    for away in (point.radius + 4, point.radius + 10):
        yield Label(point.x + away, point.y, "start")
        yield Label(point.x - away, point.y, "end")
        for side in (1, -1):
            y = point.y + side * (away + height / 2 - 2)
            yield Label(point.x, y, "middle")
            yield Label(point.x + 2, y, "start")
            yield Label(point.x - 2, y, "end")


def _along(line: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    for (x1, y1), (x2, y2) in pairwise(line):
        steps = max(1, round(max(abs(x2 - x1), abs(y2 - y1)) / 3))
        for k in range(steps + 1):
            yield x1 + (x2 - x1) * k / steps, y1 + (y2 - y1) * k / steps


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
