"""A good answer with details nobody asked for, and what a failure may show of it."""

import traceback

import pytest

from busytime.errors import BusyTimeError
from tests.integration.ews.conftest import PASSWORD, WINDOW
from tests.integration.ews.hostile import SUBJECT, availability, event, mailbox

DETAILS = f"<t:CalendarEventDetails><t:Subject>{SUBJECT}</t:Subject></t:CalendarEventDetails>"
GOOD = availability(mailbox(event("2026-11-24T09:00:00", "2026-11-24T10:00:00", more=DETAILS)))


def failure_of(gateway):
    """Return what reading one owner's busy time raises, after looking for leaks in all that could be printed."""
    with pytest.raises(BusyTimeError) as caught:
        gateway.read_availability(["ana@corp.example"], WINDOW)
    assert "ana@corp.example" in str(caught.value)
    return leak_free(caught.value)


def leak_free(error, *secrets):
    """Return an error, after looking for leaks in all that could be printed of it."""
    printed = "".join(traceback.format_exception(error)) + repr(error) + str(error.detail)
    assert SUBJECT not in printed
    assert not [secret for secret in (PASSWORD, *secrets) if secret in printed]
    assert "Envelope" not in printed
    assert error.__cause__ is None
    assert error.__context__ is None
    return error
