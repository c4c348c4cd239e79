"""What every calendar gateway proves by a write, and what it leaves behind: nothing."""

import pytest

from busytime.errors import AmbiguousWriteError, PermissionMissingError, ServerBusyError, SkippableError
from tests.contract.gateway.suite_rights import HIDDEN

MARKER = "one/probe"

#: Levels that may create, change and delete an item of their own.
PROVING = ("Author", "PublishingAuthor", "Editor", "PublishingEditor", "Owner", "delegate")
DENIED = ("Reviewer", "Contributor", "NoneditingAuthor", "Custom")


class ProbeContract:
    """Inherited by a class for each gateway, which brings the fixture ``world``."""

    @pytest.mark.parametrize("level", PROVING)
    def test_proof_leaves_nothing_behind(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        world.put(owner, "Projects")
        world.gateway.probe_write(owner, folder_id, MARKER)
        assert world.markers(owner, "Projects") == [None]
        assert world.guard.taken == 4

    def test_proof_in_the_default_calendar(self, world):
        owner = world.owner()
        world.gateway.probe_write(owner, None, MARKER)
        assert MARKER not in world.markers(owner, "")

    @pytest.mark.parametrize("level", DENIED)
    def test_denied_proof_leaves_nothing_behind(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        world.put(owner, "Projects")
        with pytest.raises(PermissionMissingError):
            world.gateway.probe_write(owner, folder_id, MARKER)
        assert world.markers(owner, "Projects") == [None]

    @pytest.mark.parametrize("level", HIDDEN)
    def test_no_proof_in_a_calendar_that_is_not_shown(self, world, level):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, level)
        with pytest.raises(SkippableError):
            world.gateway.probe_write(owner, folder_id, MARKER)
        assert world.markers(owner, "Projects") == []

    @pytest.mark.parametrize("operation", ["CreateItem", "UpdateItem", "DeleteItem"])
    def test_lost_answer_is_said_to_be_one_and_the_next_proof_clears_up(self, world, operation):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        world.lose_answer(operation)
        with pytest.raises(AmbiguousWriteError):
            world.gateway.probe_write(owner, folder_id, MARKER)
        assert len(world.markers(owner, "Projects")) == (0 if operation == "DeleteItem" else 1)
        world.gateway.probe_write(owner, folder_id, MARKER)
        assert world.markers(owner, "Projects") == []

    def test_leftovers_are_removed_and_nothing_else_is(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Editor")
        for marker_key in (MARKER, MARKER, "ONE/PROBE", "one/probe2", "two/probe", "one/BK-1", None):
            world.put(owner, "Projects", own=True, marker_key=marker_key)
        world.gateway.probe_write(owner, folder_id, MARKER)
        left = world.markers(owner, "Projects")
        assert sorted(left, key=str) == sorted(["ONE/PROBE", "one/probe2", "two/probe", "one/BK-1", None], key=str)

    def test_leftover_that_may_not_be_removed_denies_the_proof(self, world):
        owner = world.owner()
        folder_id = world.sub_calendar(owner, "Author")
        world.put(owner, "Projects", marker_key=MARKER)  # a copy that the owner made
        with pytest.raises(PermissionMissingError):
            world.gateway.probe_write(owner, folder_id, MARKER)
        assert world.markers(owner, "Projects") == [MARKER]

    def test_busy_server_gives_no_proof(self, world):
        owner = world.owner()
        world.make_busy(1)
        with pytest.raises(ServerBusyError):
            world.gateway.probe_write(owner, None, MARKER)
