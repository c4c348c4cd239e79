"""What every calendar gateway does, whatever stands behind it."""

from datetime import UTC, timedelta

import pytest

from busytime.errors import (
    AuthenticationError,
    ConfigurationError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    Reason,
    ServerBusyError,
    SpoiltAnswerError,
    UnsupportedServerError,
    WindowTooLargeError,
)
from busytime.folder_path import parse_folder_path, paths_of, resolve
from busytime.model import BusyStatus, BusyTime, Window
from tests.contract.gateway.worlds import WEEK, at

EVERY_STATUS = tuple(BusyStatus)


class GatewayContract:
    """Inherited by a class for each gateway, which brings the fixture ``world``."""

    # Logging on

    def test_probe_is_one_request(self, world):
        world.gateway.probe()
        assert world.guard.taken == 1

    def test_refused_log_on_passes_through_the_guard(self, world):
        with world.wrong_password() as gateway, pytest.raises(AuthenticationError) as caught:
            gateway.probe()
        assert caught.value.reason is Reason.LOGON_REFUSED
        assert world.guard.left_by == [AuthenticationError]

    def test_blocked_account_is_told_apart(self, world):
        world.block()
        with pytest.raises(UnsupportedServerError) as caught:
            world.gateway.probe()
        assert caught.value.reason is Reason.EWS_BLOCKED

    def test_no_permit_is_held_after_a_request(self, world):
        owner = world.owner()
        world.gateway.read_availability([owner], WEEK)
        world.make_busy(1)
        with pytest.raises(ServerBusyError):
            world.gateway.probe()
        assert world.guard.held == 0

    def test_back_off_of_the_server_is_kept(self, world):
        world.make_busy(7.5)
        with pytest.raises(ServerBusyError) as caught:
            world.gateway.read_availability([world.owner()], WEEK)
        assert caught.value.back_off_seconds == 7.5

    # Availability

    def test_every_status_is_read_and_free_is_left_out(self, world):
        owner = world.owner()
        for day, status in enumerate(EVERY_STATUS):
            world.add(owner, at(day, 9), at(day, 10), status)
        world.add(owner, at(5, 9), at(5, 10), None)
        (answer,) = world.gateway.read_availability([owner], WEEK)
        assert set(answer.intervals) == {(at(day, 9), at(day, 10), status) for day, status in enumerate(EVERY_STATUS)}
        assert all(start.tzinfo is UTC and end.tzinfo is UTC for start, end, _ in answer.intervals)

    def test_answers_come_in_the_order_asked(self, world):
        owners = [world.owner() for _ in range(4)]
        for hour, owner in enumerate(owners):
            world.add(owner, at(0, hour), at(0, hour + 1))
        backwards = owners[::-1]
        answers = world.gateway.read_availability(backwards, WEEK)
        assert [answer.intervals[0][0] for answer in answers] == [at(0, hour) for hour in (3, 2, 1, 0)]

    def test_empty_calendar_is_an_answer(self, world):
        assert world.gateway.read_availability([world.owner()], WEEK) == [BusyTime(())]

    def test_no_owner_is_no_request(self, world):
        assert world.gateway.read_availability([], WEEK) == []
        assert world.guard.taken == 0

    def test_more_owners_than_a_request_takes_are_refused_before_it_is_sent(self, world):
        with pytest.raises(ConfigurationError):
            world.gateway.read_availability(["ana@corp.example"] * 101, WEEK)
        assert world.guard.taken == 0

    def test_equal_appointments_are_told_each(self, world):
        owner = world.owner()
        world.add(owner, at(0, 9), at(0, 10))
        world.add(owner, at(0, 9), at(0, 10))
        (answer,) = world.gateway.read_availability([owner], WEEK)
        assert len(answer.intervals) == 2

    def test_appointment_over_the_edge_is_whole(self, world):
        owner = world.owner()
        world.add(owner, at(-1, 22), at(0, 2))
        (answer,) = world.gateway.read_availability([owner], WEEK)
        assert answer.intervals == ((at(-1, 22), at(0, 2), BusyStatus.BUSY),)

    def test_one_unknown_mailbox_costs_the_others_nothing(self, world):
        owner = world.owner()
        world.add(owner, at(0, 9), at(0, 10))
        nobody, answer = world.gateway.read_availability(["nobody@corp.example", owner], WEEK)
        assert nobody.reason is Reason.MAILBOX_NOT_FOUND
        assert len(answer.intervals) == 1

    def test_no_access_is_told_for_the_one_mailbox(self, world):
        closed, open_one = world.owner(), world.owner()
        world.forbid(closed)
        first, second = world.gateway.read_availability([closed, open_one], WEEK)
        assert first.reason is Reason.NO_ACCESS
        assert second == BusyTime(())

    def test_mailbox_without_data_is_unknown(self, world):
        owner = world.owner()
        world.make_no_data(owner)
        (answer,) = world.gateway.read_availability([owner], WEEK)
        assert answer.reason is Reason.NO_DATA

    def test_mailbox_without_calendar_is_unknown(self, world):
        owner = world.owner()
        world.make_no_calendar(owner)
        (answer,) = world.gateway.read_availability([owner], WEEK)
        # Exchange says no more than that it could not make up the busy time.
        assert answer.reason in (Reason.NO_CALENDAR, Reason.MAILBOX_UNAVAILABLE)

    def test_merged_mailbox_is_asked_once_more_by_itself(self, world):
        merged, plain = world.owner(), world.owner()
        world.add(merged, at(0, 9), at(0, 10))
        world.add(merged, at(1, 9), at(1, 10, 30), BusyStatus.OUT_OF_OFFICE)
        world.make_merged_only(merged)
        first, second = world.gateway.read_availability([merged, plain], WEEK)
        assert first.intervals == (
            (at(0, 9), at(0, 10), BusyStatus.BUSY),
            (at(1, 9), at(1, 10, 30), BusyStatus.OUT_OF_OFFICE),
        )
        assert second == BusyTime(())
        assert world.guard.taken == 2

    def test_window_that_is_too_long_is_told(self, world):
        owners = [world.owner(), world.owner()]
        answers = world.gateway.read_availability(owners, Window(WEEK.start, WEEK.start + timedelta(days=200)))
        assert [answer.reason for answer in answers] == [Reason.WINDOW_TOO_LONG] * 2

    def test_sick_mailbox_spoils_the_request_and_bisection_finds_it(self, world):
        sick, well = world.owner(), world.owner()
        world.make_sick(sick)
        with pytest.raises(SpoiltAnswerError):
            world.gateway.read_availability([well, sick], WEEK)
        assert world.gateway.read_availability([well], WEEK) == [BusyTime(())]
        with pytest.raises(SpoiltAnswerError):
            world.gateway.read_availability([sick], WEEK)

    # Folders and views

    def test_default_calendar_is_the_first_folder(self, world):
        (folder,) = world.gateway.list_folders(world.owner()).folders
        assert folder.folder_id
        assert folder.name

    def test_sub_calendars_hang_on_their_parents(self, world):
        owner = world.owner()
        world.add_folder(owner, "Projects")
        world.add_folder(owner, "Projects/Alpha")
        calendar, *below = world.gateway.list_folders(owner).folders
        by_name = {folder.name: folder for folder in below}
        assert by_name["Projects"].parent_id == calendar.folder_id
        assert by_name["Alpha"].parent_id == by_name["Projects"].folder_id

    def test_calendar_beside_the_default_one_is_found(self, world):
        owner = world.owner()
        world.add_folder(owner, "../Beside")
        calendar, beside = world.gateway.list_folders(owner).folders
        assert (beside.name, beside.parent_id) == ("Beside", calendar.parent_id)

    def test_only_what_is_below_is_found_where_the_root_is_closed(self, world):
        owner = world.owner()
        world.add_folder(owner, "Projects")
        world.add_folder(owner, "../Beside")
        world.close_root()
        _calendar, *others = world.gateway.list_folders(owner).folders
        assert [folder.name for folder in others] == ["Projects"]

    def test_listing_says_whether_it_could_look_beside_the_calendar(self, world):
        owner = world.owner()
        assert world.gateway.list_folders(owner).beside_seen
        world.close_root()
        assert not world.gateway.list_folders(owner).beside_seen

    def test_folders_of_an_unknown_mailbox(self, world):
        with pytest.raises((MailboxNotFoundError, FolderNotFoundError)):
            world.gateway.list_folders("nobody@corp.example")

    def test_folders_without_a_right(self, world):
        owner = world.owner()
        world.forbid(owner)
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.list_folders(owner)

    def test_closed_calendar_hides_nothing_that_the_root_shows(self, world):
        owner = world.owner()
        for path in ("Projects", "Projects/Alpha", "../Beside"):
            world.add_folder(owner, path)
        paths = paths_of(world.gateway.list_folders(owner).folders)
        world.forbid(owner)
        listed = world.gateway.list_folders(owner)
        assert (listed.beside_seen, listed.calendar_seen) == (True, False)
        assert paths_of(listed.folders) == paths
        assert listed.folders[0].name == ""

    @pytest.mark.parametrize("path", ["Projects", "../Beside"])
    def test_one_folder_is_placed_without_the_calendar(self, world, path):
        owner = world.owner()
        world.add_folder(owner, path)
        world.forbid(owner)
        listed = world.gateway.list_folders(owner).folders
        assert resolve(parse_folder_path(path), listed) == listed[1]
        assert len(listed) == 2

    def test_closed_calendar_in_a_closed_mailbox_hides_what_is_below_and_beside(self, world):
        owner = world.owner()
        world.add_folder(owner, "Projects")
        world.add_folder(owner, "../Beside")
        world.forbid(owner)
        world.close_root()
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.list_folders(owner)

    def test_root_that_is_shown_to_the_connection_is_enough(self, world):
        owner = world.owner()
        world.add_folder(owner, "Projects")
        world.add_folder(owner, "../Beside")
        world.close_root()
        world.show_root(owner)
        assert world.gateway.list_folders(owner).beside_seen
        world.forbid(owner)
        listed = world.gateway.list_folders(owner)
        assert set(paths_of(listed.folders).values()) == {"", "Projects", "../Beside"}

    def test_where_several_parents_are_hidden_none_is_taken_for_the_calendar(self, world):
        owner = world.owner()
        for path in ("Projects", "Projects/Alpha", "Team", "../Beside"):
            world.add_folder(owner, path)
        world.forbid(owner)
        world.forbid(owner, "Projects")
        assert set(paths_of(world.gateway.list_folders(owner).folders).values()) == {"", "../Beside"}
        world.forbid(owner, "../Beside")
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.list_folders(owner)

    def test_view_reads_a_sub_calendar_alone(self, world):
        owner = world.owner()
        world.add_folder(owner, "Projects")
        world.add(owner, at(0, 9), at(0, 10))
        for day, status in enumerate(EVERY_STATUS):
            world.add(owner, at(day, 12), at(day, 13), status, "Projects")
        world.add(owner, at(5, 12), at(5, 13), None, "Projects")
        folder = world.gateway.list_folders(owner).folders[1]
        intervals = world.gateway.read_calendar_view(folder.folder_id, WEEK)
        assert set(intervals) == {(at(day, 12), at(day, 13), status) for day, status in enumerate(EVERY_STATUS)}

    def test_view_leaves_out_what_only_touches_the_window(self, world):
        owner = world.owner()
        world.add(owner, at(-1, 23), at(0, 0))
        world.add(owner, at(7, 0), at(7, 1))
        world.add(owner, at(-1, 23), at(0, 1))
        folder = world.gateway.list_folders(owner).folders[0]
        assert world.gateway.read_calendar_view(folder.folder_id, WEEK) == [(at(-1, 23), at(0, 1), BusyStatus.BUSY)]

    def test_view_over_more_than_two_years_is_refused(self, world):
        folder = world.gateway.list_folders(world.owner()).folders[0]
        with pytest.raises(WindowTooLargeError) as caught:
            world.gateway.read_calendar_view(folder.folder_id, Window(WEEK.start, WEEK.start + timedelta(days=800)))
        assert caught.value.reason is Reason.WINDOW_TOO_LONG

    def test_view_of_an_unknown_folder(self, world):
        with pytest.raises(FolderNotFoundError):
            world.gateway.read_calendar_view("AAAA", WEEK)

    def test_view_after_the_right_was_revoked(self, world):
        owner = world.owner()
        folder = world.gateway.list_folders(owner).folders[0]
        world.forbid(owner)
        with pytest.raises((FolderNotFoundError, PermissionMissingError)):
            world.gateway.read_calendar_view(folder.folder_id, WEEK)
