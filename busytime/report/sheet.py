"""Sheets to draw on in pixels, which become SVG; the only module that imports matplotlib."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where it keeps its caches is nothing for whoever wants a report

import matplotlib as mpl  # noqa: E402 -- its logger has to be quiet before
from matplotlib.figure import Figure  # noqa: E402 -- as above
from matplotlib.lines import Line2D  # noqa: E402 -- as above
from matplotlib.patches import Rectangle  # noqa: E402 -- as above

from busytime.report.svg import Drawing, Role  # noqa: E402 -- as above

#: Dots in an inch of matplotlib, so that its points are pixels.
_DPI = 72
#: Parts of matplotlib's settings that shape a drawing: whatever a user's own file says of them does not count here.
_PARTS = frozenset({"axes", "figure", "font", "hatch", "lines", "markers", "patch", "path", "savefig", "svg", "text"})
_DEFAULTS = {key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if key.partition(".")[0] in _PARTS}
_SETTINGS: Any = _DEFAULTS | {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and printed sharply
    "text.parse_math": False,  # a dollar in a name is a dollar
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "hatch.linewidth": 1.0,
    "path.simplify": False,
}


@dataclass
class Sheet:
    """A drawing in pixels, from the top left corner."""

    name: str
    width: float
    height: float
    axes: Any = field(init=False)
    figure: Any = field(init=False)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(self.width / _DPI, self.height / _DPI), dpi=_DPI, facecolor="none")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(self.height, 0)

    def box(self, x: float, y: float, width: float, height: float, role: Role | None, hatch: Role | None = None) -> None:
        """Draw a box, filled, hatched or both."""
        look: dict[str, Any] = {"facecolor": role.colour if role else "none", "edgecolor": "none", "linewidth": 0}
        if hatch:
            look |= {"hatch": "/////", "hatchcolor": hatch.colour}
        self.axes.add_artist(Rectangle((x, y), width, height, clip_on=False, **look))

    def text(self, x: float, y: float, words: str, size: float, role: Role = Role.INK, **more: Any) -> None:
        """Write words; `y` is their base line."""
        self.axes.text(x, y, words, fontsize=size, color=role.colour, va="baseline", clip_on=False, **more)

    def mark(self, x: float, y: float, shape: str, role: Role, size: float) -> None:
        """Draw a shape around a point."""
        colour = role.colour
        edge = 2 if shape == "x" else 0
        look: dict[str, Any] = {"color": colour, "markeredgecolor": colour, "markeredgewidth": edge, "linestyle": "none"}
        self.axes.add_artist(Line2D([x], [y], marker=shape, markersize=size, clip_on=False, **look))

    def line(self, x: float, y: float, to_x: float, to_y: float, role: Role, style: str = "-") -> None:
        """Draw a thin line."""
        look: dict[str, Any] = {"color": role.colour, "linewidth": 1, "linestyle": style}
        self.axes.add_artist(Line2D([x, to_x], [y, to_y], clip_on=False, **look))


@contextmanager
def drawn(name: str, width: float, height: float) -> Iterator[tuple[Sheet, list[Drawing]]]:
    """Open a sheet, and give what was drawn on it as SVG at the end; the same drawing gives the same bytes."""
    done: list[Drawing] = []
    with mpl.rc_context(_SETTINGS | {"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph ")  # whoever shows the page has the fonts
        sheet = Sheet(name, width, height)
        yield sheet, done
        written = BytesIO()
        sheet.figure.savefig(written, format="svg", metadata={"Date": None})
    done.append(Drawing(written.getvalue(), width, height))
