"""Reading a password or another secret: from a terminal that does not show it, or from standard input."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from busytime.errors import ConfigurationError
from deployments.cli.output import messages

_LONGEST = 1024


def read_password(email: str, *, password_stdin: bool, what: str = "Password") -> str:
    """Ask for a secret of an account, or take the first line of standard input; only the line's end is cut off.

    Args:
        email: The account.
        password_stdin: Whether a program pipes it in.
        what: What it is called where it is asked for.

    Raises:
        ConfigurationError: There is none, or it is no text, or too long; nothing was tried with it.
    """
    # A process may be started without any standard input.
    if password_stdin and sys.stdin is not None:
        secret = _first_line(what)
    elif not password_stdin and has_terminal():
        with asking():
            secret = getpass.getpass(f"{what} of {email}: ")
    else:
        raise ConfigurationError(f"There is no terminal to ask for the {what.lower()} on: pipe it in, with --password-stdin.")
    return _checked(secret, what)


def has_terminal() -> bool:
    """Tell whether there is a person who can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def asking() -> Iterator[None]:
    """End the line of a question that nobody answers: Ctrl-C and Ctrl-D both end the command there."""
    try:
        yield
    except (KeyboardInterrupt, EOFError):
        messages().print()
        raise KeyboardInterrupt from None


def _first_line(what: str) -> str:
    try:
        return sys.stdin.readline(_LONGEST + 2).removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigurationError(_not_text(what)) from None


def _checked(secret: str, what: str) -> str:
    if not secret:
        raise ConfigurationError(f"The {what.lower()} is empty; nothing was tried.")
    try:
        secret.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(_not_text(what)) from None
    if len(secret) > _LONGEST:
        raise ConfigurationError(f"The {what.lower()} is longer than {_LONGEST} characters; nothing was tried.")
    return secret


def _not_text(what: str) -> str:
    return f"The {what.lower()} on standard input is not UTF-8 text; nothing was tried."
