"""exchangelib's own ways of writing and searching against the sandbox, unchanged."""

from __future__ import annotations

from datetime import timedelta

import exchangelib
import pytest
from exchangelib import CalendarItem, ExtendedProperty
from exchangelib.errors import ErrorAccessDenied, ErrorIrresolvableConflict, ErrorItemNotFound

from tests.contract.sandbox.test_control import listed
from tests.contract.sandbox.test_exchangelib import account, configuration
from tests.contract.sandbox.test_folders import grant
from tests.contract.sandbox.writes import MARKER

__all__ = ["configuration"]


class Key(ExtendedProperty):
    property_set_id = MARKER
    property_name = "BusytimeKey"
    property_type = "String"


@pytest.fixture
def calendar(configuration, owner):
    """An owner's calendar, read by an exchangelib that knows the marker."""
    CalendarItem.register("busytime_key", Key)
    yield account(configuration, owner).calendar
    CalendarItem.deregister("busytime_key")


def appointment(calendar, **more) -> CalendarItem:
    start = exchangelib.EWSDateTime(2030, 3, 4, 9, tzinfo=exchangelib.EWSTimeZone("Europe/Berlin"))
    values = {"subject": "Visit", "body": "Welcome", "start": start, "end": start + timedelta(hours=1), **more}
    return CalendarItem(account=calendar.account, folder=calendar, **values)


def test_an_item_is_saved_changed_and_deleted(calendar, sandbox, owner):
    item = appointment(calendar, busytime_key="house/BK-1", location="Room Elbe", reminder_is_set=False)
    item.save()
    (one,) = listed(sandbox, owner)
    assert (one["id"], one["start"], one["booking_key"]) == (item.id, "2030-03-04T08:00:00+00:00", "BK-1")
    item.start += timedelta(hours=1)
    item.end += timedelta(hours=1)
    item.subject = "Moved"
    item.save(update_fields=["subject", "start", "end"])
    (one,) = listed(sandbox, owner)
    assert (one["start"], one["subject"]) == ("2030-03-04T09:00:00+00:00", "Moved")
    item.refresh()
    assert (item.location, item.body, item.busytime_key, item.reminder_is_set) == ("Room Elbe", "Welcome", "house/BK-1", False)
    assert item.organizer.email_address == owner
    assert calendar.account.bulk_delete([item], delete_type="SoftDelete") == [True]
    assert listed(sandbox, owner) == []


def test_a_second_writer_meets_the_conflict(calendar):
    item = appointment(calendar).save()
    other = calendar.account.fetch([item])
    first = next(iter(other))
    first.subject = "First"
    first.save(update_fields=["subject"])
    item.subject = "Second"
    with pytest.raises(ErrorIrresolvableConflict):
        item.save(update_fields=["subject"])


def test_rights_are_told_as_errors(calendar, sandbox, owner):
    item = appointment(calendar).save()
    grant(sandbox, owner, sandbox.email, "Reviewer")
    with pytest.raises(ErrorAccessDenied):
        item.delete()
    with pytest.raises(ErrorAccessDenied):
        appointment(calendar).save()
    grant(sandbox, owner, sandbox.email, "None")
    with pytest.raises(ErrorItemNotFound):
        item.delete()


def test_many_items_are_fetched_with_an_error_each(calendar, sandbox):
    items = [appointment(calendar, subject=f"Visit {n:03}").save() for n in range(3)]
    sandbox.control("DELETE", f"/appointments/{items[1].id}")
    fetched = list(calendar.account.fetch(items * 40, only_fields=["subject"]))
    assert len(fetched) == 120
    assert [getattr(one, "subject", type(one).__name__) for one in fetched[:3]] == [
        "Visit 000",
        "ErrorItemNotFound",
        "Visit 002",
    ]


def test_items_are_found_by_their_marker(calendar):
    for key in ("house/BK-1", "house/BK-2"):
        appointment(calendar, busytime_key=key).save()
    found = list(calendar.filter(busytime_key="house/BK-1").only("busytime_key", "effective_rights"))
    assert [one.busytime_key for one in found] == ["house/BK-1"]
    assert found[0].effective_rights.modify
    assert calendar.filter(busytime_key__exists=True).count() == 2
    assert calendar.filter(busytime_key__startswith="house/").order_by("subject").count() == 2


def test_all_items_are_read_page_by_page(calendar):
    for number in range(5):
        appointment(calendar, subject=f"Visit {number}").save()
    items = calendar.all().only("subject")
    items.page_size = 2
    assert [one.subject for one in items] == [f"Visit {number}" for number in range(5)]
