"""Merges equal modules in RTLIL text.

Amaranth writes a module for each instance. This pass works from the leaves up: where modules are equal but for their
name, and so are all they contain, one stays and all instances refer to it.
"""

import re

_MODULE = re.compile(r"^((?:attribute [^\n]*\n)*)module (\S+)\n(.*?)^end\n", re.M | re.S)
_CELL = re.compile(r"^(\s*cell )(\\\S+)( )", re.M)
_WIRE = re.compile(r"^((?:  attribute [^\n]*\n)*)  wire (.*?)(?:(input|output|inout) \d+ )? ?(\\\S+|\$\S+)\n", re.M)
_CONNECTIONS = re.compile(r"(?:^    connect [^\n]*\n)+", re.M)
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")


def merge_equal_modules(text: str) -> str:
    """RTLIL with the same meaning in which no two modules are equal.

    Modules are written leaves first, and named by letters, digits and underscores; the module with attribute ``top``
    keeps its name and comes last. Other attributes of modules, which only tell where they came from, are dropped.

    Raises
    ------
    ValueError
        When two modules have the same name, or contain each other.
    """
    bodies: dict[str, str] = {}
    top = ""
    for match in _MODULE.finditer(text):
        attributes, name, body = match.groups()
        if name in bodies:
            raise ValueError(f"two modules are called {name}")
        bodies[name] = body
        if "attribute \\top 1\n" in attributes:
            top = name

    final: dict[str, str] = {}  # what instances of a module refer to
    known: dict[str, str] = {}  # body to name
    taken = {top}

    for name in _leaves_first(bodies):
        body = _in_order(bodies[name])
        body = _CELL.sub(lambda cell: f"{cell[1]}{final.get(cell[2], cell[2])}{cell[3]}", body)
        if name != top and body in known:
            final[name] = known[body]
            continue
        final[name] = name if name == top else _fresh(name, taken)
        taken.add(final[name])
        known.setdefault(body, final[name])
    mark = "attribute \\top 1\n"
    return "".join(f"{mark if name == top else ''}module {name}\n{body}end\n" for body, name in known.items())


def _in_order(body: str) -> str:
    """A module's body with wires, ports and connections of a cell in alphabetical order, however they came."""
    wires = sorted(_WIRE.findall(body), key=lambda wire: wire[3])
    port, lines = 0, []
    for attributes, options, direction, name in wires:
        number = f"{direction} {port} " if direction else ""
        port += bool(direction)
        lines.append(f"{attributes}  wire {options.strip()} {number}{name}\n")
    rest = _CONNECTIONS.sub(lambda part: "".join(sorted(part[0].splitlines(keepends=True))), _WIRE.sub("", body))
    return "".join(lines) + re.sub(r"^\n", "", rest, flags=re.M)


def _leaves_first(bodies: dict[str, str]) -> list[str]:
    """Names in an order in which every module comes after those it contains."""
    order: list[str] = []
    state: dict[str, bool] = {}  # False: its parts are being visited
    for root in bodies:
        stack = [root]
        while stack:
            name = stack[-1]
            if name in state:
                stack.pop()
                if not state[name]:
                    state[name] = True
                    order.append(name)
                continue
            state[name] = False
            parts = [cell[2] for cell in _CELL.finditer(bodies[name]) if cell[2] in bodies]
            for part in reversed(dict.fromkeys(parts)):
                if not state.get(part, True):
                    raise ValueError(f"module {part} contains itself")
                stack.append(part)
    return order


def _fresh(name: str, taken: set[str]) -> str:
    """A plain name made from any name."""
    plain = "\\" + _UNSAFE.sub("_", name[1:])
    candidate, number = plain, 2
    while candidate in taken:
        candidate, number = f"{plain}_{number}", number + 1
    return candidate
