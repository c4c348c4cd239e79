"""A guard that lets everything pass and tells what passed."""

from contextlib import contextmanager


class CountingGuard:
    """Counts permits and remembers what left them.

    Args:
        each_logs_on: Whether each request of the core is a log-on, as under Basic; if not, those that are count apart.
    """

    def __init__(self, *, each_logs_on=True):
        self._each_logs_on = each_logs_on
        self.taken = 0
        self.held = 0
        self.left_by = []

    @contextmanager
    def permit(self, *, log_on=True):
        self.taken += log_on is self._each_logs_on
        self.held += 1
        try:
            yield
        except BaseException as error:
            self.left_by.append(type(error))
            raise
        finally:
            self.held -= 1
