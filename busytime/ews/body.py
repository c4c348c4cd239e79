"""Reading one answer: unpacked under a limit, parsed without document types and entities.

Nothing here keeps or quotes what a server sent: a failure is a reason.
"""

import re
import zlib
from collections.abc import Iterator
from typing import Any

from lxml import etree
from requests import Response

from busytime.errors import Reason

Element = etree._Element  # noqa: SLF001 -- lxml offers no public name for its element

_CHUNK = 128 * 1024
_GZIP = 16 + zlib.MAX_WBITS

#: What may stand before the first element without being a document type.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
#: References to characters that XML 1.0 forbids; servers send them inside names and subjects.
_REFERENCE = re.compile(rb"&#(x[0-9a-fA-F]{1,8}|[0-9]{1,10});")
#: The characters of XML 1.0 (its section 2.2).
_LEGAL = ((0x9, 0xA), (0xD, 0xD), (0x20, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
_HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)", re.IGNORECASE)


class Unreadable(Exception):  # noqa: N818 -- it becomes one of our errors before it leaves the package
    """The answer cannot be used, for this reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def read_body(response: Response, limit: int) -> bytes:
    """Read an answer, unpacked, and never unpack more than ``limit`` bytes.

    Args:
        response: An answer of which nothing was read.
        limit: In bytes, after unpacking.

    Raises:
        Unreadable: ``answer_too_large``, or ``malformed_answer`` for an unknown or broken packing.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Unreadable(Reason.MALFORMED_ANSWER)
    parts: list[bytes] = []
    room = limit
    chunks = _chunks(response.raw)
    for part in _unpacked(chunks, limit) if "gzip" in encoding else chunks:
        room -= len(part)
        if room < 0:
            raise Unreadable(Reason.ANSWER_TOO_LARGE)
        parts.append(part)
    return b"".join(parts)


def _chunks(raw: Any) -> Iterator[bytes]:
    while chunk := raw.read(_CHUNK, decode_content=False):
        yield chunk


def _unpacked(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    # The length given to decompress bounds each step, so a bomb is never unpacked further than one chunk.
    unpacker = zlib.decompressobj(_GZIP)
    step = min(limit + 1, 8 * _CHUNK)
    for chunk in chunks:
        packed = chunk
        while packed:
            if unpacker.eof:  # several members in a row are one stream (RFC 1952)
                unpacker = zlib.decompressobj(_GZIP)
            try:
                part = unpacker.decompress(packed, step)
            except zlib.error:
                part = None
            if part is None:
                raise Unreadable(Reason.MALFORMED_ANSWER)
            yield part
            packed = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        while not unpacker.eof and (rest := unpacker.decompress(b"", step)):
            yield rest
    if not unpacker.eof:
        raise Unreadable(Reason.CONNECTION_LOST)


def looks_like_html(body: bytes) -> bool:
    """Tell whether an answer is a web page."""
    return _HTML.match(body) is not None


def parse_xml(body: bytes) -> Element:
    """Parse an answer without document type, entities or network.

    Raises:
        Unreadable: ``malformed_answer``.
    """
    prolog = _PROLOG.match(body)
    # A document type can only stand before the first element. It is refused before the parser sees it,
    # because entities in attributes are expanded whatever the parser's options say.
    if prolog is None or body[prolog.end() : prolog.end() + 2] == b"<!":
        raise Unreadable(Reason.MALFORMED_ANSWER)
    root = _try_parse(body)
    if root is None:
        root = _try_parse(_REFERENCE.sub(_legal_reference, body))
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable(Reason.MALFORMED_ANSWER)
    return root


def _try_parse(body: bytes) -> Element | None:
    # UTF-8 whatever the declaration says: in another encoding the check for a document type would be blind.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):  # the message quotes the document: it goes no further
        return None


def _legal_reference(match: re.Match[bytes]) -> bytes:
    text = match.group(1)
    number = int(text[1:], 16) if text[:1] == b"x" else int(text)
    return match.group() if any(first <= number <= last for first, last in _LEGAL) else b"?"
