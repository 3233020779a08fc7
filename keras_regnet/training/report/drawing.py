"""A figure of matplotlib as SVG that lives in a page, in the colours of its style."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from keras_regnet import optional


def embedded(
    figure: Any, name: str, alt: str, variables: Mapping[str, str]
) -> ET.Element:
    """A figure as a part of a page: no names that clash, the page's font and ink.

    Args:
        figure: A `matplotlib.figure.Figure`, its text without mathematics.
        name: Of the drawing, one for each in a page.
        alt: What is to be seen, in words.
        variables: Colours (`"#1f5fa8"`) that become variables of the style, by the
            names of these.

    Returns:
        An `svg` element.

    Raises:
        ImportError: matplotlib is missing.
    """
    matplotlib = optional.require("matplotlib", "plots")
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            text,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    return _adapted(ET.fromstring(text.getvalue()), name, alt, variables)


def _adapted(
    svg: ET.Element, name: str, alt: str, variables: Mapping[str, str]
) -> ET.Element:
    width, height = svg.get("viewBox", "").split()[2:]
    for each in svg.iter():
        each.tag = each.tag.rpartition("}")[2]
        for key in [key for key in each.attrib if key.startswith("{")]:
            each.set(key.rpartition("}")[2], each.attrib.pop(key))
        if each.tag == "g":
            each.attrib.pop("id", None)
        if "d" in each.attrib:
            each.set("d", " ".join(each.attrib["d"].split()))
        if style := each.get("style"):
            each.set("style", _coloured(style, variables))
        each.text = each.text if each.tag == "text" else None
        each.tail = None
    for parent in svg.iter("defs"):
        for rule in parent.findall("style"):  # it would hold for the whole page
            parent.remove(rule)
    svg.attrib.clear()
    for key, value in {
        "class": "chart",
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-label": alt,
        "data-name": name,
    }.items():
        svg.set(key, value)
    return svg


def _coloured(style: str, variables: Mapping[str, str]) -> str:
    def variable(colour: re.Match) -> str:
        name = variables.get(colour[0])
        return colour[0] if name is None else f"var(--{name})"

    style = re.sub(r"font-family:[^;]*;?", "", style)
    return re.sub(r"#[0-9a-f]{6}\b", variable, style).strip()
