"""The ports of the core: what it needs from a calendar server, a clock and a guard.

Protocols only. Implementations are named by their technology and live in their own package.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from busytime.bookings import CalendarItem, Claim, Draft, Ending, Entry, Intent, ItemName, Unseen
from busytime.coverage import CoverageChanges, CoverageRow
from busytime.intervals import CurrentIntervals, IntervalChanges
from busytime.model import AuthType, BusyAnswer, FolderList, Interval, Invitation, Secret, SharedCalendar, Window
from busytime.permissions import ItemRights, PermissionLevel, Rights
from busytime.planning import PlannedChange, Snapshot
from busytime.server_finding import LogOnPlace
from busytime.signing_in import Uptime


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present instant in aware UTC."""

    def uptime(self) -> Uptime | None:
        """Return how long this machine has been up, which nobody can set; ``None`` where it cannot tell."""


class RequestGuard(Protocol):
    """Stands before every request of a connection, so that a refused log-on stops all of them."""

    def permit(self, *, log_on: bool = True) -> AbstractContextManager[None]:
        """Let one request pass; one that may log on waits for a free place first, and holds it.

        An ``AuthenticationError`` that leaves the context opens the breaker before the place is free again.

        Args:
            log_on: Whether the request carries a password, or asks for a token. Under Basic every one does; under NTLM
                the first one of a connection to the server; under OAuth only the one for a token.

        Raises:
            BreakerOpenError: The breaker is open; nothing may be sent.
            PauseInForceError: The server asked to be left alone; nothing was sent.
        """


class BusyTimeTables(Protocol):
    """The stored busy time, inside one transaction."""

    def intervals(self, calendar_ids: Sequence[int], window: Window) -> Mapping[int, CurrentIntervals]:
        """Return the current intervals that overlap a window, for each calendar that has some."""

    def coverage(self, calendar_ids: Sequence[int]) -> Mapping[int, Sequence[CoverageRow]]:
        """Return the current coverage of each calendar that has some."""

    def write_intervals(self, changes: Mapping[int, IntervalChanges], run_id: int, instant: datetime) -> None:
        """Close and open interval rows."""

    def write_coverage(self, changes: Mapping[int, CoverageChanges], run_id: int, instant: datetime) -> None:
        """Close, update and open coverage rows."""


class UnitOfWork(Protocol):
    """One short transaction: it commits as a whole or leaves nothing behind."""

    @property
    def busy_time(self) -> BusyTimeTables:
        """The stored busy time."""

    @property
    def present(self) -> datetime:
        """The present instant, no earlier than any given out before."""

    @property
    def instant(self) -> datetime:
        """The transaction's instant, later than any given out before."""


class EntryBook(Protocol):
    """The tables of pushing as one run uses them. Each call is one short transaction; what it wrote is final."""

    def snapshot(self, keys: Collection[str] | None = None) -> Snapshot:
        """Read what a plan is made from: of some bookings, or of all that are not over."""

    def want(self, changes: Sequence[PlannedChange]) -> list[PlannedChange]:
        """Give each planned change that has no entry yet one that is ``wanted``, and return all of them with theirs."""

    def claim(self, calendar_id: int) -> Claim:
        """Let this run alone write into a calendar, until it gives it back or its process is dead.

        Some mailboxes in a few minutes is all that a pace allows; who would be one more is told to wait.
        """

    def hold(self, calendar_id: int) -> None:
        """Give a sign of life of a claim, before something is sent after a pause.

        Raises:
            LockLostError: The calendar is no longer claimed by this run: another may have begun with it.
        """

    def release(self, calendar_id: int) -> None:
        """Give a claimed calendar back."""

    def intend(self, entry: Entry, intent: Intent, unseen: Unseen | None = None) -> Entry | None:
        """Commit what is about to be sent; the entry is ``intended`` from now on.

        Of two that want the same time at this moment, one alone gets it.

        Args:
            entry: The entry.
            intent: The attempt.
            unseen: Where another booking's entry would be in the way. Those count that are ``intended`` or ``unknown``,
                and those that were written after the reading.

        Returns:
            The entry; ``None``, and nothing is committed, where another one may lie in the intent's window.

        Raises:
            LockLostError: The calendar is no longer claimed by this run.
        """

    def conclude(self, ending: Ending) -> None:
        """Write how an attempt ended: the entry's row, and one row in ``changes``.

        Raises:
            LockLostError: As above.
        """

    def save(self, entries: Sequence[Entry]) -> None:
        """Write entries as they were read back; no attempt, so no row in ``changes``."""

    def known_revisions(self, keys: Collection[str]) -> dict[str, int]:
        """Return the highest revision that the tables hold of each booking that they know, entries included."""

    def mark_restored(self) -> None:
        """Note that calendars hold entries which the tables have forgotten; no push writes until they are adopted."""

    def deny_write(self, calendar_id: int, detail: str | None) -> None:
        """Overrule the verdict of a calendar in which a write was denied."""

    def prove_write(self, calendar_id: int) -> None:
        """Settle the verdict of a calendar where only an entry that was written and read back could."""

    def lower_pace(self) -> None:
        """Learn that the server takes no more mailboxes in five minutes than were just written to."""


class ServerFinder(Protocol):
    """Finds an account's server. Nothing here logs on, but ``ask``; that one sends one request and no second."""

    def look(self, email: str) -> Iterator[LogOnPlace]:
        """Ask the well-known places of a mail domain where its server is, without a log-on, and yield those that want one.

        Redirects are followed, because no password travels. What does not answer, or is no such place, is left out.
        The same place is yielded once.

        Raises:
            BusyTimeError: A place under the mail's own domain answered in a way that says what is wrong (its certificate is not
                trusted, it offers only TLS below 1.2); raised at the end, and only if no place was found.
        """

    def ask(self, place: LogOnPlace, secret: Secret) -> str | LogOnPlace:
        """Log on at a place, once, and return the EWS URL, or the place that it leads to (looked at without a log-on).

        Raises:
            AuthenticationError: The log-on was refused.
            BusyTimeError: As ``CalendarGateway``; ``ConfigurationError`` where the answer names no server for this account.
        """

    def offered(self, ews_url: str) -> frozenset[AuthType]:
        """Tell which ways of logging on an EWS URL offers: one request without a log-on.

        Raises:
            UnsupportedServerError: It is no EWS server, is blocked, or offers nothing that busytime knows; the message says
                what it seems to be, and the next step.
            BusyTimeError: It could not be asked.
        """

    def close(self) -> None:
        """Close the connections to servers."""


class CalendarGateway(Protocol):
    """A calendar server, seen through one connection. No word of its protocol passes this port.

    Every method may raise ``AuthenticationError``, ``BreakerOpenError``, ``UnsupportedServerError``,
    ``ServerBusyError``, ``ServerUnavailableError`` or ``SpoiltAnswerError``.
    """

    def probe(self) -> None:
        """Log on once and look at the connection's own calendar folder: one small request.

        Raises:
            UnsupportedServerError: Also with the reason ``no_mailbox``, where the account has none.
        """

    def read_availability(self, owners: Sequence[str], window: Window) -> list[BusyAnswer]:
        """Read the busy time of the default calendars of at most 100 owners, in one request.

        A mailbox that only answers merged busy time is asked again, by itself, in that form.

        Args:
            owners: Addresses.
            window: What to read; at most what the server allows.

        Returns:
            One answer for each owner, in the order asked. ``Unanswered`` with ``window_too_long`` or
            ``too_many_appointments`` asks for smaller windows. An answer for fewer owners than were asked is a
            ``SpoiltAnswerError`` (``missing_answer``) unless one alone was asked: nothing in it says whose
            answer is missing. Free intervals and those of no length are left
            out; what overlaps the window's edge is whole; the rest of what the server sent is as it was sent.
        """

    def list_folders(self, owner: str) -> FolderList:
        """List the calendar folders below and beside the owner's default calendar that the connection can see.

        The default calendar itself is the first one, under the name it has there. Where the mailbox's root is
        closed to the connection, only folders below the calendar come back, and the list says so. Where the calendar
        is closed and the root is not, what lies below and beside it comes back as far as its place can be told, and
        the first entry only holds the calendar's place.

        Raises:
            MailboxNotFoundError, PermissionMissingError, FolderNotFoundError: As the server tells them apart.
        """

    def read_calendar_view(self, folder_id: str, window: Window) -> list[Interval]:
        """Read the busy time of one folder, recurrences expanded, cancelled items left out.

        Raises:
            WindowTooLargeError: More items than the server tells, or a longer window than it allows.
            FolderNotFoundError, PermissionMissingError: As the server tells them apart.
            CalendarUnreadableError: An item without a status that says anything (``no_data``), or one that ends
                before it starts (``ends_before_start``).
        """

    def read_folder_rights(self, owner: str, folder_id: str | None) -> Rights:
        """Read the connection's effective rights in one folder, and nothing else: one request.

        Args:
            owner: Whose calendar.
            folder_id: ``None`` addresses the owner's default calendar explicitly.

        Raises:
            SkippableError: As the server tells them apart.
        """

    def find_items(self, owner: str, folder_id: str | None, *, marked_by: str | None, limit: int) -> list[str]:
        """Find ids of some items of a folder: at most ``limit``, in one request, ids alone.

        Args:
            owner: Whose calendar.
            folder_id: As above.
            marked_by: An installation whose marked items are meant; ``None`` for items without any marker.
            limit: At most so many.

        Raises:
            SkippableError: As the server tells them apart.
        """

    def read_item_rights(self, item_ids: Sequence[str], installation_id: str) -> list[ItemRights | None]:
        """Read effective rights and marker of at most 100 items, in one request and in the order asked.

        Returns:
            ``None`` for an item that the server did not show.
        """

    def is_group(self, owner: str) -> bool:
        """Tell whether an address is a distribution list or another group instead of a person: one request.

        Returns:
            ``False`` also where the server cannot tell.
        """

    def read_own_level(self, owner: str, folder_id: str | None) -> PermissionLevel | None:
        """Read the folder's permission list, in a request of its own, and return the level it gives the connection.

        Returns:
            ``None`` where the list does not name the connection's account.

        Raises:
            PermissionMissingError: The server does not show the list to the connection.
        """

    def probe_write(self, owner: str, folder_id: str | None, marker_key: str) -> None:
        """Prove that entries can be created, changed and deleted: one marked item, free, without a reminder, on a past day.

        Items with this marker that a killed probe left are removed first.

        Args:
            owner: Whose calendar.
            folder_id: As above.
            marker_key: Value of ``BusytimeKey`` for this probe, ``INSTALLATION/probe``.

        Raises:
            PermissionMissingError: The server denied one of the three.
            AmbiguousWriteError: An answer was lost; what may be left is removed by the next probe.
        """

    def read_items(self, owner: str, folder_id: str | None, window: Window) -> list[CalendarItem]:
        """Read the items of one folder that overlap a window, with their markers: a calendar view, in one request.

        Cancelled items are left out; free ones stay, without a status. Where the server does not tell markers in a
        view, the items come without.

        Args:
            owner: Whose calendar.
            folder_id: ``None`` addresses the owner's default calendar explicitly.
            window: As for ``read_calendar_view``.

        Raises:
            SkippableError: As ``read_calendar_view`` does.
        """

    def find_entries(self, owner: str, folder_id: str | None, marker_key: str) -> list[CalendarItem]:
        """Find the items of a folder that carry exactly this marker; the status is not asked for.

        Args:
            owner: Whose calendar.
            folder_id: As above.
            marker_key: ``INSTALLATION/BOOKING-KEY`` for one booking's, ``INSTALLATION/`` for all of an installation,
                page by page.

        Raises:
            SkippableError: As the server tells them apart; nothing is concluded from it.
        """

    def read_entries(self, item_ids: Sequence[str]) -> list[CalendarItem | None]:
        """Read time, version and marker of at most 100 items of one owner: one request, in the order asked.

        Returns:
            ``None`` for an item that the server did not show: it is gone, or may not be seen.
        """

    def create_entry(self, owner: str, folder_id: str | None, draft: Draft) -> ItemName:
        """Create an item in an owner's folder, which is named explicitly: one request, never repeated.

        Raises:
            PermissionMissingError: The server denied it.
            AmbiguousWriteError: It may have been created; only a search for its marker tells.
            SkippableError: It was not created.
            RetriableError: It surely was not created.
        """

    def change_entry(self, owner: str, name: ItemName, draft: Draft) -> ItemName:
        """Bring an item's own properties (time, zone, title, place, text, revision) to a draft's: one request.

        Args:
            owner: Whose calendar, for messages.
            name: Id, and the version that was read last.
            draft: What it shall be.

        Returns:
            Its new version.

        Raises:
            ConflictError: It has another version now.
            FolderNotFoundError: It is gone, or may not be seen.
            AmbiguousWriteError, PermissionMissingError, SkippableError, RetriableError: As above.
        """

    def remove_entry(self, owner: str, item_id: str) -> None:
        """Remove an item, recoverable for its owner where the server can do that; one that is gone is removed.

        Raises:
            AmbiguousWriteError, PermissionMissingError, SkippableError, RetriableError: As above.
        """

    def list_shared_calendars(self) -> list[SharedCalendar]:
        """List the calendars of other organisations that lie in the connection's own mailbox."""

    def list_invitations(self) -> list[Invitation]:
        """List the sharing invitations that wait in the connection's own mailbox."""

    def accept_invitation(self, invitation_id: str) -> None:
        """Accept a sharing invitation (``AcceptSharingInvitation``).

        Raises:
            SkippableError: It is gone, or was accepted before.
        """

    def close(self) -> None:
        """Close the connections to the server."""
