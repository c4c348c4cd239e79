"""The only code that knows EWS or imports exchangelib."""
