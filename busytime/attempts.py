"""Attempts: every attempt at an entry ends in exactly one outcome, and what is sent was committed before.

The intent first, then one request, then the outcome. Whatever kills the process in between leaves an intent behind, and
an intent without an outcome is looked up by marker before anything is sent again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from busytime.bookings import ChangeKind, ChangeResult, Ending, Entry, EntryState, Intent, Unseen
from busytime.errors import (
    AmbiguousWriteError,
    BusyTimeError,
    ConflictError,
    FolderNotFoundError,
    PermissionMissingError,
    Reason,
    SkippableError,
    TooManyMailboxesError,
)
from busytime.model import Outcome, Window
from busytime.planning import PlannedChange
from busytime.push_desk import PushDesk


@dataclass(frozen=True, slots=True)
class Task:
    """A planned change, and its entry as it stands now."""

    change: PlannedChange
    entry: Entry

    @property
    def window(self) -> Window | None:
        """The time that is meant: the booking's, or that of the entry to cancel."""
        return self.entry.window if self.change.kind is ChangeKind.CANCEL else self.change.booking.window


class Attempts:
    """Begins and ends the attempts at one calendar's entries.

    Args:
        desk: The calendar.
    """

    def __init__(self, desk: PushDesk) -> None:
        self._desk = desk
        #: What was applied and is still to be read back.
        self.written: list[Ending] = []
        #: Why nothing more can be written here: a write was denied.
        self.denied: Reason | None = None
        #: Whether the server takes no more writes into this mailbox for a while.
        self.full = False

    def send(self, task: Task, kind: ChangeKind, request: Callable[[], Entry], unseen: Unseen | None = None) -> ChangeResult:
        """Commit the intent, send one request, commit the outcome; a time that another one has just taken is a conflict.

        Args:
            task: The change.
            kind: What is really done for it.
            request: Sends, and returns the entry as it is afterwards.
            unseen: Where an entry that the reading need not show would be in the way.

        Raises:
            RetriableError: The request surely had no effect, and the server answers nobody.
            FatalError: Likewise, and nothing more can be sent.
        """
        entry, booking = task.entry, task.change.booking
        window = entry.window if kind is ChangeKind.CANCEL else booking.window
        intent = Intent(self._desk.new_attempt_id(), kind, booking.revision, window, self._desk.now())
        intended = self._desk.book.intend(entry, intent, unseen)
        if intended is None:
            return self.refuse(task, Outcome.CONFLICT, EntryState.CONFLICT, Reason.SLOT_TAKEN)
        try:
            after = request()
        except AmbiguousWriteError as error:
            lost = replace(intended, state=EntryState.UNKNOWN, reason=Reason.ANSWER_LOST, detail=error.detail)
            return self.end(task, Outcome.UNKNOWN, lost, intent)
        except PermissionMissingError as error:
            # What a real write says overrules every verdict.
            self._desk.book.deny_write(self._desk.calendar.id, error.detail)
            self.denied = Reason.WRITE_DENIED
            return self.end(task, Outcome.REFUSED, _after(entry, EntryState.BLOCKED, error, Reason.WRITE_DENIED), intent)
        except TooManyMailboxesError as error:
            self.full = True
            return self.end(task, Outcome.SKIPPED, _after(entry, EntryState.FAILED, error), intent)
        except SkippableError as error:
            # It was there a moment ago: it went, or a right did. A search has to tell.
            hidden = isinstance(error, FolderNotFoundError | ConflictError) and entry.item_id is not None
            return self.end(
                task, Outcome.FAILED, _after(entry, EntryState.UNKNOWN if hidden else EntryState.FAILED, error), intent
            )
        except BusyTimeError as error:
            self.end(task, Outcome.FAILED, _after(entry, EntryState.FAILED, error), intent)
            raise
        return self.end(task, Outcome.APPLIED, replace(after, intent=intent), intent, read_again=True)

    def refuse(self, task: Task, outcome: Outcome, state: EntryState, reason: Reason, detail: str | None = None) -> ChangeResult:
        """Write down why nothing is sent for a change.

        What a lost answer left behind has to be looked up whatever else is in the way: it stays `unknown`.
        """
        kept = task.entry.state if task.entry.lost else state
        return self.end(task, outcome, replace(task.entry, state=kept, reason=reason, detail=detail))

    def bury(self, task: Task) -> Task:
        """End the attempt of a process that died: nobody saw its answer."""
        entry, intent = task.entry, task.entry.intent
        lost = replace(entry, state=EntryState.UNKNOWN, reason=Reason.ANSWER_LOST, detail=None)
        if intent is not None:
            dead = Task(replace(task.change, kind=intent.kind), entry)
            self._desk.book.conclude(replace(self._ending(dead, Outcome.UNKNOWN, lost, intent), revision=intent.revision))
        return replace(task, entry=lost)

    def remove_twin(self, task: Task, item_id: str) -> ChangeResult | None:
        """Remove an item that a lost request made after all, and write that down.

        Returns:
            How the attempt ended where the twin may still be there; the entry is looked up again then.
        """
        try:
            self._desk.remove(item_id)
        except AmbiguousWriteError as error:
            lost = _after(task.entry, EntryState.UNKNOWN, error, Reason.ANSWER_LOST)
            return self.end(task, Outcome.UNKNOWN, lost)
        except SkippableError as error:
            return self.end(task, Outcome.FAILED, _after(task.entry, EntryState.UNKNOWN, error))
        ending = self._ending(task, Outcome.APPLIED, task.entry, None)
        self._desk.book.conclude(replace(ending, kind=ChangeKind.CANCEL, reason=None, detail="late_twin"))
        return None

    def end(
        self, task: Task, outcome: Outcome, after: Entry, intent: Intent | None = None, *, read_again: bool = False
    ) -> ChangeResult:
        """Commit how an attempt ended; what was written is read back later, if that is asked for."""
        ending = self._ending(task, outcome, after, intent)
        self._desk.book.conclude(ending)
        if read_again:
            self.written.append(ending)
        kind, moved = task.change.kind, task.change.kind is ChangeKind.UPDATE and ending.before != ending.window
        return ChangeResult(after.booking_key, after.calendar_id, kind, outcome, ending.reason, ending.detail, moved=moved)

    def _ending(self, task: Task, outcome: Outcome, after: Entry, intent: Intent | None) -> Ending:
        good = outcome in {Outcome.APPLIED, Outcome.ALREADY_APPLIED}
        return Ending(
            entry=after,
            attempt_id=intent.attempt_id if intent else self._desk.new_attempt_id(),
            kind=intent.kind if intent else task.change.kind,
            revision=task.change.booking.revision,
            window=intent.window if intent else task.window,
            before=task.entry.window,
            outcome=outcome,
            reason=None if good else after.reason,
            detail=None if good else after.detail,
            intended_at=intent.at if intent else None,
            item_id=after.item_id or task.entry.item_id,
        )


def _after(entry: Entry, state: EntryState, error: BusyTimeError, reason: Reason | None = None) -> Entry:
    return replace(entry, state=state, reason=reason or error.reason, detail=error.detail)
