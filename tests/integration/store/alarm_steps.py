"""The steps of a look for alarms, for tests of what the tables keep of it."""

from busytime.alarms import Alarm, news, settle


def claim(store, clock, *subjects, receiver=1, concerned=1):
    """Do the part of a look that is one transaction; return what is to be told."""
    now = clock.now()
    with store.write() as unit:
        unit.alarms.queue()
        standing = [Alarm(subject, "", concerned) for subject in subjects]
        unit.alarms.apply(settle(unit.alarms.current(now, receiver), standing), now)
        stored = unit.alarms.current(now, receiver)
        found = news(stored, unit.alarms.told(receiver, [it.id for it in stored]), now)
        unit.alarms.claim(receiver, found, now)
    return found


def tell(store, clock, *subjects, receiver=1, concerned=1):
    found = claim(store, clock, *subjects, receiver=receiver, concerned=concerned)
    with store.write() as unit:
        unit.alarms.note(receiver, found, clock.now())
    return [(it.alarm.subject, it.word) for it in found]
