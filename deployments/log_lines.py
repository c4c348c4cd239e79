"""The lines of the log: one a record, as text for a person or as one JSON object, with the run's id where a run is at work."""

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Any

from config.settings import LogFormat
from tasks.run_log import present_ids

_FINISHED = re.compile(r"^(Finished in state [^(]+)\(.*", re.DOTALL)
_IDS = ("run_id", "flow_run_id", "task_run_id")


class JsonLines(logging.Formatter):
    """Makes one JSON object of each record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line."""
        return as_json(record.created, record.levelname, record.name, _message(record), **_ids(record), **_fault(record))


class TextLines(logging.Formatter):
    """Makes one line of each record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line."""
        run = _ids(record).get("run_id")
        where = f"{record.name} [run {run}]" if run else record.name
        fault = _fault(record).get("exception", {})
        more = f" ({fault['type']} at {fault['at'][-1]})" if fault.get("at") else ""
        return f"{_time(record.created)} {record.levelname} {where}: {' '.join(_message(record).split())}{more}"


def as_json(created: float, level: str, logger: str, message: str, **more: Any) -> str:
    """Return a line as one JSON object.

    Args:
        created: When, in seconds since 1970.
        level: How grave it is.
        logger: Who says it.
        message: What.
        more: What else is told.
    """
    told = {"time": _time(created), "level": level, "logger": logger, "message": message}
    return json.dumps(told | more, default=str, ensure_ascii=False)


def formatter(kind: LogFormat) -> logging.Formatter:
    """Return what makes lines of a kind."""
    return JsonLines() if kind is LogFormat.JSON else TextLines()


def write_lines(kind: LogFormat) -> None:
    """Let this process write its log to standard error: what busytime says, and warnings of everything else."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(kind))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("busytime").setLevel(logging.INFO)


def _message(record: logging.LogRecord) -> str:
    """Return what a record says; of a run's last state only the name, because what it tells a person may name addresses."""
    return _FINISHED.sub(r"\1", record.getMessage())


def _time(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")


def _ids(record: logging.LogRecord) -> dict[str, Any]:
    """Return the ids that stand on a record, Prefect's on its own lines, or else those of the run at work."""
    own = {name: getattr(record, name) for name in _IDS if getattr(record, name, None) is not None}
    return {**present_ids(), **own}


def _fault(record: logging.LogRecord) -> dict[str, Any]:
    """Return an exception's type and where it came from; its words, and those of its causes, may be a server's."""
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    frames = traceback.extract_tb(record.exc_info[2])
    return {"exception": {"type": record.exc_info[0].__name__, "at": [f"{it.filename}:{it.lineno}" for it in frames]}}
