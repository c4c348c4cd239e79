"""The log files of the service's parts, and what each part is told about its log.

In JSON whatever a part prints besides its log, like a table or the last words of Python, becomes a JSON object a line, too.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from config.home_files import open_file
from config.settings import LogFormat, Settings, settings_file
from deployments.log_lines import as_json

_PREFECT = Path(__file__).with_name("logging.yaml")
_PATIENCE_SECONDS = 5.0
_writing: list[threading.Thread] = []


def told_to_parts(settings: Settings) -> dict[str, str]:
    """Return the environment by which parts that run elsewhere see the same settings, and log as they say."""
    file = settings_file()
    return {
        "BUSYTIME_HOME": str(settings.home),
        **({"BUSYTIME_CONFIG": str(file.absolute())} if file.is_file() else {}),
        **({"BUSYTIME_KEY_FILE": str(settings.key_file)} if settings.key_file else {}),
        "BUSYTIME_LOG_FORMAT": settings.log_format,
        "PREFECT_LOGGING_SETTINGS_PATH": str(_PREFECT),
        "PREFECT_LOGGING_HANDLERS_LINES_FORMATTER": settings.log_format,
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # what is said outside of a run stands in the file
    }


@contextlib.contextmanager
def log_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a part's log file to start the part with; it is written as long as the part lives.

    Raises:
        ConfigurationError: It cannot be opened.
    """
    if os.environ.get("BUSYTIME_LOG_FORMAT") != LogFormat.JSON:
        with open_file(path, "ab") as file:
            yield file
        return
    file = open_file(path, "a")
    reading, writing = os.pipe()
    thread = threading.Thread(target=_write, args=(reading, file, path.stem), name=f"log-{path.stem}", daemon=True)
    thread.start()
    _writing.append(thread)
    with os.fdopen(writing, "wb") as end:
        yield end


def write_rest() -> None:
    """Wait until everything is written that parts which have ended still said."""
    while _writing:
        _writing.pop().join(_PATIENCE_SECONDS)


def _write(reading: int, file: IO[str], part: str) -> None:
    with os.fdopen(reading, "r", encoding="utf-8", errors="replace") as said, file:
        for line in said:
            if line.strip():
                as_object = line.startswith("{") and line.rstrip().endswith("}")
                file.write(line if as_object else as_json(time.time(), "INFO", f"part.{part}", line.rstrip()) + "\n")
                file.flush()
