"""A server that answers request after request by a script, and the answers it is made of."""

import re

from tests.integration.ews.hostile import SUBJECT, response, soap

#: The marker of an entry.
BOOKED = "one/BK-1"
KEY = (
    '<t:ExtendedProperty><t:ExtendedFieldURI PropertySetId="{set}" PropertyName="{name}" PropertyType="String"/>'
    "<t:Value>{value}</t:Value></t:ExtendedProperty>"
)
RIGHTS = (
    "<t:EffectiveRights><t:CreateAssociated>false</t:CreateAssociated><t:CreateContents>0</t:CreateContents>"
    "<t:CreateHierarchy>false</t:CreateHierarchy><t:Delete> true </t:Delete><t:Modify>1</t:Modify><t:Read>TRUE</t:Read>"
    "</t:EffectiveRights>"
)


def key(value, name="BusytimeKey", owner="B7F3A1C2-5D84-4E6B-9A0F-3C1DE2975A48"):
    return KEY.format(value=value, name=name, set=owner)


def message(operation, inside="", code="NoError", kind=None):
    kind = kind or ("Success" if code == "NoError" else "Error")
    return (
        f'<m:{operation}ResponseMessage ResponseClass="{kind}"><m:MessageText>{SUBJECT}</m:MessageText>'
        f"<m:ResponseCode>{code}</m:ResponseCode>{inside}</m:{operation}ResponseMessage>"
    )


def answer(operation, *messages):
    inside = "".join(messages)
    return soap(f"<m:{operation}Response><m:ResponseMessages>{inside}</m:ResponseMessages></m:{operation}Response>")


def refused(operation, code):
    return answer(operation, message(operation, code=code))


def item(item_id, more=""):
    return f'<t:CalendarItem><t:ItemId Id="{item_id}" ChangeKey="EQ"/>{more}</t:CalendarItem>'


def entry(item_id, more="", start="2026-12-01T09:00:00Z", end="2026-12-01T10:00:00Z", marker=BOOKED):
    marked = "" if marker is None else key(marker)
    return item(item_id, f"{marked}<t:Start>{start}</t:Start><t:End>{end}</t:End>{more}")


def found(*items, told='IncludesLastItemInRange="true"'):
    root = f"<m:RootFolder {told}><t:Items>{''.join(items)}</t:Items></m:RootFolder>"
    return answer("FindItem", message("FindItem", root))


def shown(*items):
    return answer(
        "GetItem", *(one if one.startswith("<m:") else message("GetItem", f"<m:Items>{one}</m:Items>") for one in items)
    )


def folder(inside):
    xml = f'<m:Folders><t:CalendarFolder><t:FolderId Id="F"/>{inside}</t:CalendarFolder></m:Folders>'
    return answer("GetFolder", message("GetFolder", xml))


CREATED = answer("CreateItem", message("CreateItem", f"<m:Items>{item('new')}</m:Items>"))
CHANGED = answer("UpdateItem", message("UpdateItem", f"<m:Items>{item('new')}</m:Items>"))
REMOVED = answer("DeleteItem", message("DeleteItem"))
GONE = b""  # bytes are sent as they are: the connection is closed without an answer


class Script:
    """A server that answers one request after the other; each answer belongs to an operation."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.operations = []
        self.bodies = []

    def __call__(self, server, connection):
        request = server.read_request(connection)
        if request is None:
            return None
        body = request.partition(b"\r\n\r\n")[2].decode()
        self.operations.append(re.search(r"<s:Body>\s*<m:(\w+)", body)[1])
        self.bodies.append(body)
        step = self.steps.pop(0)
        return step if isinstance(step, bytes) else response(step, headers=("Connection: close",))
