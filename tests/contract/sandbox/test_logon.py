"""Log-ons, and the lock that too many wrong passwords close."""

from __future__ import annotations

import base64

import pytest

from deployments.sandbox.directory import Directory, LogOn
from deployments.sandbox.limits import Limits
from tests.contract.sandbox.client import Client, calendar_of

EMAIL = "busytime@corp.example"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Door:
    """A directory with one account and a clock that the test moves."""

    def __init__(self, **limits: object) -> None:
        self.now = 1000.0
        policy = Limits()
        policy.update(limits)
        self.directory = Directory(policy, lambda: self.now)
        self.directory.set_password(EMAIL, "right")

    def __call__(self, password: str, user: str = EMAIL) -> LogOn:
        return self.directory.log_on(basic(user, password))[0]


def test_three_forms_of_a_name_are_one_account():
    door = Door()
    for user in (EMAIL, EMAIL.upper(), "CORP\\busytime", "busytime", "corp.example\\busytime@corp.example"):
        assert door("right", user) is LogOn.GOOD
    assert door("right", "nobody@corp.example") is LogOn.REFUSED


def test_the_account_locks_after_n_wrong_passwords_even_for_the_right_one():
    door = Door(lock_after=3)
    assert [door(f"wrong {n}") for n in range(3)] == [LogOn.REFUSED] * 3
    assert door("right") is LogOn.LOCKED


def test_a_good_log_on_forgets_the_wrong_ones():
    door = Door(lock_after=3)
    for _ in range(3):
        assert [door("wrong 1"), door("wrong 2"), door("right")][-1] is LogOn.GOOD


def test_the_lock_opens_after_its_window():
    door = Door(lock_after=2, lockout_window_s=60)
    door("wrong 1")
    door("wrong 2")
    door.now += 59
    assert door("right") is LogOn.LOCKED
    door.now += 1
    assert door("right") is LogOn.GOOD


def test_wrong_passwords_count_together_only_within_the_window():
    door = Door(lock_after=2, lockout_window_s=60)
    door("wrong 1")
    door.now += 60
    door("wrong 2")
    assert door("right") is LogOn.GOOD


def test_what_is_held_against_an_account_is_told_and_passes_with_the_window():
    door = Door(lock_after=2, lockout_window_s=60)
    account = door.directory.account(EMAIL)
    door("wrong 1")
    door.directory.pass_time(59)
    assert door.directory.held_against(account) == (1, False)
    door("wrong 2")
    assert door.directory.held_against(account)[1] is True
    door.directory.pass_time(60)
    assert door.directory.held_against(account) == (0, False)


def test_the_two_passwords_before_do_not_count():
    door = Door(lock_after=2)
    for password in ("second", "third", "fourth"):
        door.directory.set_password(EMAIL, password)
    assert [door(one) for one in ("second", "third") * 3] == [LogOn.REFUSED] * 6
    assert door("fourth") is LogOn.GOOD
    assert [door("right"), door("right"), door("fourth")][-1] is LogOn.LOCKED


def test_other_directories_count_earlier_passwords_too():
    door = Door(lock_after=2, password_history=0)
    door.directory.set_password(EMAIL, "second")
    door("right")
    door("right")
    assert door("second") is LogOn.LOCKED


def test_a_new_password_unlocks():
    door = Door(lock_after=1)
    door("wrong")
    door.directory.set_password(EMAIL, "second")
    assert door("second") is LogOn.GOOD


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode()])
def test_rubbish_in_the_header_is_a_refusal(header):
    assert Door().directory.log_on(header)[0] is LogOn.REFUSED


def test_passwords_are_not_only_ascii():
    door = Door()
    door.directory.set_password(EMAIL, "pässwörd: mit € und :")
    assert door("pässwörd: mit € und :") is LogOn.GOOD
    latin = "Basic " + base64.b64encode(f"{EMAIL}:pässwörd".encode("latin-1")).decode()
    door.directory.set_password(EMAIL, "pässwörd")
    assert door.directory.log_on(latin)[0] is LogOn.GOOD


def test_a_request_without_log_on_is_challenged_and_not_counted_as_refused(client, sandbox):
    answer = client.raw(b"", log_on=False)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    entry = sandbox.log()[-1]
    assert (entry["http_status"], entry["refused_logon"], entry["caller"]) == (401, False, None)


def test_a_wrong_password_is_refused_and_logged(sandbox, client, owner):
    wrong = Client(sandbox, password="wrong")
    assert wrong.get_folder(calendar_of(owner)).status == 401
    wrong.close()
    entry = sandbox.log()[-1]
    assert (entry["operation"], entry["caller"], entry["refused_logon"]) == ("GetFolder", sandbox.email, True)
    assert client.get_folder(calendar_of(owner)).status == 200
    assert sandbox.log()[-1]["refused_logon"] is False


def test_a_password_changed_while_running_counts_at_once(sandbox, stranger, owner):
    assert stranger.availability(owner).status == 200
    sandbox.control("POST", "/password", {"email": stranger.user, "password": "changed"})
    assert stranger.availability(owner).status == 401
    stranger.password = "changed"
    assert stranger.availability(owner).status == 200


def test_an_account_locks_over_http_and_a_new_password_unlocks_it(sandbox, stranger, owner):
    sandbox.control("POST", "/limits", {"lock_after": 2})
    right = stranger.password
    for stranger.password in ("wrong 1", "wrong 2", right):
        assert stranger.availability(owner).status == 401
    assert [one["code"] for one in sandbox.log()[-2:]] == ["Unauthorized", "AccountLocked"]
    sandbox.control("POST", "/password", {"email": stranger.user, "password": right})
    assert stranger.availability(owner).status == 200


def test_the_password_is_long_and_random(sandbox):
    assert len(sandbox.password) >= 20
