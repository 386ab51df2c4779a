"""What can go wrong when something is shown, beside the errors of `schemas.errors`."""

from cotbuild.schemas.errors import CotbuildError, DataError


class NotFoundError(DataError):
    """There is no such build, question or file, or not for this visitor."""


class QueryStopped(CotbuildError, TimeoutError):
    """A query took longer than it may, and was stopped.

    Pages and the API show the message in place of what it would have found.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"stopped after {seconds:g} s")
        self.seconds = seconds
