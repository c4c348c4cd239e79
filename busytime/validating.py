"""Validating: climb the ladder of evidence for a batch of calendars, cheapest rung first, each only where it is needed.

What was found is kept while the climb is interrupted (a server that asks for a pause), so that no rung is asked twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from busytime.errors import (
    AmbiguousWriteError,
    FolderNotFoundError,
    RetriableError,
    ServerBusyError,
    ServerUnavailableError,
    SkippableError,
    SpoiltAnswerError,
)
from busytime.judging import judge, with_level_of
from busytime.locating import look_up
from busytime.model import Calendar, CalendarKind, Role, Unanswered, Window
from busytime.permissions import (
    Conclusion,
    Findings,
    ItemRights,
    Need,
    NoAnswer,
    Rung,
    Subject,
    Verdict,
)
from busytime.ports import CalendarGateway, Clock

T = TypeVar("T")

#: Items looked at in a calendar before "somebody else's item cannot be changed" is believed.
ITEMS_LOOKED_AT = 5
#: Items in one request (GetItem).
ITEMS_A_REQUEST = 100
_PROBED_WINDOW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A calendar whose rights are to be checked.

    Args:
        calendar: The calendar.
        needs: What the product needs there.
        added_at: When it came into the roster.
        roles: What it does on booking pages, each role once.
        pages: Names of the pages that use it.
        arrived: Whether a right was seen there before, so that its absence is not a grant that is awaited.
        own: Whether it lies in the connection's own mailbox.
    """

    calendar: Calendar
    needs: tuple[Need, ...]
    added_at: datetime
    roles: tuple[Role, ...] = ()
    pages: tuple[str, ...] = ()
    arrived: bool = False
    own: bool = False


class Ladder:
    """The climb for one batch."""

    def __init__(
        self,
        gateway: CalendarGateway,
        candidates: Sequence[Candidate],
        installation_id: str,
        clock: Clock,
        grace: timedelta,
        *,
        probe_write: bool = False,
    ) -> None:
        """Take a batch of at most 100 calendars of one connection."""
        self._gateway = gateway
        self._candidates = {candidate.calendar.id: candidate for candidate in candidates}
        self._installation_id = installation_id
        self._clock = clock
        self._grace = grace
        self._probe_write = probe_write
        self._found: dict[int, Findings] = {key: Findings() for key in self._candidates}
        self.folder_ids: dict[int, str] = {}
        self._lost: dict[int, SkippableError] = {}
        self._listed: dict[tuple[int, str | None], list[str] | NoAnswer] = {}
        self._item_rights: dict[str, ItemRights | NoAnswer | None] = {}

    def climb(self) -> Mapping[tuple[int, Need], Conclusion]:
        """Gather evidence until every need is concluded.

        Raises:
            ServerBusyError: Call again after the pause; what was found stays.
            FatalError: No further request makes sense.
        """
        while missing := self._missing():
            rung = min(missing, key=list(Rung).index)
            self._RUNGS[rung](self, missing[rung])
        if self._probe_write:
            self._probe([key for key, need in self._unproven() if need is Need.WRITE])
        judged = {(key, need): self._judge(key, need) for key, it in self._candidates.items() for need in it.needs}
        concluded = {place: it for place, it in judged.items() if isinstance(it, Conclusion)}
        return {(key, need): with_level_of(it, concluded.get((key, Need.WRITE))) for (key, need), it in concluded.items()}

    def _judge(self, key: int, need: Need) -> Conclusion | Rung:
        candidate = self._candidates[key]
        subject = Subject(candidate.calendar.kind, candidate.added_at, candidate.arrived, candidate.own)
        return judge(need, subject, self._found[key], now=self._clock.now(), grace=self._grace)

    def _missing(self) -> dict[Rung, list[int]]:
        """Return the calendars that wait for each rung."""
        missing: dict[Rung, list[int]] = {}
        for key, candidate in self._candidates.items():
            for need in candidate.needs:
                rung = self._judge(key, need)
                if isinstance(rung, Rung) and key not in missing.get(rung, []):
                    missing.setdefault(rung, []).append(key)
        return missing

    def _unproven(self) -> list[tuple[int, Need]]:
        judged = ((key, need, self._judge(key, need)) for key, it in self._candidates.items() for need in it.needs)
        return [(key, need) for key, need, it in judged if isinstance(it, Conclusion) and it.verdict is Verdict.UNPROVEN]

    def _note(self, key: int, **found: object) -> None:
        self._found[key] = replace(self._found[key], **found)  # type: ignore[arg-type]  # one field of Findings by name

    def _ask(self, key: int, question: Callable[[str, str | None], T], *, in_folder: bool = True) -> T | NoAnswer:
        """Ask about one calendar's folder; the answer, or why there is none. A busy server ends the climb for now."""
        calendar = self._candidates[key].calendar
        try:
            return self._in_folder(calendar, question) if in_folder else question(calendar.owner, None)
        except (ServerBusyError, ServerUnavailableError):
            raise
        except SkippableError as error:
            return NoAnswer(error.reason, error.detail)
        except (RetriableError, AmbiguousWriteError) as error:
            return NoAnswer(error.reason, error.detail, transient=True)

    def _folders(self, keys: Sequence[int]) -> None:
        """Ask for each folder's rights, one mailbox a request: an ill mailbox spoils only its own answer."""
        for key in keys:
            self._note(key, folder=self._ask(key, self._gateway.read_folder_rights))

    def _in_folder(self, calendar: Calendar, ask: Callable[[str, str | None], T]) -> T:
        """Ask about a calendar's folder; an id that is gone, or was never seen, is looked up by the path."""
        if calendar.kind is CalendarKind.DEFAULT:
            return ask(calendar.owner, None)
        known = self.folder_ids.get(calendar.id) or calendar.folder_id
        if known is not None:
            try:
                return ask(calendar.owner, known)
            except FolderNotFoundError:
                if calendar.kind is CalendarKind.EXTERNAL or calendar.id in self.folder_ids:
                    raise
        return ask(calendar.owner, self._look_up(calendar))

    def _look_up(self, calendar: Calendar) -> str:
        """Look a folder up by its path, once: what is not there for one rung is not there for the next."""
        if calendar.id in self._lost:
            raise self._lost[calendar.id]
        try:
            self.folder_ids[calendar.id] = look_up(self._gateway, calendar)
        except SkippableError as error:
            self._lost[calendar.id] = error
            raise
        return self.folder_ids[calendar.id]

    def _availability(self, keys: Sequence[int]) -> None:
        """Ask the availability service, all mailboxes in one request; where that is spoilt, each by itself."""
        now = self._clock.now()
        window = Window(now, now + _PROBED_WINDOW)
        owners = [self._candidates[key].calendar.owner for key in keys]
        try:
            answers = self._gateway.read_availability(owners, window)
        except (ServerBusyError, ServerUnavailableError):
            raise
        except RetriableError as error:
            if len(keys) > 1:
                for key in keys:
                    self._availability([key])
                return
            self._note(keys[0], availability=NoAnswer(error.reason, error.detail, transient=True))
            return
        for key, answer in zip(keys, answers, strict=True):
            self._note(key, availability=_unanswered(answer) if isinstance(answer, Unanswered) else True)

    def _groups(self, keys: Sequence[int]) -> None:
        """Ask who answers at an address: a person, or a distribution list."""
        for key in keys:
            self._note(key, group=self._ask(key, lambda owner, _folder_id: self._gateway.is_group(owner), in_folder=False))

    def _items(self, keys: Sequence[int]) -> None:
        """Ask for the rights on a few items that somebody else made, and only where there are none on our own."""
        for marked_by in (None, self._installation_id):
            find = partial(self._gateway.find_items, marked_by=marked_by, limit=ITEMS_LOOKED_AT)
            asked = [key for key in keys if marked_by is None or self._items_of(key, None) == ()]
            for key in asked:
                if (key, marked_by) not in self._listed:
                    self._listed[key, marked_by] = self._ask(key, find)
            self._ask_for_item_rights(asked, marked_by)
        for key in keys:
            self._note(key, items=self._items_of(key, None, self._installation_id))

    def _items_of(self, key: int, *searches: str | None) -> tuple[ItemRights, ...] | NoAnswer:
        """Put together what some searches found of a calendar's items; those that were not made found nothing."""
        seen: list[ItemRights] = []
        for marked_by in searches:
            listed = self._listed.get((key, marked_by), [])
            if isinstance(listed, NoAnswer):
                return listed
            answers = [self._item_rights[item_id] for item_id in listed]
            seen += [answer for answer in answers if isinstance(answer, ItemRights)]
            silence = next((answer for answer in answers if isinstance(answer, NoAnswer)), None)
            if silence is not None and not seen:
                return silence
        return tuple(seen)

    def _ask_for_item_rights(self, keys: Sequence[int], marked_by: str | None) -> None:
        """Ask for the rights on the items of many calendars, 100 in a request; where that is spoilt, each calendar by itself."""
        listed = {key: self._listed[key, marked_by] for key in keys}
        ids = {key: [] if isinstance(it, NoAnswer) else it for key, it in listed.items()}
        wanted = [item_id for item_ids in ids.values() for item_id in item_ids if item_id not in self._item_rights]
        for start in range(0, len(wanted), ITEMS_A_REQUEST):
            part = wanted[start : start + ITEMS_A_REQUEST]
            try:
                answers: Sequence[ItemRights | NoAnswer | None] = self._gateway.read_item_rights(part, self._installation_id)
            except SpoiltAnswerError as error:
                if len(keys) > 1:
                    for key in keys:
                        self._ask_for_item_rights([key], marked_by)
                    return
                answers = [NoAnswer(error.reason, error.detail, transient=True)] * len(part)
            self._item_rights.update(zip(part, answers, strict=True))

    def _lists(self, keys: Sequence[int]) -> None:
        for key in keys:
            level = self._ask(key, self._gateway.read_own_level)
            self._note(key, permission_list=level if isinstance(level, NoAnswer) else (level,))

    def _views(self, keys: Sequence[int]) -> None:
        now = self._clock.now()
        window = Window(now, now + _PROBED_WINDOW)

        def view(_owner: str, folder_id: str | None) -> bool:
            return folder_id is not None and self._gateway.read_calendar_view(folder_id, window) is not None

        for key in keys:
            self._note(key, calendar_view=self._ask(key, view))

    def _probe(self, keys: Sequence[int]) -> None:
        """Prove the right to write by a write; only a person asks for that."""

        def probe(owner: str, folder_id: str | None) -> bool:
            self._gateway.probe_write(owner, folder_id, f"{self._installation_id}/probe")
            return True

        for key in keys:
            self._note(key, probe=self._ask(key, probe))

    _RUNGS = {  # noqa: RUF012 -- a table of methods, never changed
        Rung.FOLDER_RIGHTS: _folders,
        Rung.ITEM_RIGHTS: _items,
        Rung.PERMISSION_LIST: _lists,
        Rung.AVAILABILITY: _availability,
        Rung.GROUP: _groups,
        Rung.CALENDAR_VIEW: _views,
    }


def _unanswered(answer: Unanswered) -> NoAnswer:
    return NoAnswer(answer.reason, answer.detail, transient=not answer.reason.definite)
