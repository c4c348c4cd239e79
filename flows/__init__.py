"""Flows: order, fan-out and final state; no decision about calendars."""
