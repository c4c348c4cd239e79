"""Building the server's answers for tests of the parser."""

from lxml import etree

from busytime.ews.soap import NAMESPACES

M, T = f"{{{NAMESPACES['m']}}}", f"{{{NAMESPACES['t']}}}"


def response(events="", view="FreeBusy", *, merged="", array=True, code="NoError", kind="Success"):
    """Return a ``FreeBusyResponse`` element around events given as XML."""
    inside = f"<t:CalendarEventArray>{events}</t:CalendarEventArray>" if array else ""
    view_type = f"<t:FreeBusyViewType>{view}</t:FreeBusyViewType>" if view is not None else ""
    merged_part = f"<t:MergedFreeBusy>{merged}</t:MergedFreeBusy>" if merged else ""
    return element(
        f'<m:FreeBusyResponse><m:ResponseMessage ResponseClass="{kind}"><m:ResponseCode>{code}</m:ResponseCode>'
        f"</m:ResponseMessage><m:FreeBusyView>{view_type}{merged_part}{inside}</m:FreeBusyView></m:FreeBusyResponse>"
    )


def element(xml):
    """Return the first element of XML that uses the prefixes of EWS."""
    names = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())
    return etree.fromstring(f"<root {names}>{xml}</root>")[0]


def event(start="2026-11-24T09:00:00", end="2026-11-24T10:00:00", status="Busy", more=""):
    return (
        f"<t:CalendarEvent><t:StartTime>{start}</t:StartTime><t:EndTime>{end}</t:EndTime>"
        f"<t:BusyType>{status}</t:BusyType>{more}</t:CalendarEvent>"
    )
