"""Charts as parts of a page: SVG that matplotlib drew, made small, described for those who hear it, coloured by the page.

matplotlib draws in colours that stand for roles; here they become the page's own variables, so that one drawing serves light,
dark and printed pages. Pure: the standard library only.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from xml.etree import ElementTree as ET

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_NUMBERS = re.compile(r"-?\d+\.\d{3,}")
_DROPPED = {"metadata", "style"}


class Role(StrEnum):
    """What a colour means; the page's style sheet says how it looks, under the same names."""

    INK = "ink"
    MUTED = "muted"
    LINE = "line"
    PAPER = "paper"
    FULL = "full"
    HIGH = "high"
    SOME = "some"
    LOW = "low"
    NONE = "none"
    ON_FULL = "on-full"
    ON_HIGH = "on-high"
    ON_SOME = "on-some"
    ON_LOW = "on-low"
    ON_NONE = "on-none"
    GOOD = "good"
    MILD = "mild"
    BAD = "bad"
    FAINT = "faint"

    @property
    def colour(self) -> str:
        """What matplotlib draws it in: a colour of which nothing else is."""
        return f"#01fe{list(Role).index(self) + 16:02x}"


_VARIABLES = {role.colour: f"var(--{role})" for role in Role}
_COLOURS = re.compile("|".join(_VARIABLES))


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart as it was drawn.

    Args:
        svg: What matplotlib wrote.
        width: Width in pixels.
        height: Height in pixels.
    """

    svg: bytes
    width: float
    height: float


def inline(drawing: Drawing, name: str, title: str, description: str) -> str:
    """Return a drawing as an element of a page.

    Args:
        drawing: The chart.
        name: Its name on the page, of which no other drawing is.
        title: What it shows.
        description: What there is to see.
    """
    root = ET.fromstring(drawing.svg)  # noqa: S314 -- matplotlib wrote it a moment ago
    for element in list(root.iter()):
        _tidy(element, name)
    _flatten(root)
    inside = "".join(ET.tostring(child, encoding="unicode") for child in root)
    size = f'viewBox="0 0 {drawing.width:g} {drawing.height:g}" width="{drawing.width:g}"'
    told = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return f'<svg {size} role="img" aria-labelledby="{name}-title {name}-desc">{told}{inside}</svg>'


def _tidy(element: ET.Element, name: str) -> None:
    """Make an element the page's: names that are unique there, its colours and its font, and no more digits than can be seen."""
    element.tag = element.tag.removeprefix(_SVG)
    element.tail = None
    if element.tag != "text":
        element.text = None
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        if key == "id" and element.tag != "g":
            element.set(key, f"{name}-{value}")
        elif key == _LINK:
            element.set("href", f"#{name}-{value.removeprefix('#')}")
        elif key in {"style", "fill"}:
            element.set("style", _style(value if key == "style" else f"fill: {value}", name))
        elif key not in {"id", "transform"}:
            element.set(key, _rounded(value))


def _style(text: str, name: str) -> str:
    kept = [part.strip() for part in text.split(";") if part.strip() and not part.strip().startswith("font-family")]
    coloured = _COLOURS.sub(lambda found: _VARIABLES[found[0]], "; ".join(kept))
    return coloured.replace("url(#", f"url(#{name}-")


def _rounded(value: str) -> str:
    return _NUMBERS.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), " ".join(value.split()))


def _flatten(element: ET.Element) -> None:
    """Take away groups that group nothing, and what no page needs."""
    children = list(element)
    for child in children:
        element.remove(child)
    for child in children:
        if child.tag in _DROPPED:
            continue
        _flatten(child)
        if child.tag == "g" and not child.attrib:
            element.extend(list(child))
        elif child.tag != "defs" or len(child):
            element.append(child)
