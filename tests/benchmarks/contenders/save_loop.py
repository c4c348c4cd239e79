"""The script that one would write: `CalendarItem.save()` of exchangelib as a delegate, one item after the other.

It looks at nothing before, remembers nothing, and reads nothing back. A script that is killed and started again would
make every item a second time.
"""

from concurrent.futures import ThreadPoolExecutor

from exchangelib import CalendarItem, Configuration, EWSDateTime

from tests.benchmarks.contender import Facts, measure
from tests.benchmarks.contenders.exchangelib_account import configure, open_account
from tests.benchmarks.push_load import TITLE, slots


def main(in_flight: int = 1) -> None:
    facts = Facts.read()
    configuration = configure(facts)
    times = [tuple(map(EWSDateTime.from_datetime, slot)) for slot in slots(facts)]

    def work() -> int:
        with ThreadPoolExecutor(in_flight) as pool:
            return sum(pool.map(lambda owner: save_all(owner, configuration, times), facts.owners))

    measure(len(facts.owners), work, lambda count: count)


def save_all(owner: str, configuration: Configuration, times: list[tuple[EWSDateTime, ...]]) -> int:
    account = open_account(owner, configuration)
    folder = account.calendar
    for start, end in times:
        CalendarItem(account=account, folder=folder, subject=TITLE, start=start, end=end, reminder_is_set=False).save()
    return len(times)


if __name__ == "__main__":
    main()
