"""A thousand batches in four processes, and the password changed in the middle: the account is not locked, nothing is lost."""

from tests.flows.changing_password import make_change

#: Batches of the harvest, and owners to push to: with the validation's, a thousand parts of work.
OWNERS = 640
BOOKED = 340


def test_a_password_changed_under_a_thousand_batches(home, exchange, person, tell):
    change = make_change(home, person, OWNERS, BOOKED)
    change.begin()
    exchange.control("POST", "/limits", {"latency_ms": 20})

    change.work_and_change(after=200)
    tell(change.told())
    change.assert_harmless()
