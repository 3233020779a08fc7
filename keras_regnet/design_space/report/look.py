"""How the report looks, beside what it shares with the report of a training run."""

import xml.etree.ElementTree as ET

from keras_regnet.design_space.figures.look import COLOURS, VARIABLES
from keras_regnet.design_space.figures.picture import Picture
from keras_regnet.training.report.drawing import embedded
from keras_regnet.training.report.html import element, figure, scrolling

# The colours of the pictures, lighter, for dark pages.
_DARK = ("#4da3e0", "#f5894a", "#2fbf91", "#e3a3c8", "#f0b83f", "#8fd0f5", "#b4bcc6")


def _variables(colours: tuple[str, ...]) -> str:
    return " ".join(f"--series-{i}: {c};" for i, c in enumerate(colours, start=1))


STYLE = f"""
:root {{ {_variables(COLOURS)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(_DARK)} }} }}
.wide {{ display: flex; flex-direction: column; margin: 0 0 1.4rem; }}
.wide figcaption {{ order: -1; margin-bottom: .5rem; }}
.wide h3 {{ margin: 0; }}
section > p {{ max-width: 48rem; }}
@media print {{ .wide .chart {{ min-width: 0 !important; }} }}
"""


def drawing(picture: Picture) -> ET.Element:
    """A picture in the page, which scrolls where it would be too small to read."""
    svg = embedded(picture.figure, picture.name, picture.alt, VARIABLES)
    inches = float(picture.figure.get_size_inches()[0])
    svg.set(
        "style", f"min-width: {5 * inches:.1f}rem; max-width: {7.5 * inches:.1f}rem"
    )
    return figure(
        scrolling(picture.title, svg), element("h3", picture.title), kind="wide"
    )
