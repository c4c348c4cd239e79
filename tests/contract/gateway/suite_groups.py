"""How every calendar gateway tells a group from a person."""

import pytest

from busytime.errors import MailboxNotFoundError, ServerBusyError
from busytime.model import BusyTime
from tests.contract.gateway.worlds import WEEK


class GroupContract:
    """Inherited by a class for each gateway, which brings the fixture ``world``."""

    def test_group_is_told_from_a_person(self, world):
        group, person = world.owner(), world.owner()
        world.make_group(group)
        assert [world.gateway.is_group(one) for one in (group, person, group.upper())] == [True, False, True]
        assert world.guard.taken == 3

    def test_group_answers_for_its_members_and_shows_no_folder(self, world):
        group = world.owner()
        world.make_group(group)
        (answer,) = world.gateway.read_availability([group], WEEK)
        assert isinstance(answer, BusyTime)
        for look in (lambda: world.gateway.read_folder_rights(group, None), lambda: world.gateway.list_folders(group)):
            with pytest.raises(MailboxNotFoundError):
                look()

    def test_address_that_nobody_has_is_no_group(self, world):
        assert not world.gateway.is_group("nobody@corp.example")

    def test_person_whose_calendar_is_closed_is_no_group(self, world):
        owner = world.owner()
        world.forbid(owner)
        assert not world.gateway.is_group(owner)

    def test_busy_server_says_nothing_of_groups(self, world):
        owner = world.owner()
        world.make_busy(1)
        with pytest.raises(ServerBusyError):
            world.gateway.is_group(owner)
