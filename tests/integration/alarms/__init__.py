"""Alarms on their way: gathered from real tables, sent to real receivers on loopback."""
