"""What every calendar gateway tells of rights: each permission level, on folders and on items."""

import pytest

from busytime.errors import (
    ConfigurationError,
    FolderNotFoundError,
    MailboxNotFoundError,
    PermissionMissingError,
    SkippableError,
)
from busytime.permissions import PermissionLevel, Rights

INSTALLATION = "one"
MARKED, FOREIGN_MARK = f"{INSTALLATION}/BK-1", "two/BK-1"

HIDDEN = ("None", "FreeBusyTimeOnly", "FreeBusyTimeAndSubjectAndLocation")
#: The folder's rights on Exchange, and what a server adds that derives them from rights on items.
FOLDER_RIGHTS = {
    "Reviewer": ({"read"}, set()),
    "Contributor": ({"create"}, set()),
    "NoneditingAuthor": ({"read", "create"}, set()),
    "Author": ({"read", "create"}, set()),
    "PublishingAuthor": ({"read", "create", "create_folders"}, set()),
    "Editor": ({"read", "create"}, {"modify", "delete"}),
    "PublishingEditor": ({"read", "create", "create_folders"}, {"modify", "delete"}),
    "Owner": ({"read", "create", "modify", "delete", "create_folders"}, set()),
    "Custom": ({"read"}, {"modify"}),
    "delegate": ({"read", "create"}, {"modify", "delete"}),
}
NOTHING, CHANGE, REMOVE, BOTH = (False, False), (True, False), (False, True), (True, True)
#: Whether an item of somebody else, and one of the connection's own, may be changed and removed.
ITEM_RIGHTS = {
    "Reviewer": (NOTHING, NOTHING),
    "NoneditingAuthor": (NOTHING, REMOVE),
    "Author": (NOTHING, BOTH),
    "PublishingAuthor": (NOTHING, BOTH),
    "Editor": (BOTH, BOTH),
    "PublishingEditor": (BOTH, BOTH),
    "Owner": (BOTH, BOTH),
    "Custom": (CHANGE, CHANGE),
    "delegate": (BOTH, BOTH),
}


class RightsContract:
    """Inherited by a class for each gateway, which brings the fixture ``world``."""

    # Folders

    @pytest.mark.parametrize("level", FOLDER_RIGHTS)
    def test_rights_in_the_default_calendar(self, world, level):
        owner = world.owner()
        world.grant(owner, level)
        assert world.gateway.read_folder_rights(owner, None) == self._expected(world, level)
        assert world.guard.taken == 1

    @pytest.mark.parametrize("level", FOLDER_RIGHTS)
    def test_rights_in_a_sub_calendar(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        assert world.gateway.read_folder_rights(owner, folder_id) == self._expected(world, level)
        assert world.guard.taken == 1

    @staticmethod
    def _expected(world, level):
        told, derived = FOLDER_RIGHTS[level]
        return Rights(**dict.fromkeys(told | (derived if world.style == "items" else set()), True))

    @pytest.mark.parametrize("level", HIDDEN)
    def test_levels_that_see_no_folder(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        world.grant(owner, level)
        for place in (None, folder_id):
            with pytest.raises((FolderNotFoundError, PermissionMissingError)):
                world.gateway.read_folder_rights(owner, place)
            with pytest.raises((FolderNotFoundError, PermissionMissingError)):
                world.gateway.find_items(owner, place, marked_by=None, limit=1)

    def test_rights_in_an_unknown_mailbox(self, world):
        with pytest.raises((MailboxNotFoundError, FolderNotFoundError)):
            world.gateway.read_folder_rights("nobody@corp.example", None)

    def test_rights_in_an_unknown_folder(self, world):
        with pytest.raises(FolderNotFoundError):
            world.gateway.read_folder_rights(world.owner(), "AAAA")

    # Items

    @pytest.mark.parametrize("level", ITEM_RIGHTS)
    def test_rights_on_items_of_others_and_on_own_ones(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        theirs, mine = world.put(owner, "Projects"), world.put(owner, "Projects", own=True, marker_key=MARKED)
        assert world.gateway.find_items(owner, folder_id, marked_by=None, limit=5) == [theirs]
        assert world.gateway.find_items(owner, folder_id, marked_by=INSTALLATION, limit=5) == [mine]
        assert world.guard.taken == 2
        answers = world.gateway.read_item_rights([theirs, mine], INSTALLATION)
        assert world.guard.taken == 3
        assert [(one.rights.modify, one.rights.delete) for one in answers] == list(ITEM_RIGHTS[level])
        assert [(one.rights.read, one.marked, one.ours) for one in answers] == [(True, False, False), (True, True, True)]

    @pytest.mark.parametrize("level", ITEM_RIGHTS)
    def test_empty_calendar_has_no_items(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        for marked_by in (None, INSTALLATION):
            assert world.gateway.find_items(owner, folder_id, marked_by=marked_by, limit=5) == []

    def test_contributor_finds_nothing_out(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Contributor")
        item_id = world.put(owner, "Projects")
        with pytest.raises(PermissionMissingError):
            world.gateway.find_items(owner, folder_id, marked_by=None, limit=5)
        assert world.gateway.read_item_rights([item_id], INSTALLATION) == [None]

    def test_items_are_found_in_the_default_calendar(self, world):
        owner = world.owner()
        mine = world.put(owner, "", own=True, marker_key=MARKED)
        assert world.gateway.find_items(owner, None, marked_by=INSTALLATION, limit=5) == [mine]

    def test_no_more_items_than_asked_for(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        put = [world.put(owner, "Projects") for _ in range(4)]
        found = world.gateway.find_items(owner, folder_id, marked_by=None, limit=3)
        assert len(found) == 3
        assert set(found) <= set(put)

    def test_marker_of_another_installation_is_told_apart(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        foreign = world.put(owner, "Projects", marker_key=FOREIGN_MARK)
        assert world.gateway.find_items(owner, folder_id, marked_by=None, limit=5) == []
        assert world.gateway.find_items(owner, folder_id, marked_by=INSTALLATION, limit=5) == []
        (answer,) = world.gateway.read_item_rights([foreign], INSTALLATION)
        assert (answer.marked, answer.ours) == (True, False)

    def test_marker_that_differs_in_case_is_not_ours(self, world):
        owner = world.owner()
        world.sub_calendar(owner, "Editor")
        (answer,) = world.gateway.read_item_rights([world.put(owner, "Projects", marker_key="ONE/BK-1")], INSTALLATION)
        assert (answer.marked, answer.ours) == (True, False)

    def test_items_that_are_gone_or_hidden_are_none_in_their_places(self, world):
        owner, closed = world.owner(), world.owner()
        world.sub_calendar(owner, "Reviewer")
        world.sub_calendar(closed, "None")
        first, hidden = world.put(owner, "Projects"), world.put(closed, "Projects")
        answers = world.gateway.read_item_rights(["AAAA", first, hidden], INSTALLATION)
        assert [answer is None for answer in answers] == [True, False, True]

    def test_only_hidden_items_are_an_answer(self, world):
        assert world.gateway.read_item_rights(["AAAA", "BBBB"], INSTALLATION) == [None, None]

    def test_items_of_many_calendars_are_one_request(self, world):
        owners = [world.owner() for _ in range(3)]
        ids = [world.put(owner, "") for owner in owners]
        assert all(world.gateway.read_item_rights(ids, INSTALLATION))
        assert world.guard.taken == 1

    def test_no_item_is_no_request_and_too_many_are_refused(self, world):
        assert world.gateway.read_item_rights([], INSTALLATION) == []
        with pytest.raises(ConfigurationError):
            world.gateway.read_item_rights(["AAAA"] * 101, INSTALLATION)
        assert world.guard.taken == 0

    # The permission list

    @pytest.mark.parametrize("level", FOLDER_RIGHTS)
    def test_level_in_a_list_that_is_shown(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        world.grant(owner, level)
        world.show_permission_lists("shown")
        # The list has folder levels alone: a delegate is an Editor there.
        expected = PermissionLevel.EDITOR if level == "delegate" else PermissionLevel(level)
        assert world.gateway.read_own_level(owner, folder_id) is expected
        assert world.gateway.read_own_level(owner, None) is expected
        assert world.guard.taken == 2

    @pytest.mark.parametrize("how", ["omitted", "refused"])
    def test_list_that_is_not_shown(self, world, how):
        owner = world.owner()
        world.show_permission_lists(how)
        with pytest.raises(PermissionMissingError):
            world.gateway.read_own_level(owner, None)

    def test_list_that_does_not_name_the_connection(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        world.unlist(owner, "Projects")
        world.show_permission_lists("shown")
        assert world.gateway.read_own_level(owner, folder_id) is None

    def test_list_of_a_folder_that_is_not_there(self, world):
        with pytest.raises(SkippableError):
            world.gateway.read_own_level(world.owner(), "AAAA")
