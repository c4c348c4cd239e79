"""The lines of the log: each parses, names its run, and repeats no words of an exception."""

import json
import logging
import sys

import pytest

from busytime.errors import Reason
from busytime.model import RunStatus, Trigger
from config.settings import LogFormat
from deployments.log_lines import formatter
from tasks.run_log import present_ids, say_begun, say_ended


def record(message, *args, fault=None, **more):
    made = logging.LogRecord("busytime.runs", logging.WARNING, "file.py", 1, message, args, fault)
    made.__dict__.update(more)
    return made


@pytest.fixture
def fault():
    try:
        try:
            raise ValueError("Zanderfall")
        except ValueError as error:
            raise RuntimeError("Quittenkammer") from error
    except RuntimeError:
        return sys.exc_info()


@pytest.fixture
def at_work():
    say_begun(12, "harvest_busy_time", Trigger.SCHEDULE, "a-flow-run")
    yield
    say_ended(12, RunStatus.COMPLETED, None, None)
    assert present_ids() == {}


def as_object(*args, **more):
    return json.loads(formatter(LogFormat.JSON).format(record(*args, **more)))


def test_of_a_last_state_only_the_name_is_said():
    told = as_object("Finished in state Completed with failures('Logging on as busytime@corp.example (again) failed')")
    assert told["message"] == "Finished in state Completed with failures"


def test_a_line_is_one_object_whatever_is_said():
    told = as_object('two\nlines, "quoted" and %s', "ünïcødé\udcff")
    assert (told["level"], told["logger"]) == ("WARNING", "busytime.runs")
    assert told["message"].startswith("two\nlines")
    assert told["time"].endswith("+00:00")
    assert "run_id" not in told


@pytest.mark.usefixtures("at_work")
def test_the_run_at_work_is_on_each_line_and_prefects_own_ids_win():
    assert as_object("x") | {"time": ""} == {
        "time": "",
        "level": "WARNING",
        "logger": "busytime.runs",
        "message": "x",
        "run_id": 12,
        "flow_run_id": "a-flow-run",
    }
    assert as_object("x", flow_run_id="another")["flow_run_id"] == "another"
    assert "[run 12]" in formatter(LogFormat.TEXT).format(record("x"))


@pytest.mark.parametrize("kind", LogFormat)
def test_of_an_exception_its_type_and_place_are_told_and_not_its_words(fault, kind):
    line = formatter(kind).format(record("it failed", fault=fault))
    assert "RuntimeError" in line
    assert "test_log_lines.py" in line
    assert "Quittenkammer" not in line
    assert "Zanderfall" not in line
    assert "\n" not in line


def test_the_end_of_a_run_that_is_not_this_processs_names_it(caplog):
    with caplog.at_level(logging.INFO, "busytime.runs"):
        say_ended(7, RunStatus.FAILED, Reason.STOPPED, {"known": 3})
    [said] = caplog.records
    assert (said.run_id, said.levelname) == (7, "WARNING")
    assert said.getMessage() == "Ended as failed, stopped, known 3."
