"""One calendar view of each mailbox with exchangelib, as a delegate; nothing is stored."""

from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks.contender import IN_FLIGHT, Facts, count_busy, measure
from tests.benchmarks.contenders.exchangelib_account import configure, open_account, window

FIELDS = ("start", "end", "legacy_free_busy_status", "is_cancelled")
Item = tuple[object, object, str]


def main() -> None:
    facts = Facts.read()
    configuration = configure(facts)
    start, end = window(facts)

    def read(owner: str) -> list[Item]:
        view = open_account(owner, configuration).calendar.view(start=start, end=end).only(*FIELDS)
        return [(item.start, item.end, item.legacy_free_busy_status) for item in view if not item.is_cancelled]

    def work() -> list[list[Item]]:
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return list(pool.map(read, facts.owners))

    measure(len(facts.owners), work, lambda calendars: count_busy((item for calendar in calendars for item in calendar), facts))


if __name__ == "__main__":
    main()
