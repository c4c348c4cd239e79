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
    BusyTimeError,
    FolderNotFoundError,
    RetriableError,
    ServerBusyError,
    ServerUnavailableError,
    SkippableError,
    SpoiltAnswerError,
)
from busytime.locating import look_up
from busytime.model import Calendar, CalendarKind, Role, Unanswered, Window
from busytime.permissions import (
    BADNESS,
    Conclusion,
    Evidence,
    Findings,
    ItemRights,
    Need,
    NoAnswer,
    Subject,
    Verdict,
    judge,
    with_level_of,
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
    """

    calendar: Calendar
    needs: tuple[Need, ...]
    added_at: datetime
    roles: tuple[Role, ...] = ()
    pages: tuple[str, ...] = ()


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

    def climb(self) -> Mapping[tuple[int, Need], Conclusion]:
        """Gather evidence until every need is concluded.

        Raises:
            ServerBusyError: Call again after the pause; what was found stays.
            FatalError: No further request makes sense.
        """
        while missing := self._missing():
            rung = min(missing, key=list(Evidence).index)
            self._RUNGS[rung](self, missing[rung])
        if self._probe_write:
            self._probe([key for key, need in self._unproven() if need is Need.WRITE])
        judged = {(key, need): self._judge(key, need) for key, it in self._candidates.items() for need in it.needs}
        concluded = {place: it for place, it in judged.items() if isinstance(it, Conclusion)}
        return {(key, need): with_level_of(it, concluded.get((key, Need.WRITE))) for (key, need), it in concluded.items()}

    def _judge(self, key: int, need: Need) -> Conclusion | Evidence:
        candidate = self._candidates[key]
        subject = Subject(candidate.calendar.kind, candidate.added_at)
        return judge(need, subject, self._found[key], now=self._clock.now(), grace=self._grace)

    def _missing(self) -> dict[Evidence, list[int]]:
        """Return the calendars that wait for each rung."""
        missing: dict[Evidence, list[int]] = {}
        for key, candidate in self._candidates.items():
            for need in candidate.needs:
                rung = self._judge(key, need)
                if isinstance(rung, Evidence) and key not in missing.get(rung, []):
                    missing.setdefault(rung, []).append(key)
        return missing

    def _unproven(self) -> list[tuple[int, Need]]:
        judged = ((key, need, self._judge(key, need)) for key, it in self._candidates.items() for need in it.needs)
        return [(key, need) for key, need, it in judged if isinstance(it, Conclusion) and it.verdict is Verdict.UNPROVEN]

    def _note(self, key: int, **found: object) -> None:
        self._found[key] = replace(self._found[key], **found)  # type: ignore[arg-type]  # one field of Findings by name

    def _ask(self, key: int, question: Callable[[str, str | None], T]) -> T | NoAnswer:
        """Ask about one calendar's folder; the answer, or why there is none. A busy server ends the climb for now."""
        try:
            return self._in_folder(self._candidates[key].calendar, question)
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
        self.folder_ids[calendar.id] = look_up(self._gateway, calendar)
        return ask(calendar.owner, self.folder_ids[calendar.id])

    def _availability(self, keys: Sequence[int]) -> None:
        """Ask the availability service, all mailboxes in one request; where that is spoilt, each by itself."""
        now = self._clock.now()
        window = Window(now, now + _PROBED_WINDOW)
        owners = [self._candidates[key].calendar.owner for key in keys]
        try:
            answers = self._gateway.read_availability(owners, window)
        except RetriableError as error:
            if isinstance(error, ServerBusyError):
                raise
            if len(keys) > 1:
                for key in keys:
                    self._availability([key])
                return
            self._note(keys[0], availability=NoAnswer(error.reason, error.detail, transient=True))
            return
        for key, answer in zip(keys, answers, strict=True):
            self._note(key, availability=_unanswered(answer) if isinstance(answer, Unanswered) else True)

    def _items(self, keys: Sequence[int]) -> None:
        """Ask for the rights on a few items that somebody else made, and only where there are none on our own."""
        for marked_by in (None, self._installation_id):
            find = partial(self._gateway.find_items, marked_by=marked_by, limit=ITEMS_LOOKED_AT)
            ids: dict[int, list[str]] = {}
            for key in keys:
                if not self._found[key].items:
                    found = self._ask(key, find)
                    if isinstance(found, NoAnswer):
                        self._note(key, items=found)
                    else:
                        ids[key] = found
            self._item_rights(ids)

    def _item_rights(self, ids: Mapping[int, Sequence[str]]) -> None:
        """Ask for the rights on the items of many calendars, 100 in a request."""
        pairs = [(key, item_id) for key, item_ids in ids.items() for item_id in item_ids]
        seen: dict[int, list[ItemRights]] = {key: [] for key in ids}
        failed: dict[int, NoAnswer] = {}
        for start in range(0, len(pairs), ITEMS_A_REQUEST):
            part = pairs[start : start + ITEMS_A_REQUEST]
            try:
                answers = self._gateway.read_item_rights([item_id for _, item_id in part], self._installation_id)
            except SpoiltAnswerError as error:
                failed |= {key: NoAnswer(error.reason, error.detail, transient=True) for key, _ in part}
                continue
            for (key, _), answer in zip(part, answers, strict=True):
                if answer is not None:
                    seen[key].append(answer)
        for key, items in seen.items():
            self._note(key, items=tuple(items) if items or key not in failed else failed[key])

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
        Evidence.FOLDER_RIGHTS: _folders,
        Evidence.ITEM_RIGHTS: _items,
        Evidence.PERMISSION_LIST: _lists,
        Evidence.AVAILABILITY: _availability,
        Evidence.CALENDAR_VIEW: _views,
    }


def _unanswered(answer: Unanswered) -> NoAnswer:
    return NoAnswer(answer.reason, answer.detail, transient=not answer.reason.definite)


def unreachable(candidates: Sequence[Candidate], error: BusyTimeError) -> dict[tuple[int, Need], Conclusion]:
    """Conclude for a whole batch that the server gave no answer: no verdict changes."""
    conclusion = Conclusion(Verdict.UNREACHABLE, None, None, error.reason, error.detail)
    return {(candidate.calendar.id, need): conclusion for candidate in candidates for need in candidate.needs}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a validation found for one calendar and need, and what stood before.

    Args:
        candidate: The calendar.
        need: What the product needs there.
        conclusion: What was concluded now.
        before: What was concluded before, where it was.
    """

    candidate: Candidate
    need: Need
    conclusion: Conclusion
    before: Conclusion | None

    @property
    def worse(self) -> bool:
        """Whether it got worse since the last time; a server that gave no answer tells nothing."""
        if self.before is None or self.conclusion.verdict is Verdict.UNREACHABLE:
            return False
        return BADNESS[self.conclusion.verdict] > BADNESS[self.before.verdict]

    @property
    def changes(self) -> bool:
        """Whether history gets a new row: verdict, level or reason changed. No answer keeps the last word and its date."""
        if self.before is None:
            return True
        if self.conclusion.verdict is Verdict.UNREACHABLE:
            return False
        now, then = self.conclusion, self.before
        return (now.verdict, now.observed, now.reason) != (then.verdict, then.observed, then.reason)
