r"""Markdown in which what comes from outside stays text, whatever it holds: names, addresses, folders, messages.

Prefect's page makes markup, links and images of a markdown text, addresses that merely stand in it included. So a name is
written as code, in which nothing works, and of a sentence all that could work is escaped.
Pure: the standard library only.
"""

import re
from collections.abc import Iterable, Sequence

from busytime.granting import showable

#: What would become a link by itself, with what belongs to it.
_LINK = re.compile(r"@|://|\bwww\.", re.IGNORECASE)
#: Code in our own messages, and words; what lies between is blank.
_PIECES = re.compile(r"`[^`]+`|[^\s`]+|`")
_WORD = re.compile(r"""(?P<before>["'(\[<]*)(?P<word>.*?)(?P<after>["')\]>.,;:!?]*)""")
_MARKUP = re.compile(r"[\\`*_\[\]<>#~&$!]")
#: What would begin a list or a heading.
_START = re.compile(r"^(\d*)([-+=.)])")


def code(text: str) -> str:
    """Write a name so that it stands there as it is."""
    shown = " ".join(showable(text).split()) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    blank = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def prose(text: str) -> str:
    """Write a sentence: what stands between two backticks is code, and so is what would become a link."""
    written = _PIECES.sub(lambda found: _word(found[0]), " ".join(showable(text).split()))
    return _START.sub(r"\1\\\2", written)


def _word(piece: str) -> str:
    if len(piece) > 1 and piece[0] == piece[-1] == "`":
        return code(piece[1:-1])
    if not _LINK.search(piece):
        return _MARKUP.sub(r"\\\g<0>", piece)
    parts = _WORD.fullmatch(piece)
    if parts is None or not parts["word"]:
        return code(piece)
    before, after = (_MARKUP.sub(r"\\\g<0>", parts[side]) for side in ("before", "after"))
    return f"{before}{code(parts['word'])}{after}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table.

    Args:
        head: Plain words.
        rows: Cells as `code` or `prose` have written them.
    """
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    r"""Keep a line upright within its cell: a backslash before it would escape the escape."""
    return re.sub(r"(\\*)\|", lambda found: f"{found[1] * 2}\\|", text)
