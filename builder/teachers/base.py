"""The Teacher protocol: what `run.py` knows about whoever answers."""

from typing import Any, Protocol, Self

from cotbuild.schemas.completion import Answer, Request


class Teacher(Protocol):
    """Answers requests. An async context manager: a server starts on enter and is gone
    after exit.

    `ask` may be called from up to `window` tasks at once and applies its own
    back-pressure inside; it never raises for one request's misfortune (that is a
    `Failure`), only TeacherError where the whole run cannot go on.
    """

    @property
    def window(self) -> int:
        """How many requests it wants in flight."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self, sample: Request) -> str | None:
        """Look at the server before the first request.

        Raises TeacherError where no request can succeed: model not served, weights
        other than the identity says. Returns one line to show the user where `sample`,
        the longest request, will not fit; None where all is well.
        """

    async def ask(self, request: Request) -> Answer:
        """The completion or, after all retries, the failure of one request."""

    def provenance(self) -> dict[str, Any]:
        """JSON facts known once entered: kind, url, engine and its version, settings.

        For the store, not for rows.
        """
