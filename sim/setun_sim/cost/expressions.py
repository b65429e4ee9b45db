"""Boolean expressions of Liberty files as truth tables."""

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\s*([A-Za-z_][\w.\[\]]*|[01()!'^*&+|])")
#: how strongly operators bind; things side by side are multiplied
_RANK = {"+": 1, "|": 1, "*": 2, "&": 2, "^": 3, "!": 4}
#: longest expression
_LONGEST = 4000


def truth_table(expression: str, inputs: Sequence[str]) -> int | None:
    """Bit k is the value for the inputs that k spells, the first one lowest; None if it is no function of them."""
    rows = 1 << len(inputs)
    full = (1 << rows) - 1
    values = {"0": 0, "1": full}
    for place, name in enumerate(inputs):
        values[name] = sum(1 << row for row in range(rows) if row >> place & 1)
    tokens = _tokens(expression)
    if tokens is None:
        return None
    operands: list[int] = []
    waiting: list[str] = []

    def apply() -> bool:
        operator = waiting.pop()
        if len(operands) < (1 if operator == "!" else 2):
            return False
        last = operands.pop()
        if operator == "!":
            operands.append(full & ~last)
        elif operator == "^":
            operands[-1] ^= last
        elif _RANK[operator] == 2:
            operands[-1] &= last
        else:
            operands[-1] |= last
        return True

    for token in tokens:
        if token == "(":
            waiting.append(token)
        elif token == ")":
            while waiting and waiting[-1] != "(":
                if not apply():
                    return None
            if not waiting:
                return None
            waiting.pop()
        elif token == "'":
            if not operands:
                return None
            operands[-1] = full & ~operands[-1]
        elif token in _RANK:
            while waiting and waiting[-1] != "(" and token != "!" and _RANK[waiting[-1]] >= _RANK[token]:
                if not apply():
                    return None
            waiting.append(token)
        elif token in values:
            operands.append(values[token])
        else:
            return None
    while waiting:
        if waiting[-1] == "(" or not apply():
            return None
    return operands[0] if len(operands) == 1 else None


def _tokens(expression: str) -> list[str] | None:
    """Names, constants and operators, with a ``*`` wherever two things stand side by side."""
    found: list[str] = []
    place, end = 0, len(expression.rstrip())
    if end > _LONGEST:
        return None
    while place < end:
        match = _TOKEN.match(expression, place)
        if match is None:
            return None
        place, token = match.end(), match[1]
        begins = token in "(!01" or token[0].isalpha() or token[0] == "_"
        ended = bool(found) and (found[-1] in ")'01" or found[-1][0].isalpha() or found[-1][0] == "_")
        if begins and ended:
            found.append("*")
        found.append(token)
    return found
