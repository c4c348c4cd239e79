"""The floor: `requests` and `lxml` alone. The same texts as the harvest reads, into tuples; nothing is stored."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import local

import requests
from lxml import etree

from tests.benchmarks.contender import IN_FLIGHT, Facts, count_busy, measure

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
ENVELOPE = """\
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{types}" xmlns:m="{messages}">
<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body><m:GetUserAvailabilityRequest>
<t:TimeZone><t:Bias>0</t:Bias>
<t:StandardTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month>
<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>
<t:DaylightTime><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month>
<t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>
<m:MailboxDataArray>{mailboxes}</m:MailboxDataArray>
<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>{start}</t:StartTime><t:EndTime>{end}</t:EndTime></t:TimeWindow>
<t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>FreeBusy</t:RequestedView>
</t:FreeBusyViewOptions></m:GetUserAvailabilityRequest></s:Body></s:Envelope>"""
MAILBOX = (
    "<t:MailboxData><t:Email><t:Address>{}</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType>"
    "<t:ExcludeConflicts>false</t:ExcludeConflicts></t:MailboxData>"
)
RESPONSE = f"{{{MESSAGES}}}FreeBusyResponse"
TEXTS = etree.XPath(
    "m:FreeBusyView/t:CalendarEventArray/t:CalendarEvent/*/text()",
    namespaces={"t": TYPES, "m": MESSAGES},
    smart_strings=False,
)

Texts = tuple[str, str, str]


class Session(local):
    def __init__(self, facts: Facts) -> None:
        self.http = requests.Session()
        self.http.trust_env = False  # else a bundle of authorities that the environment names replaces the given one
        self.http.auth = (facts.email, facts.password)
        self.http.verify = facts.ca_file
        self.http.headers["Content-Type"] = "text/xml; charset=utf-8"


def main() -> None:
    facts = Facts.read()
    session = Session(facts)
    start, end = (f"{instant:%Y-%m-%dT%H:%M:%S}" for instant in (facts.window_start, facts.window_end))

    def read(owners: tuple[str, ...]) -> list[list[Texts]]:
        mailboxes = "".join(map(MAILBOX.format, owners))
        envelope = ENVELOPE.format(types=TYPES, messages=MESSAGES, mailboxes=mailboxes, start=start, end=end)
        answer = session.http.post(facts.ews_url, data=envelope.encode(), timeout=60)
        answer.raise_for_status()
        found = []
        for response in etree.fromstring(answer.content).iter(RESPONSE):
            texts = TEXTS(response)
            found.append(list(zip(texts[0::3], texts[1::3], texts[2::3], strict=True)))
        return found

    def work() -> list[list[list[Texts]]]:
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return list(pool.map(read, facts.batches()))

    def count(batches: list[list[list[Texts]]]) -> int:
        every = (texts for batch in batches for calendar in batch for texts in calendar)
        return count_busy(((instant(begin), instant(finish), status) for begin, finish, status in every), facts)

    measure(len(facts.owners), work, count)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
