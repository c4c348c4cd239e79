"""FindItem page by page and with a restriction, and extended properties in answers."""

from __future__ import annotations

import pytest

from tests.contract.sandbox.client import calendar_of, shape
from tests.contract.sandbox.test_folders import granted
from tests.contract.sandbox.writes import created, equal, extended, found, item, page, search, send, uri

KEY = uri("BusytimeKey")
EXISTS = f"<t:Exists>{KEY}</t:Exists>"


def facts(answer) -> tuple[str, str, str]:
    root = answer.all(".//m:RootFolder")[0]
    return tuple(root.get(name) for name in ("TotalItemsInView", "IndexedPagingOffset", "IncludesLastItemInRange"))


@pytest.fixture
def five(book):
    return [book(f"2030-03-0{n}T09:00:00Z", f"2030-03-0{n}T10:00:00Z", subject=f"Visit {n}") for n in range(1, 6)]


@pytest.fixture
def marked(client, owner, book):
    """Two items with markers, one with another's property of the same name, one without any."""
    mine = [created(client, item(before=extended("BusytimeKey", key)), calendar_of(owner))[0] for key in ("h/A", "h/a")]
    other = extended("BusytimeKey", "h/A", "00000000-5d84-4e6b-9a0f-3c1de2975a48")
    return [*mine, created(client, item(before=other), calendar_of(owner))[0], book()]


def test_pages_follow_each_other_to_the_end(client, owner, five):
    calendar = calendar_of(owner)
    pages = [search(client, calendar, page=page(offset, 2)) for offset in (0, 2, 4)]
    assert [one for answer in pages for one in found(answer)] == five
    assert [facts(one) for one in pages] == [("5", "2", "false"), ("5", "4", "false"), ("5", "5", "true")]
    beyond = search(client, calendar, page=page(9, 2))
    assert (found(beyond), facts(beyond)) == ([], ("5", "5", "true"))


def test_pages_can_be_counted_from_the_end(client, owner, five):
    pages = [search(client, calendar_of(owner), page=page(offset, 3, "End")) for offset in (0, 3)]
    assert [found(one) for one in pages] == [five[2:], five[:2]]
    assert [facts(one) for one in pages] == [("5", "3", "false"), ("5", "5", "true")]


@pytest.mark.usefixtures("five")
def test_the_server_may_give_less_than_a_page(client, sandbox, owner):
    sandbox.control("POST", "/limits", {"find_items": 2})
    assert facts(search(client, calendar_of(owner), page=page(0, 100))) == ("5", "2", "false")
    assert facts(search(client, calendar_of(owner))) == ("5", "2", "false")


def test_pages_hold_series_and_not_their_occurrences(client, owner, book):
    series = book(rrule="FREQ=DAILY;COUNT=3")
    answer = search(client, calendar_of(owner), fields='<t:FieldURI FieldURI="calendar:CalendarItemType"/>')
    assert (found(answer), answer.texts(".//t:CalendarItemType")) == ([series], ["RecurringMaster"])


def test_pages_that_make_no_sense_are_refused(client, owner):
    codes = [search(client, calendar_of(owner), page=page(*one)).codes for one in ((-1, 5), (0, -1))]
    assert codes == [["ErrorInvalidIndexedPagingParameters"], ["ErrorInvalidPagingMaxRows"]]
    broken = page(0, 5).replace('"Beginning"', '"Middle"')
    content = f"<m:FindItem><m:ItemShape>{shape('IdOnly', ())}</m:ItemShape>{broken}<m:ParentFolderIds>"
    assert client.call(f"{content}{calendar_of(owner)}</m:ParentFolderIds></m:FindItem>").fault == "ErrorSchemaValidation"


def test_results_come_in_the_order_that_was_asked_for(client, owner, five):
    order = '<m:SortOrder><t:FieldOrder Order="Descending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder></m:SortOrder>'
    assert found(search(client, calendar_of(owner), order=order, page=page(0, 2))) == [five[4], five[3]]


def test_an_extended_property_is_answered_where_it_was_asked_for_and_is_there(client, owner, marked):
    answer = search(client, calendar_of(owner), fields=KEY)
    assert answer.texts(".//t:Value") == ["h/A", "h/a"]
    assert [one.get("PropertyName") for one in answer.all(".//t:ExtendedFieldURI")] == ["BusytimeKey"] * 2
    both = f"<t:AdditionalProperties>{KEY}</t:AdditionalProperties>"
    ids = "".join(f'<t:ItemId Id="{one}"/>' for one in marked)
    asked = f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{both}</m:ItemShape><m:ItemIds>{ids}</m:ItemIds>"
    read = send(client, f"<m:GetItem>{asked}</m:GetItem>")
    assert [len(one) for one in read.all(".//t:CalendarItem")] == [2, 2, 1, 1]


def test_a_search_by_marker_may_ignore_case(client, sandbox, owner, marked):
    upper = equal(KEY, "h/A")
    assert found(search(client, calendar_of(owner), restriction=upper)) == marked[:2]
    sandbox.control("POST", "/limits", {"restriction_ignores_case": False})
    assert found(search(client, calendar_of(owner), restriction=upper)) == marked[:1]
    assert found(search(client, calendar_of(owner), restriction=equal(KEY, "h/b"))) == []


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        (EXISTS, [0, 1]),
        (f"<t:Not>{EXISTS}</t:Not>", [2, 3]),
        (f"<t:And>{EXISTS}{equal(KEY, 'h/x')}</t:And>", []),
        (f"<t:Or>{equal(KEY, 'h/x')}{equal(KEY, 'h/A')}</t:Or>", [0, 1]),
        (equal(KEY, "h/x", "IsNotEqualTo"), [0, 1, 2, 3]),
        (f'<t:Contains ContainmentMode="Prefixed">{KEY}<t:Constant Value="h/"/></t:Contains>', [0, 1]),
        (f'<t:Contains ContainmentMode="Substring">{KEY}<t:Constant Value="/"/></t:Contains>', [0, 1]),
        (equal('<t:FieldURI FieldURI="item:Subject"/>', "zanderfall"), [3]),
        (equal('<t:FieldURI FieldURI="calendar:Start"/>', "2030-03-04T09:00:00Z", "IsGreaterThan"), []),
        (equal('<t:FieldURI FieldURI="calendar:Start"/>', "2030-03-04T09:00:00Z", "IsLessThanOrEqualTo"), [0, 1, 2, 3]),
    ],
)
def test_restrictions(client, owner, marked, restriction, expected):
    assert found(search(client, calendar_of(owner), restriction=restriction)) == [marked[n] for n in expected]


def test_pages_count_only_what_fits_the_restriction(client, owner, marked):
    answer = search(client, calendar_of(owner), page=page(0, 1), restriction=EXISTS)
    assert (found(answer), facts(answer)) == (marked[:1], ("2", "1", "false"))


@pytest.mark.parametrize(
    ("restriction", "code"),
    [
        ('<t:Exists><t:FieldURI FieldURI="item:Size"/></t:Exists>', "ErrorUnsupportedPathForQuery"),
        (
            f'<t:Contains ContainmentMode="PrefixOnWords">{KEY}<t:Constant Value="h/"/></t:Contains>',
            "ErrorUnsupportedQueryFilter",
        ),
        (f'<t:Excludes>{KEY}<t:Bitmask Value="1"/></t:Excludes>', "ErrorUnsupportedQueryFilter"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(client, owner, restriction, code):
    assert search(client, calendar_of(owner), restriction=restriction).codes == [code]


def test_a_calendar_view_takes_no_restriction(client, owner):
    view = '<m:CalendarView StartDate="2030-03-01T00:00:00Z" EndDate="2030-03-02T00:00:00Z"/>'
    assert search(client, calendar_of(owner), page=view, restriction=EXISTS).fault == "ErrorInvalidRequest"


def test_find_item_tells_rights_or_none(client, sandbox, owner, book):
    book()
    rights = '<t:FieldURI FieldURI="item:EffectiveRights"/>'
    assert granted(search(client, calendar_of(owner), fields=rights)) == {"Read", "Modify", "Delete"}
    sandbox.control("POST", "/limits", {"find_item_rights": False})
    assert granted(search(client, calendar_of(owner), fields=rights)) == set()


def test_hidden_private_items_are_not_found(client, sandbox, owner, book):
    book(is_private=True)
    sandbox.control("POST", "/limits", {"private_items": "hidden"})
    assert found(search(client, calendar_of(owner))) == []


def test_a_hundred_and_twenty_items_are_read_at_once(client, book):
    ids = [book() for _ in range(3)] * 40
    assert client.get_item(*ids, "rubbish").codes == ["NoError"] * 120 + ["ErrorInvalidIdMalformed"]
