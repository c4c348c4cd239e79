"""The person at the terminal, as guidance sees it: lines on standard error, answers from standard input."""

from rich.markup import escape

from busytime.errors import ConfigurationError
from deployments.cli.output import messages
from deployments.cli.passwords import asking, has_terminal, read_password


class TerminalPerson:
    """Whoever runs the command; nobody, where a program does."""

    def __init__(self, email: str, *, password_stdin: bool) -> None:
        """Take what is asked about.

        Args:
            email: The account.
            password_stdin: Whether a program pipes the password in.
        """
        self._email = email
        self._password_stdin = password_stdin

    @property
    def present(self) -> bool:
        """Whether anybody can be asked."""
        return not self._password_stdin and has_terminal()

    def say(self, text: str) -> None:
        """Tell something."""
        messages().print(escape(text), soft_wrap=True)

    def ask(self, question: str) -> str:
        """Ask for a line.

        Raises:
            ConfigurationError: It is no text.
        """
        return _line(f"{question}: ")

    def confirm(self, question: str) -> bool:
        """Ask for a yes or a no."""
        return confirmed(question)

    def secret(self, what: str) -> str:
        """Ask for a password without showing it, or read it from standard input."""
        return read_password(self._email, password_stdin=self._password_stdin, what=what)


def confirmed(question: str) -> bool:
    """Ask for a yes or a no on the terminal; anything but a yes means no."""
    return _line(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _line(prompt: str) -> str:
    with asking():
        messages().print(escape(prompt), end="", soft_wrap=True)
        try:
            line = input()
            line.encode()
        except UnicodeError:
            raise ConfigurationError("The answer is not UTF-8 text; nothing was tried with it.") from None
    if not line.isprintable():
        raise ConfigurationError("The answer holds control characters; nothing was tried with it.")
    return line
