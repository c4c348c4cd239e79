"""What every calendar gateway knows of calendars of other organisations."""

import pytest

from busytime.errors import SkippableError


class SharingContract:
    """Inherited by a class for each gateway, which brings the fixture ``world``."""

    def test_invitation_is_listed_accepted_and_its_calendar_appears(self, world):
        world.invite("Ida@Partner.example", "Calendar")
        (waiting,) = [one for one in world.gateway.list_invitations() if one.sender == "ida@partner.example"]
        assert "ida@partner.example" not in [one.owner for one in world.gateway.list_shared_calendars()]
        world.gateway.accept_invitation(waiting.invitation_id)
        assert waiting not in world.gateway.list_invitations()
        (shared,) = [one for one in world.gateway.list_shared_calendars() if one.owner == "ida@partner.example"]
        assert shared.folder_id
        assert shared.name

    def test_invitation_that_was_accepted_is_refused(self, world):
        world.invite("jo@partner.example", "Calendar")
        (waiting,) = [one for one in world.gateway.list_invitations() if one.sender == "jo@partner.example"]
        world.gateway.accept_invitation(waiting.invitation_id)
        with pytest.raises(SkippableError):
            world.gateway.accept_invitation(waiting.invitation_id)

    def test_invitation_that_is_not_there_is_refused(self, world):
        with pytest.raises(SkippableError):
            world.gateway.accept_invitation("AAAA")

    def test_own_calendars_are_not_shared_ones(self, world):
        assert all(one.owner != "busytime@corp.example" for one in world.gateway.list_shared_calendars())

    def test_owner_whom_the_folder_does_not_tell_is_known_from_the_invitation(self, world):
        world.hide_foreign_addresses()
        world.invite("kim@partner.example", "Plans")
        (waiting,) = [one for one in world.gateway.list_invitations() if one.sender == "kim@partner.example"]
        world.gateway.accept_invitation(waiting.invitation_id)
        (shared,) = [one for one in world.gateway.list_shared_calendars() if one.owner == "kim@partner.example"]
        assert shared.name

    def test_calendar_whose_invitation_is_gone_too_is_listed_without_an_owner(self, world):
        world.hide_foreign_addresses()
        world.invite("lee@partner.example", "Plans of Lee")
        (waiting,) = [one for one in world.gateway.list_invitations() if one.sender == "lee@partner.example"]
        world.gateway.accept_invitation(waiting.invitation_id)
        world.remove_message(waiting.invitation_id)
        (shared,) = [one for one in world.gateway.list_shared_calendars() if "Plans of Lee" in one.name]
        assert shared.owner is None
