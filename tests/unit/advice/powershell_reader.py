"""Reads a PowerShell script as PowerShell's own tokenizer does, as far as strings, comments and what lies between go.

Written from CharTraits.cs and tokenizer.cs of PowerShell: four typographic quotes count as single quotes, three as double
ones; two quotes together, of whatever kind, stand for the second of them.
"""

import re
from dataclasses import dataclass

from busytime.permissions import PermissionLevel
from busytime.powershell import FOLDER_VISIBLE, Row

SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
_WORD = re.compile(r"[\w$.\-\[\]]+")


@dataclass(frozen=True)
class Token:
    kind: str
    text: str


def tokenize(script):
    """List a script's tokens of the kinds code, string, expandable and comment; raise where a string does not end."""
    tokens, at = [], 0
    while at < len(script):
        token, at = _next(script, at)
        if token:
            tokens.append(token)
    return tokens


def _next(script, at):
    char = script[at]
    if char.isspace():
        return None, at + 1
    if script.startswith("<#", at):
        end = script.index("#>", at) + 2
        return Token("comment", script[at:end]), end
    if char == "#":
        end = re.compile(r"[\r\n]|\Z").search(script, at).start()
        return Token("comment", script[at:end]), end
    if char == "@" and script[at + 1 : at + 2] in [*SINGLE, *DOUBLE]:
        raise AssertionError(f"a here-string begins at {script[at : at + 40]!r}")
    if char in SINGLE:
        return _single(script, at + 1)
    if char in DOUBLE:
        return Token("expandable", script[at : at + 40]), at + 1
    word = _WORD.match(script, at)
    return (Token("code", word[0]), word.end()) if word else (Token("code", char), at + 1)


def _single(script, at):
    text = []
    while True:
        assert at < len(script), "a string does not end"
        if script[at] in SINGLE:
            if script[at + 1 : at + 2] not in [*SINGLE]:
                return Token("string", "".join(text)), at + 1
            at += 1
        text.append(script[at])
        at += 1


def skeleton(script):
    """What PowerShell would run: everything but what stands in strings and comments."""
    return [token.text if token.kind == "code" else token.kind for token in tokenize(script) if token.kind != "comment"]


def parse_script_rows(script):
    """Read the rows out of the data section; raise where it holds anything but tables and lists of strings."""
    tokens = [token for token in tokenize(script) if token.kind != "comment"]
    texts = [token.text if token.kind == "code" else None for token in tokens]
    start = next(at for at in range(len(texts)) if texts[at : at + 4] == ["$Rows", "=", "data", "{"])
    rows, at = _value(tokens, start + 4)
    assert tokens[at] == Token("code", "}"), "the data section holds more than the rows"
    return [_row(row) for row in rows]


def _row(fields):
    steps = tuple(zip(fields["Names"], map(int, fields["Ordinals"]), strict=True))
    assert fields["Place"] in ({"below", "beside"} if steps else {"below", "root"})
    level = fields["Level"]
    assert level == FOLDER_VISIBLE or level in set(PermissionLevel)
    return Row(fields["Owner"], fields["Place"] != "below", steps, fields["Grantee"], level)


def _value(tokens, at):
    if tokens[at].kind == "string":
        return tokens[at].text, at + 1
    assert tokens[at] == Token("code", "@"), f"{tokens[at]} is no data"
    return (_table if tokens[at + 1].text == "{" else _list)(tokens, at + 2)


def _list(tokens, at):
    values = []
    while tokens[at] != Token("code", ")"):
        value, at = _value(tokens, at)
        values.append(value)
        at += tokens[at] == Token("code", ",")
    return values, at + 1


def _table(tokens, at):
    fields = {}
    while tokens[at] != Token("code", "}"):
        name, equals = tokens[at], tokens[at + 1]
        assert (name.kind, equals.text) == ("code", "=")
        fields[name.text], at = _value(tokens, at + 2)
        at += tokens[at] == Token("code", ";")
    return fields, at + 1
