"""The adapter for Exchange Web Services: the only code that knows EWS or imports exchangelib.

Nothing of exchangelib leaves this package: no class, no exception, no name.
"""

from busytime.ews.finding_server import EWSServerFinder
from busytime.ews.gateway import EWSCalendarGateway

__all__ = ["EWSCalendarGateway", "EWSServerFinder"]
