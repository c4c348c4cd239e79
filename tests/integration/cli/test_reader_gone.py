"""Whoever reads a command's output may stop reading, as `head` does: no message, no traceback, exit status 0."""

from __future__ import annotations

import os

import pytest

from tests.flows.harness import finished

FREE = ("free", "--page", "talk", "--from", "2026-12-01", "--to", "2026-12-02", "--duration", "30m")
LISTINGS = [("status",), ("roster", "list"), ("bookings", "list"), FREE]


def as_json(command):
    return pytest.param((*command, "--json"), marks=pytest.mark.long)


@pytest.fixture(scope="module")
def pages():
    return ["  - name: talk", "    time_zone: Europe/Berlin", "    main: ana@corp.example"]


@pytest.mark.parametrize("command", [*LISTINGS, *map(as_json, LISTINGS), ("--help",), ()], ids=" ".join)
def test_listing_for_a_reader_who_has_seen_enough_is_done(home, pages, command):
    home.take_roster("ana@corp.example", pages=pages).ended(0)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = home.start(*command, stdout=writer)
    finally:
        os.close(writer)
    result = finished(process)
    assert (result.status, result.err) == (0, "")


def test_error_that_nobody_reads_keeps_its_status(home):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = home.start("push", "--nothing-like-it", stdout=writer, stderr=writer)
    finally:
        os.close(writer)
    assert finished(process).status == 2
