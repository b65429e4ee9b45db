"""Results that depend on a program only, kept as long as the program is."""

import functools
import weakref
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from setun_compiler.program import Program

Rest = ParamSpec("Rest")
Found = TypeVar("Found")
Function = Callable[Concatenate[Program, Rest], Found]


def remembered(function: Function[Rest, Found]) -> Function[Rest, Found]:
    """The function, working once for each program (which never changes) and its other arguments."""
    # by identity: equality would compare the whole image
    known: dict[int, dict[Any, Found]] = {}

    @functools.wraps(function)
    def call(program: Program, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Found:
        if id(program) not in known:
            weakref.finalize(program, known.pop, id(program), None)
        results = known.setdefault(id(program), {})
        key = (args, tuple(kwargs.items()))
        if key not in results:
            results[key] = function(program, *args, **kwargs)
        return results[key]

    return call
