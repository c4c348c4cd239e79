"""The table of response codes decides about every code that the library below knows."""

from pathlib import Path

import exchangelib.errors
import pytest

from busytime.errors import FatalError, Reason
from busytime.ews.codes import RULINGS, clean_code, ruling_of
from busytime.ews.failures import Request, code_error

UNEXPECTED = frozenset((Path(__file__).parent / "unexpected_codes.txt").read_text().split())
KNOWN = frozenset(name for name in vars(exchangelib.errors) if name.startswith("Error"))
REQUEST = Request(
    "busytime@corp.example", "https://mail.corp.example/EWS/Exchange.asmx", "Reading the busy time of ana@corp.example"
)


def test_every_code_of_the_library_is_decided():
    undecided = KNOWN - RULINGS.keys() - UNEXPECTED
    assert not undecided, f"decide about these in codes.py, or add them to unexpected_codes.txt: {sorted(undecided)}"


def test_no_code_is_decided_twice():
    assert not UNEXPECTED & RULINGS.keys()


def test_every_decision_is_about_a_code_that_exists():
    assert RULINGS.keys() | UNEXPECTED <= KNOWN


@pytest.mark.parametrize("code", sorted(RULINGS))
def test_every_ruling_makes_an_error_that_says_what_to_do(code):
    error = code_error(code, REQUEST, 1.5)
    assert type(error) is RULINGS[code].error
    assert (error.reason, error.detail) == (RULINGS[code].reason, code)
    assert "mail.corp.example" in str(error)
    assert "ana@corp.example" in str(error)
    assert "{" not in str(error)


def test_unmapped_code_is_fatal_for_a_request_and_unexpected_for_a_mailbox():
    assert ruling_of("ErrorBrandNew").error is FatalError
    assert ruling_of("ErrorBrandNew").mailbox_reason is Reason.UNEXPECTED
    assert ruling_of(None).mailbox_reason is Reason.UNEXPECTED


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ErrorServerBusy", "ErrorServerBusy"),
        (" a:ErrorServerBusy ", "ErrorServerBusy"),
        ("Error.With_Dots9", "Error.With_Dots9"),
        ("Lunch with Bo", None),
        ("x" * 65, None),
        ("Fehler\u00fc", None),
        ("", None),
        (None, None),
    ],
)
def test_only_what_looks_like_a_code_is_kept(text, code):
    assert clean_code(text) == code
