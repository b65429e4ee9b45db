"""Names of points: none on another, none on a point or a line, none outside."""

from hypothesis import given
from hypothesis import strategies as st

from setun_sim.report.labels import Label, Point, merged, placed

FRAME = (0.0, 0.0, 400.0, 240.0)
LINE = ((0.0, 200.0), (120.0, 60.0), (400.0, 60.0))
CHARACTER, HEIGHT = 6.0, 11.0

places = st.tuples(st.floats(0, 400), st.floats(0, 240), st.text("abcdefgh", min_size=1, max_size=14))


def box(point: Point, label: Label) -> tuple[float, float, float, float]:
    width = CHARACTER * len(point.name)
    left = {"start": label.x, "middle": label.x - width / 2, "end": label.x - width}[label.anchor]
    return left, label.y - HEIGHT / 2, left + width, label.y + HEIGHT / 2


@given(st.lists(places, max_size=25))
def test_no_label_covers_anything(spots: list[tuple[float, float, str]]) -> None:
    points = [Point(x, y, name, 3.5) for x, y, name in spots]
    note = (300.0, 40.0, 400.0, 52.0)
    labels = placed(points, FRAME, LINE, [note], CHARACTER, HEIGHT)
    boxes = [box(point, label) for point, label in zip(points, labels, strict=True) if label is not None]
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert top >= 0
        assert right <= 400
        assert bottom <= 240
        for other in (*boxes[index + 1 :], note):
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]
        for point in points:
            assert not (left < point.x < right and top < point.y < bottom)
        assert not (left < 400 and right > 120 and top < 60 < bottom)  # the flat part of the line


def test_a_lone_point_has_its_name_beside_it() -> None:
    assert placed([Point(200, 150, "conv", 4)], FRAME, LINE, [], CHARACTER, HEIGHT) == [Label(208, 150, "start")]


def test_at_the_right_edge_the_name_stands_on_the_left() -> None:
    assert placed([Point(396, 150, "conv", 4)], FRAME, LINE, [], CHARACTER, HEIGHT) == [Label(388, 150, "end")]


def test_points_at_one_place_share_a_name() -> None:
    points = [Point(10, 10, "a", 3), Point(11, 12, "b", 3), Point(50, 10, "c", 3), Point(12, 9, "d", 3)]
    assert [point.name for point in merged(points, 5)] == ["a +2", "c"]
