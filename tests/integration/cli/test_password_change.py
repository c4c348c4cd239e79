"""The password changes while four processes are at work: two refused log-ons at most, and one command brings all back."""

from tests.flows.changing_password import make_change


def test_a_password_changed_under_four_processes(home, exchange, person):
    home.connect().ended(0)
    change = make_change(home, person, owners=40, booked_owners=24)
    change.begin()
    exchange.control("POST", "/limits", {"latency_ms": 300})  # slow enough that none is done before all are at work

    change.work_and_change(after=30)
    change.assert_harmless()
