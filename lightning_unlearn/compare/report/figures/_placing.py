"""Where the names of points go, so that none covers another, a point or an error bar."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Place: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]  # left, bottom, right, top

_FAR = (5.0, 11.0, 18.0, 26.0, 36.0, 48.0, 62.0, 78.0, 96.0, 118.0, 145.0, 175.0, 210.0)
_TURNS = 24


def place_names(
    points: Sequence[Place], sizes: Sequence[Place], blocked: Sequence[Box], area: Box
) -> list[Box]:
    """A box for the name of each point, near it, inside the area.

    Points are served from the most crowded on; each takes the nearest place, to its right first, whose box covers nothing
    that is there already, and whose leader, the line from the point to its name, crosses no name. If there is no such
    place, it takes the one that covers least.

    Args:
        points: x and y of each.
        sizes: width and height of each name.
        blocked: boxes that no name may cover: markers and error bars.
        area: that names must stay in.

    Returns:
        One box a point, in the order of the points.

    Example:
        >>> place_names([(0.0, 0.0)], [(20.0, 8.0)], [(-3.0, -3.0, 3.0, 3.0)], (-50.0, -50.0, 50.0, 50.0))
        [(5.0, -4.0, 25.0, 4.0)]
    """
    crowd = [sum(math.dist(one, other) < 40 for other in points) for one in points]
    order = sorted(range(len(points)), key=lambda n: (-crowd[n], -points[n][1], points[n][0], n))
    found: dict[int, Box] = {}
    leaders: list[tuple[Place, Place]] = []
    for n in order:
        taken = list(found.values())

        def cost(box: Box, n: int = n, taken: Sequence[Box] = taken) -> tuple[float, float]:
            start, end = points[n], nearest(box, points[n])
            covered = sum(_overlap(box, other) for other in (*blocked, *taken))
            crossed = sum(_crosses(start, end, other) for other in taken)
            crossed += sum(_crosses(*leader, box) or _cross(leader, (start, end)) for leader in leaders)
            return covered, crossed

        candidates = list(_candidates(points[n], sizes[n], area))
        costs = [cost(box) for box in candidates]
        best = min(range(len(candidates)), key=lambda k: (*costs[k], k))
        found[n] = candidates[best]
        leaders.append((points[n], nearest(candidates[best], points[n])))
    return [found[n] for n in range(len(points))]


def nearest(box: Box, point: Place) -> Place:
    """The point of the box that is nearest to a point."""
    left, bottom, right, top = box
    return min(max(point[0], left), right), min(max(point[1], bottom), top)


def _candidates(point: Place, size: Place, area: Box) -> Iterator[Box]:
    """Boxes around the point, then everywhere, each moved into the area."""
    for far in _FAR:
        for turn in range(_TURNS):
            # 0, 1, -1, 2, -2, …: right first, then up and down in turns
            angle = 2 * math.pi * ((turn + 1) // 2 * (-1) ** turn) / _TURNS
            x, y = math.cos(angle), -math.sin(angle)
            middle = (point[0] + x * (far + size[0] / 2), point[1] + y * (far + size[1] / 2))
            yield _inside((middle[0] - size[0] / 2, middle[1] - size[1] / 2), size, area)
    left, bottom, right, top = area
    rows = max(int((top - bottom) / size[1]), 1)
    places = [(left + k * (right - left - size[0]) / 7, bottom + row * size[1]) for row in range(rows) for k in range(8)]  # fmt: skip
    for corner in sorted(places, key=lambda corner: (math.dist(corner, point), corner)):
        yield _inside(corner, size, area)


def _inside(corner: Place, size: Place, area: Box) -> Box:
    left = max(min(corner[0], area[2] - size[0]), area[0])
    bottom = max(min(corner[1], area[3] - size[1]), area[1])
    return (left, bottom, left + size[0], bottom + size[1])


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _crosses(start: Place, end: Place, box: Box) -> bool:
    """Whether a line touches the inside of a box: it is clipped by the four sides (Liang and Barsky)."""
    low, high = 0.0, 1.0
    for axis in (0, 1):
        step = end[axis] - start[axis]
        before, after = box[axis] - start[axis], box[axis + 2] - start[axis]
        if step == 0:
            if before >= 0 or after <= 0:
                return False
            continue
        near, far = sorted((before / step, after / step))
        low, high = max(low, near), min(high, far)
    return low < high


def _cross(one: tuple[Place, Place], other: tuple[Place, Place]) -> bool:
    def side(a: Place, b: Place, c: Place) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    (a, b), (c, d) = one, other
    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
