"""A PowerShell script for the admin, who grants for everybody what findings say is missing.

Names that people chose stand in the script's data section alone, each as one single-quoted string: data, never code.
`powershell_body` holds the code, which is the same in every script.
Pure: the standard library and pure modules only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from busytime.errors import ConfigurationError
from busytime.folder_path import FolderPath, Step, parse_folder_path
from busytime.granting import UNSHOWABLE, Finding, can_be_granted, strongest
from busytime.permissions import PermissionLevel
from busytime.powershell_body import BODY, HEADER

#: Windows PowerShell 5.1 reads a file without it in the machine's own code page, and breaks every name beyond ASCII.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# PowerShell takes any of these for the quote that ends a string, and two of them together for one that does not
# (CharTraits.cs, IsSingleQuote; about_Quoting_Rules).
_QUOTES = re.compile("['\u2018-\u201b]")

#: What no script can grant, and what is granted through the others.
_NOT_TO_BE_GRANTED = frozenset({PermissionLevel.NONE, PermissionLevel.CUSTOM, PermissionLevel.DELEGATE})

#: The right to see that a folder is there, and nothing of what is in it. It is no level, and every level from Reviewer on
#: has it.
FOLDER_VISIBLE = "FolderVisible"


@dataclass(frozen=True, slots=True)
class Row:
    """One permission that the script grants.

    Args:
        owner: The owner's address.
        beside: Whether the path begins beside the default calendar instead of below it.
        steps: Folder names with their ordinals, outermost first; empty for the default calendar, or, beside it, for
            the mailbox's root.
        grantee: Address of the connection.
        level: The level to grant, at least; or ``FOLDER_VISIBLE``.
    """

    owner: str
    beside: bool
    steps: tuple[Step, ...]
    grantee: str
    level: str


def rows_of(findings: Iterable[Finding]) -> list[Row]:
    """Return the permissions to grant: one for each calendar and connection, at the level that serves every need.

    What has to be shown before they can be found comes first. Findings that no permission cures are left out: no such
    mailbox, a group, another organisation, no answer.
    """
    wanted = strongest(finding for finding in findings if can_be_granted(finding))
    ways = {(it.owner, path.key, it.grantee): _row(it, path, FOLDER_VISIBLE) for it in wanted for path in it.way}
    return [*ways.values(), *(_row(it, parse_folder_path(it.folder), it.required) for it in wanted)]


def _row(finding: Finding, path: FolderPath, level: str) -> Row:
    return Row(finding.owner, path.beside, path.steps, finding.grantee, level)


def script_fault(finding: Finding) -> str | None:
    """Say why a finding cannot stand in a script; ``None`` where it can.

    Line breaks and other controls are refused, not escaped: they have no place in a single-quoted string on one line,
    and marks that turn the direction of writing make a line say what it does not do.
    """
    bad = next((UNSHOWABLE.search(text) for text in _texts(finding) if UNSHOWABLE.search(text)), None)
    if bad:
        return (
            f"The calendar {finding.label!r} has the control character U+{ord(bad[0]):04X} in its name; rename the folder "
            f"in Outlook, or grant {finding.required} by hand."
        )
    if finding.required in _NOT_TO_BE_GRANTED:
        return f"The calendar {finding.label!r} cannot be given the level {finding.required} by a script; grant it by hand."
    return None


def _texts(finding: Finding) -> Iterable[str]:
    yield from (finding.owner, finding.grantee)
    yield from (name for name, _ in parse_folder_path(finding.folder).steps)


def admin_script(findings: Iterable[Finding]) -> str:
    r"""Write the script; it may be run again and again, because it leaves alone what is granted already.

    Args:
        findings: What is missing, or a whole roster; those that no permission cures are left out.

    Returns:
        The script's text with ``\n`` at line ends; ``script_bytes`` makes the file of it.

    Raises:
        ConfigurationError: A name or a level cannot stand in a script (``script_fault`` tells which before).
    """
    wanted = [finding for finding in findings if can_be_granted(finding)]
    fault = next(filter(None, map(script_fault, wanted)), None)
    if fault:
        raise ConfigurationError(fault)
    rows = rows_of(wanted)
    data = ",\n".join(f"        {_literal(row)}" for row in rows)
    block = f"$Rows = data {{\n    @(\n{data}\n    )\n}}\n" if rows else "$Rows = data { @() }\n"
    return HEADER.replace("COUNT", str(len(rows))) + "\n" + block + "\n" + BODY


def script_bytes(script: str) -> bytes:
    """Return a script as its file holds it: UTF-8 with a byte order mark, and line ends of Windows."""
    return BYTE_ORDER_MARK + script.replace("\n", "\r\n").encode()


def quote(text: str) -> str:
    """Write a text as a single-quoted string of PowerShell, in which nothing is ever expanded."""
    return "'" + _QUOTES.sub(lambda found: found[0] * 2, text) + "'"


def _literal(row: Row) -> str:
    """Write a row as a hash table of single-quoted strings."""
    fields = {
        "Owner": quote(row.owner),
        "Place": quote(_place(row)),
        "Names": _array(name for name, _ in row.steps),
        "Ordinals": _array(str(ordinal) for _, ordinal in row.steps),
        "Grantee": quote(row.grantee),
        "Level": quote(row.level),
    }
    return "@{ " + "; ".join(f"{name} = {value}" for name, value in fields.items()) + " }"


def _place(row: Row) -> str:
    if row.beside:
        return "beside" if row.steps else "root"
    return "below"


def _array(texts: Iterable[str]) -> str:
    return f"@({', '.join(map(quote, texts))})"
