"""The report's charts as inline SVG: roofline, memory maps, histograms. They draw the document."""

import math
from typing import Any

from markupsafe import Markup

from setun_sim.report.drawing import element, line, picture, rect, shortened, text
from setun_sim.report.labels import Point, merged, placed
from setun_sim.report.numbers import power_of_ten, shown, significant

WIDTH = 400.0
#: width of a character of a label, about
CHARACTER = 6.6


def roofline_chart(roofline: dict[str, Any]) -> Markup:
    """Digit products a cycle over products a byte, both logarithmic; layers that move nothing at the right edge."""
    points = [*roofline["layers"], roofline["network"]]
    peak, slope = roofline["products_per_cycle_at_most"], roofline["bytes_per_cycle_at_most"]
    ridge = peak / slope
    known = [p["products_per_byte"] for p in points if p["products_per_byte"]]
    rates = [p["products_per_cycle"] for p in points if p["products_per_cycle"] > 0]
    low_x = math.floor(math.log10(min([*known, ridge]))) - 0.2
    high_x = math.ceil(math.log10(max([*known, ridge * 2]))) + 0.2
    low_y = math.floor(math.log10(min([*rates, peak / 10])))
    high_y = math.ceil(math.log10(peak) + 0.1)
    left, right, top, bottom = 44.0, WIDTH - 90, 18.0, 236.0

    def place_x(value: float) -> float:
        return left + (math.log10(value) - low_x) / (high_x - low_x) * (right - left)

    def place_y(value: float) -> float:
        return bottom - (math.log10(value) - low_y) / (high_y - low_y) * (bottom - top)

    parts: list[Markup] = []
    still = any(not point["products_per_byte"] for point in points)
    for exponent in range(math.ceil(low_x), math.floor(high_x) + 1):
        x = place_x(10.0**exponent)
        parts.append(line(x, top, x, bottom, "grid"))
        if not still or x < right - 30:
            parts.append(text(x, bottom + 15, power_of_ten(exponent), "tick", "middle"))
    for exponent in range(low_y, high_y + 1):
        y = place_y(10.0**exponent)
        parts += [line(left, y, right, y, "grid"), text(left - 6, y + 4, power_of_ten(exponent), "tick", "end")]
    start = 10.0**low_x
    rising_from = max(start, 10.0**low_y / slope)
    roof = [
        (place_x(x), place_y(y)) for x, y in ((rising_from, rising_from * slope), (ridge, peak), (10.0**high_x, peak))
    ]
    parts.append(element("polyline", points=" ".join(f"{x:.2f},{y:.2f}" for x, y in roof), class_="roof"))
    note = f"{shown(peak, 'count')} multipliers"
    parts.append(text(right, place_y(peak) - 6, note, "note", "end"))
    marks: list[Point] = []
    for index, point in enumerate(points):
        network = index == len(points) - 1
        if point["products_per_cycle"] <= 0:
            continue
        moved = point["products_per_byte"]
        x = place_x(moved) if moved else right + 12
        y = place_y(point["products_per_cycle"])
        intensity = f"{significant(moved)} products a byte" if moved else "nothing moved"
        title = f"{point['name']}: {significant(point['products_per_cycle'])} products a cycle, {intensity}"
        where = ("roofline", "network") if network else ("roofline", "layers", str(index))
        parts.append(
            element(
                "circle", element("title", title), cx=x, cy=y, r=5.0 if network else 3.5,
                class_="network" if network else "layer", data_key="/".join((*where, "products_per_cycle")),
                data_value=repr(point["products_per_cycle"]),
            )
        )  # fmt: skip
        name = "whole network" if network else shortened(point["name"], 14 if moved else 8)
        marks.append(Point(x, y, name, 5.0 if network else 3.5))
    if points[-1]["products_per_cycle"] > 0:  # the whole network chooses its place first
        marks = [marks[-1], *marks[:-1]]
    marks = merged(marks, 7)
    beside = place_y(peak) - 6
    boxes = [(right - CHARACTER * len(note), beside - 9, right, beside + 2)]
    labels = placed(marks, (left, top - 4, WIDTH, bottom), roof, boxes, CHARACTER, 11)
    for mark, label in zip(marks, labels, strict=True):
        if label is not None:
            parts.append(text(label.x, label.y + 4, mark.name, "label", label.anchor))
    if still:
        parts.append(text(right + 12, bottom + 15, "no traffic", "tick", "middle"))
    parts.append(text((left + right) / 2, bottom + 32, "digit products a byte of external memory", "axis", "middle"))
    parts.append(text(0, 8, "products a cycle", "axis"))
    return picture(WIDTH, 272, "Roofline of every layer and of the network", parts)


def memory_chart(memory: dict[str, Any], index: int, cycles: int) -> Markup:
    """Words of one memory over the cycles of a run, a box for each tensor."""
    left, right, top, bottom = 44.0, WIDTH - 6, 8.0, 168.0
    depth: int = memory["used_words"]

    def place_x(cycle: float) -> float:
        return left + cycle / cycles * (right - left)

    def place_y(word: float) -> float:
        return bottom - word / depth * (bottom - top)

    parts: list[Markup] = [element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="frame")]
    written: list[tuple[float, float, float]] = []
    colours = {name: k % 8 for k, name in enumerate(dict.fromkeys(block["tensor"] for block in memory["blocks"]))}
    for k, block in enumerate(memory["blocks"]):
        x, y = place_x(block["start"]), place_y(block["base"] + block["words"])
        width = max(1.0, place_x(block["end"]) - x)
        height = max(1.0, place_y(block["base"]) - y)
        title = (
            f"{block['tensor']}: words {block['base']} to {block['base'] + block['words'] - 1}, "
            f"cycles {block['start']} to {block['end']}"
        )
        parts.append(
            rect(x, y, width, height, f"block c{colours[block['tensor']]}", title,
                 data_key=f"memories/{index}/blocks/{k}/words", data_value=block["words"])
        )  # fmt: skip
        room = int(width / 6.2)
        if height >= 12 and room >= 3:
            name, down = shortened(block["tensor"], room - 1), y + height / 2 + 4
            end = x + 4 + 6.2 * len(name)
            if all(end < other[0] or x > other[1] or abs(down - other[2]) > 11 for other in written):
                written.append((x, end, down))
                parts.append(text(x + 4, down, name, "inside"))
    for share, anchor, drop in ((0.0, "start", 3), (0.5, "middle", 3), (1.0, "end", 9)):
        parts.append(text(place_x(cycles * share), bottom + 15, shown(cycles * share, "count"), "tick", anchor))
        parts.append(text(left - 6, place_y(depth * share) + drop, shown(depth * share, "count"), "tick", "end"))
    parts.append(text((left + right) / 2, bottom + 30, "cycle", "axis", "middle"))
    return picture(WIDTH, 204, f"What lies in the {memory['memory']} memory over time", parts)


def histogram_chart(histogram: dict[str, Any], index: int) -> Markup:
    """Sums upwards, thresholds downwards, on one axis."""
    left, right, top, axis = 4.0, WIDTH - 4, 8.0, 92.0
    sums, marks = histogram["sums"], histogram["thresholds"]
    step = (right - left) / len(sums)
    most, most_marks = max(sums), max([*marks, 1])
    depth = 30.0 if any(marks) else 0.0
    parts: list[Markup] = []
    for k, count in enumerate(sums):
        first = histogram["first"] + k * histogram["width"]
        last = first + histogram["width"] - 1
        where = str(first) if first == last else f"{first} to {last}"
        if count:
            height = max(0.6, count / most * (axis - top))
            parts.append(
                rect(left + k * step + 0.4, axis - height, step - 0.8, height, "sums", f"{where}: {count} values",
                     data_key=f"histograms/{index}/sums/{k}", data_value=count)
            )  # fmt: skip
        if marks[k]:
            height, title = max(1.0, marks[k] / most_marks * depth), f"{where}: {marks[k]} thresholds"
            parts.append(
                rect(left + k * step + 0.4, axis + 1, step - 0.8, height, "thresholds", title,
                     data_key=f"histograms/{index}/thresholds/{k}", data_value=marks[k])
            )  # fmt: skip
    parts.append(line(left, axis + 0.5, right, axis + 0.5, "rule"))
    low, high = histogram["smallest"], histogram["largest"]
    base = axis + depth + 14
    parts.append(text(left, base, shown(low, "count"), "tick"))
    parts.append(text(right, base, shown(high, "count"), "tick", "end"))
    if low < 0 < high:
        zero = left + (0.5 - histogram["first"]) / histogram["width"] * step
        parts += [line(zero, top, zero, axis + depth, "zero"), text(zero, base, "0", "tick", "middle")]
    return picture(WIDTH, base + 4, f"Histogram of the sums of {histogram['name']}", parts)
