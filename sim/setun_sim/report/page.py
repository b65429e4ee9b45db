"""The document as one HTML page that needs nothing else: no network, no scripts."""

import json
from functools import partial
from typing import Any

import jinja2
from markupsafe import Markup

from setun_sim.report import charts
from setun_sim.report.bars import Part, bar, span
from setun_sim.report.drawing import element, shortened
from setun_sim.report.energies import GROUPS
from setun_sim.report.numbers import NOTHING, at, shown

#: causes of cycles without a step, in the order of the stacked bars
STALLS = ("idle", "load", "drain", "store", "pipeline")


def page(document: dict[str, Any]) -> str:
    """The report's page."""
    return render("report.html", document)


def render(template: str, document: dict[str, Any]) -> str:
    """A page; every number in it is one of the document, which it carries as JSON."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("setun_sim.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        d=document,
        num=partial(number, document),
        bar=partial(_bar, document),
        stack=partial(_stack, document),
        span=partial(span, document),
        charts=charts,
        embedded=embedded(document),
        groups=tuple(GROUPS),
        stalls=STALLS,
        short=shortened,
        css=Markup(environment.get_template("report.css").render()),
    )
    return environment.get_template(template).render()


def number(document: dict[str, Any], kind: str, *path: str | int) -> Markup:
    """One number of the document: its exact value for machines, its text for people."""
    value = at(document, path)
    if value is None:
        return Markup(NOTHING)
    return element("data", shown(value, kind), value=repr(value), data_key="/".join(map(str, path)))


def embedded(document: dict[str, Any]) -> Markup:
    """The document as JSON that no name in it can break out of."""
    plain = json.dumps(document, allow_nan=False, ensure_ascii=True)
    return Markup(plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _stack(document: dict[str, Any], longest: float, names: list[str], path: tuple[str | int, ...]) -> Markup:
    """One bar of the energies that stand under ``path``, each name in its colour."""
    return bar(document, [Part((*path, name), "fj", f"c{k}", name) for k, name in enumerate(names)], longest)


def _bar(document: dict[str, Any], longest: float, parts: list[tuple[tuple[str | int, ...], str, str, str]]) -> Markup:
    return bar(document, [Part(*part) for part in parts], longest)
