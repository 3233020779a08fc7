"""HTML as a tree: what comes from data is escaped by whoever writes the tree out."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from typing import Any

from keras_regnet.training.report.style import STYLE

Child = Any  # an element, a text, None, or an iterable of these

# What a page must not hold: control characters, and the surrogates by which Python
# writes the bytes of a file name that is not UTF-8.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# Nothing is fetched, nothing runs: a browser refuses what this does not name.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def element(tag: str, *children: Child, **attributes: Any) -> ET.Element:
    """An element.

    Args:
        tag: Its name.
        *children: Elements, texts, numbers, None (nothing), or iterables of these.
        **attributes: An underscore at the end is dropped, others become hyphens
            (`class_`, `aria_label`); None leaves the attribute out.

    Returns:
        The element.
    """
    made = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), clean(value))
    _append(made, children)
    return made


def clean(text: Any) -> str:
    """Text without the characters that a page must not hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(text))


def section(name: str, title: str, *children: Child) -> ET.Element:
    """A part of the page, under a heading that links can name."""
    heading = f"{name}-heading"
    return element(
        "section",
        element("h2", title, id=heading),
        children,
        id=name,
        aria_labelledby=heading,
    )


def figure(picture: Child, caption: Child, kind: str | None = None) -> ET.Element:
    """A picture and the text below it."""
    return element("figure", picture, element("figcaption", caption), class_=kind)


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Child]],
    *,
    numbers: Iterable[int] = (),
    kind: str | None = None,
) -> ET.Element:
    """A table that scrolls by itself where the page is too narrow.

    Args:
        caption: What is in it.
        head: The headings of the columns.
        rows: A cell per column; the first is the heading of its row.
        numbers: The columns of numbers, which are set to the right.
        kind: A class of the style.
    """
    right = dict.fromkeys(numbers, "number")
    body = [
        element(
            "tr",
            (
                element("th", cell, scope="row", class_=right.get(column))
                if column == 0
                else element("td", cell, class_=right.get(column))
                for column, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    titles = (
        element("th", title, scope="col", class_=right.get(column))
        for column, title in enumerate(head)
    )
    return scrolling(
        caption,
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", titles)),
            element("tbody", body),
            class_=kind,
        ),
    )


def scrolling(label: str, child: Child) -> ET.Element:
    """A region that scrolls sideways, also with the keyboard."""
    return element(
        "div", child, class_="scroll", role="region", tabindex="0", aria_label=label
    )


def details(summary: str, *children: Child) -> ET.Element:
    """What is shown on demand, and printed."""
    return element("details", element("summary", summary), children)


def document(title: str, header: Child, *children: Child, style: str = "") -> str:
    """A whole page; `style` is added to that of all pages."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", STYLE + style),
    )
    body = element("body", element("header", header), element("main", children))
    page = element("html", head, body, lang="en")
    return "<!DOCTYPE html>\n" + ET.tostring(page, "unicode", method="html") + "\n"


def _append(parent: ET.Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, ET.Element):
        parent.append(child)
    elif isinstance(child, str) or not isinstance(child, Iterable):
        text = clean(child)
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text
    else:
        for each in child:
            _append(parent, each)
