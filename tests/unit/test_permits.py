"""Permits within one process: leased for a few requests in a row, and handed on."""

import threading
import time

import pytest

from busytime import permits
from busytime.errors import BreakerOpenError
from busytime.permits import PermitLine


class Line:
    """A line in memory, of all processes."""

    def __init__(self, most=2):
        self.most = most
        self.numbers = []
        self.last = 0
        self.lock = threading.Lock()
        self.asked = 0

    def ask(self):
        with self.lock:
            self.asked += 1
            self.last += 1
            self.numbers.append(self.last)
            return self.last

    def granted(self, permit):
        with self.lock:
            return self.numbers.index(permit) < self.most if permit in self.numbers else None

    def give_back(self, numbers):
        with self.lock:
            self.numbers = [it for it in self.numbers if it not in numbers]


def nothing():
    pass


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_requests_in_a_row_stand_in_line_once():
    line = Line()
    mine = PermitLine(line, 2)
    for _ in range(20):
        with mine.place(nothing):
            assert len(line.numbers) == 1
    assert line.asked == 1


def test_what_is_idle_is_given_back_by_itself():
    line = Line()
    with PermitLine(line, 2).place(nothing):
        pass
    until(lambda: not line.numbers)


def test_a_lease_that_is_over_is_handed_on_while_work_goes_on(monkeypatch):
    monkeypatch.setattr(permits, "_LONGEST_LEASE_SECONDS", 0.2)
    line = Line(most=1)
    busy, other = PermitLine(line, 1), PermitLine(line, 1)
    done, order = threading.Event(), []

    def work():
        while not done.is_set():
            with busy.place(nothing):
                time.sleep(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with other.place(nothing):
            order.append("other")
    finally:
        done.set()
        thread.join()
    assert order == ["other"]


def test_never_more_at_once_than_the_line_allows():
    line, inside, most = Line(most=2), [], []
    processes = [PermitLine(line, 2) for _ in range(3)]

    def work(process):
        for _ in range(5):
            with process.place(nothing):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.002)
                inside.pop()

    threads = [threading.Thread(target=work, args=(process,)) for process in processes for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2


def test_who_waits_in_line_is_told_to_stop():
    line = Line(most=1)
    line.ask()
    calls = []

    def check():
        calls.append(1)
        if len(calls) > 2:
            raise BreakerOpenError("stopped")

    with pytest.raises(BreakerOpenError), PermitLine(line, 1).place(check):
        pytest.fail("nothing may be sent")
    assert line.numbers == [1]


def test_who_waits_for_a_thread_of_its_own_process_is_told_to_stop():
    mine = PermitLine(Line(most=1), 1)

    def check():
        raise BreakerOpenError("stopped")

    with mine.place(nothing), pytest.raises(BreakerOpenError), mine.place(check):
        pytest.fail("nothing may be sent")


def test_who_was_taken_for_dead_stands_in_line_again():
    line = Line(most=1)
    line.ask()
    swept = []

    def sweep_once(_seconds):
        if not swept:
            swept.append(1)
            line.numbers.clear()  # others took all of the line for dead

    with PermitLine(line, 1, sweep_once).place(nothing):
        assert len(line.numbers) == 1
    assert line.asked == 3


def test_closing_gives_everything_back():
    line = Line()
    mine = PermitLine(line, 2)
    with mine.place(nothing):
        pass
    mine.close()
    assert line.numbers == []
