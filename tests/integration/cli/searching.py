"""Searching for secrets: every form in which one could be written down, and every place where it could be.

What was written is taken as bytes, packed files and databases also as what is in them, so that a row that lies on two
pages is found as well.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.flows.harness import Home

#: Everything that logs is as loud as it gets.
LOUD = {
    "BUSYTIME_DEBUG": "1",
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "busytime,exchangelib,urllib3,requests,tasks,flows",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG",
    "PREFECT_DEBUG_MODE": "true",
}
_ROOT = Path(__file__).resolve().parents[3]


def be_loud(home: Home) -> None:
    """Let every process of this home log at DEBUG, to a file and to standard error, before anything else happens."""
    loud = home.directory / "loud"
    loud.mkdir()
    (loud / "sitecustomize.py").write_text(
        f"import logging, sys\nsys.path.insert(0, {str(_ROOT)!r})\n"
        "logging.basicConfig(level=logging.DEBUG, handlers=[\n"
        f"    logging.FileHandler({str(home.directory / 'debug.log')!r}), logging.StreamHandler()])\n",
        encoding="utf-8",
    )
    home.more |= LOUD | {"PYTHONPATH": str(loud)}


def disguises(secret: str) -> dict[bytes, str]:
    """Return every form in which a secret could be written down by mistake, and what it is called."""
    forms: dict[bytes, str] = {}
    for charset in ("utf-8", "utf-16-le", "utf-16-be", "latin-1"):
        raw = secret.encode(charset, "replace")
        forms |= {raw: charset, raw.hex().encode(): f"hex of {charset}", raw.hex().upper().encode(): f"hex of {charset}"}
        forms |= dict.fromkeys(_in_base64(raw), f"base64 of {charset}")
    escaped = {
        "URL": (quote(secret, safe=""), quote(secret), quote_plus(secret)),
        "JSON": (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]),
        "Python": (repr(secret)[1:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1]),
        "XML": (html.escape(secret), html.escape(secret, quote=False)),
        "SQL": (secret.replace("'", "''"), secret.replace("\\", "\\\\").replace("'", "''"), secret.replace("\\", "\\\\")),
    }
    return {text.encode(): name for name, texts in escaped.items() for text in texts} | forms


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """Yield what base64 of any longer text holds of a secret: one of three forms, its ends left out, in two alphabets."""
    for skipped in range(3):
        inner = raw[skipped : skipped + (len(raw) - skipped) // 3 * 3]
        yield base64.b64encode(inner)
        yield base64.urlsafe_b64encode(inner)


def gather(*places: Path) -> dict[str, bytes]:
    """Read every file below some places, and what is in those that are packed or databases."""
    found: dict[str, bytes] = {}
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        found[str(path)] = content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            found[f"{path}, unpacked"] = gzip.decompress(content)
        if content.startswith(b"SQLite format 3\x00"):
            found[f"{path}, its rows"] = _rows(path)
    return found


def _rows(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as database:
        database.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return "\n".join(database.iterdump()).encode("utf-8", "surrogateescape")


def traces(texts: Mapping[str, bytes], secrets: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return where a secret is, which one, and in which form."""
    forms = {secret: disguises(secret) for secret in secrets}
    return [
        (place, secret, name)
        for place, text in texts.items()
        for secret, its_forms in forms.items()
        for form, name in its_forms.items()
        if form in text
    ]


@contextmanager
def watched_processes(marker: str) -> Iterator[dict[str, bytes]]:
    """Look at the arguments and the environment of every process that shows a marker in one of them, again and again."""
    seen: dict[str, bytes] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                texts = {name: _read(process / name) for name in ("cmdline", "environ")}
                if any(marker.encode() in text for text in texts.values()):
                    seen.update({f"{process.name} {name} {hash(text)}": text for name, text in texts.items()})

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""
