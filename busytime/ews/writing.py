"""Creating, changing and removing marked items: one request each, and an honest word where the answer was lost.

Nothing here sends a request twice: EWS has no key that would make a repeated ``CreateItem`` harmless.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from busytime.errors import AmbiguousWriteError, BusyTimeError, FatalError, Reason, SkippableError, SpoiltAnswerError
from busytime.ews import envelopes_writing
from busytime.ews.body import Element
from busytime.ews.codes import SOFT_DELETE_REFUSED, ruling_of
from busytime.ews.failures import Request, make_error
from busytime.ews.finding import ItemName, name_of
from busytime.ews.soap import Refusal, messages_of, refusal_in, single_item, single_message
from busytime.ews.transport import Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where items are written.

    Args:
        transport: Sends.
        request: What is done, for messages.
        owner: Whose calendar.
        folder_id: ``None`` for the default calendar.
    """

    transport: Transport
    request: Request
    owner: str
    folder_id: str | None

    def create(self, entry: Any) -> ItemName:
        """Create an entry (``CreateItem``).

        Raises:
            AmbiguousWriteError: It may have been created; only a search for its marker tells.
        """
        return self.send(envelopes_writing.create_entry(self.owner, self.folder_id, entry), _created)

    def change(self, item: ItemName, entry: Any, names: Sequence[str]) -> None:
        """Change some properties of an entry to those of another (``UpdateItem``)."""
        self.send(envelopes_writing.change_entry(item.item_id, item.change_key or None, entry, names), _changed)

    def remove(self, item_ids: Sequence[str]) -> None:
        """Remove items (``DeleteItem``); those that are gone already are removed.

        They stay recoverable for their owner where the server can do that.
        """
        read = partial(_removed, count=len(item_ids))
        try:
            self.send(envelopes_writing.delete_entries(item_ids), read)
        except SkippableError as error:
            if error.detail not in SOFT_DELETE_REFUSED:
                raise
        else:
            return
        self.send(envelopes_writing.delete_entries(item_ids, soft=False), read)

    def send(self, envelope: bytes, read: Callable[[Element], T | Refusal]) -> T:
        """Send a request that changes something there."""
        return send_write(self.transport, self.request, envelope, read)


def send_write(transport: Transport, request: Request, envelope: bytes, read: Callable[[Element], T | Refusal]) -> T:
    """Send a request that changes something.

    Raises:
        AmbiguousWriteError: It may have taken effect.
    """
    try:
        return transport.send(envelope, request.what, read)
    except (SpoiltAnswerError, FatalError) as error:
        if not _may_have_happened(error):
            raise
        failure = make_error(AmbiguousWriteError, error.reason, request, detail=error.detail, step=_LOOK_UP)
    raise failure


_LOOK_UP = "it may have taken effect: the next try looks first"


def _may_have_happened(error: BusyTimeError) -> bool:
    if isinstance(error, SpoiltAnswerError):
        return error.reason is not Reason.MAILBOX_UNAVAILABLE  # then the server says that it did not reach the mailbox
    # Something unknown or a web page, perhaps after the request was taken; a plain refusal has a code.
    return error.detail is None and (type(error) is FatalError or error.reason is Reason.NOT_AN_EWS_SERVER)


def _created(payload: Element) -> ItemName | Refusal:
    item = single_item(single_message(payload, "CreateItem"))
    return item if isinstance(item, Refusal) else name_of(item)


def _changed(payload: Element) -> Refusal | None:
    return refusal_in(single_message(payload, "UpdateItem"))


def _removed(payload: Element, count: int) -> Refusal | None:
    refusals = [refusal_in(message) for message in messages_of(payload, "DeleteItem", count)]
    return next((refusal for refusal in refusals if refusal is not None and not _is_gone(refusal)), None)


def _is_gone(refusal: Refusal) -> bool:
    return ruling_of(refusal.code).reason is Reason.FOLDER_NOT_FOUND
