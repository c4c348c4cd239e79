"""What is sent to learn of calendars and invitations of other organisations, all in the connection's own mailbox."""

from collections.abc import Sequence

from busytime.ews.envelopes import (
    FOLDER_PAGE,
    distinguished_folder,
    ewsextended,
    fields,
    folder_fields,
    items,
    library_account,
    services,
    wrap,
)
from busytime.ews.envelopes_looking import MOST_ITEMS, find_items, get_items, of_class
from busytime.ews.marker import as_field

#: The class of sharing messages; their kinds have names below it.
_SHARING_MESSAGE = "IPM.Sharing"


class InitiatorAddress(ewsextended.ExtendedProperty):  # type: ignore[misc]  # an untyped base
    """The address of a shared calendar's owner (``PidLidSharingInitiatorSmtp``)."""

    distinguished_property_set_id = "Sharing"
    property_id = 0x8A08
    property_type = "String"


class InitiatorName(ewsextended.ExtendedProperty):  # type: ignore[misc]  # an untyped base
    """The name of a shared calendar's owner (``PidLidSharingInitiatorName``)."""

    distinguished_property_set_id = "Sharing"
    property_id = 0x8A07
    property_type = "String"


class RemoteName(ewsextended.ExtendedProperty):  # type: ignore[misc]  # an untyped base
    """What a shared calendar is called where it comes from (``PidLidSharingRemoteName``)."""

    distinguished_property_set_id = "Sharing"
    property_id = 0x8A05
    property_type = "String"


#: What may be done in a calendar of another organisation; only such folders have it. The library does not know it.
_SHARING_RIGHTS = fields.FieldPath(field=fields.TextField("sharing_rights", field_uri="folder:SharingEffectiveRights"))


def find_shared_folders(account: str, offset: int) -> bytes:
    """Ask for one page of the folders of the connection's own mailbox (``FindFolder``, deep)."""
    service = services.FindFolder(account=library_account())
    asked = folder_fields("name", "parent_folder_id", "folder_class")
    wanted = [*asked, _SHARING_RIGHTS, as_field(InitiatorAddress), as_field(RemoteName)]
    parent = [distinguished_folder("msgfolderroot", account)]
    return wrap(service, service.get_payload(parent, wanted, None, "IdOnly", "Deep", FOLDER_PAGE, offset))


def find_sharing_messages(account: str) -> bytes:
    """Ask for the ids of the sharing messages in the connection's own inbox (``FindItem``)."""
    return find_items(distinguished_folder("inbox", account), of_class(_SHARING_MESSAGE), MOST_ITEMS)


def get_sharing_messages(message_ids: Sequence[str]) -> bytes:
    """Ask for senders, whose calendar it is, and what may be answered (``GetItem``: a search tells no answers)."""
    names = ("author", "sender", "response_objects")
    asked = [fields.FieldPath(field=items.Message.get_field_by_fieldname(name)) for name in names]
    return get_items(message_ids, [*asked, *map(as_field, (InitiatorAddress, InitiatorName, RemoteName))])
