"""The core of busytime: what the product knows about calendars, rights and busy time.

It holds values, rules and adapters. It must not know Prefect, the environment or any global state.
"""

__version__ = "0.1.0"
