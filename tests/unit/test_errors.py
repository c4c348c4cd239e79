"""The tree of errors: every leaf pickles whole, every reason has its words."""

import copy
import importlib
import pickle
import pkgutil

import pytest

import busytime
import config
from busytime import errors
from busytime.errors import (
    REASON_TEXTS,
    AmbiguousWriteError,
    BusyTimeError,
    ConfigurationError,
    FatalError,
    Reason,
    RetriableError,
    ServerBusyError,
    SkippableError,
)
from busytime.roster_checks import Fault
from busytime.roster_file import RosterFileError

#: What the caller does next.
KINDS = (ConfigurationError, FatalError, RetriableError, SkippableError, AmbiguousWriteError)


def is_ours(kind):
    return kind.__module__.partition(".")[0] in {"busytime", "config"}


def tree(root=BusyTimeError):
    return [root, *(found for child in root.__subclasses__() for found in tree(child))]


def import_all(package):
    """Import the modules right in a package, so that each error there is known."""
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)


import_all(busytime)
import_all(config)
EVERY = sorted((kind for kind in tree() if is_ours(kind)), key=lambda kind: kind.__qualname__)


def example(kind):
    """One with everything that it can carry."""
    if issubclass(kind, ServerBusyError):
        return kind("Reading ana@corp.example.", back_off_seconds=7.5, detail="ErrorServerBusy")
    if issubclass(kind, RosterFileError):
        return kind("The roster has 1 fault.", faults=(Fault(7, "no such role"),))
    return kind("Reading ana@corp.example.", reason=Reason.NO_DATA, detail="ErrorItemNotFound")


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])  # noqa: S301
def test_an_error_is_copied_with_all_it_carries(kind, copied):
    error = example(kind)
    same = copied(error)
    assert type(same) is kind
    assert (str(same), same.args, vars(same)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize("kind", EVERY)
def test_an_error_needs_nothing_to_be_made(kind):
    error = kind()
    assert error.reason is kind.default_reason
    assert error.detail is None


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind is not BusyTimeError])
def test_every_error_says_what_to_do_next_and_only_one_thing(kind):
    assert sum(issubclass(kind, what_to_do) for what_to_do in KINDS) == 1


def test_every_error_of_the_module_is_in_the_tree():
    exceptions = {thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, BaseException)}
    assert exceptions <= set(EVERY)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_one_line_of_text(reason):
    text = REASON_TEXTS[reason]
    assert text
    assert len(text.splitlines()) == 1
    assert not text.endswith(".")


def test_no_text_stands_for_two_reasons():
    assert len(set(REASON_TEXTS.values())) == len(REASON_TEXTS) == len(Reason)


def test_only_words_about_the_calendar_itself_are_definite():
    assert {reason for reason in Reason if reason.definite} == {
        Reason.NO_ACCESS,
        Reason.MAILBOX_NOT_FOUND,
        Reason.FOLDER_NOT_FOUND,
        Reason.NO_CALENDAR,
        Reason.NO_DATA,
        Reason.ENDS_BEFORE_START,
    }
