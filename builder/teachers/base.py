"""The Teacher protocol, all that a run knows about what answers its requests."""

from typing import Any, NamedTuple, Protocol, Self

from cotbuild.schemas.completion import Answer, Request


class Servers(NamedTuple):
    """The servers of a teacher."""

    up: int
    """Those that answer at the moment."""
    total: int
    gpus: int = 0
    """GPUs of those that the teacher started; 0 where it started none."""


class Teacher(Protocol):
    """An async context manager that answers requests.

    A server, if it has one, starts on entering and is gone after exiting.

    `ask` may be called from up to `window` tasks at once and applies its own
    backpressure. It raises TeacherError only if the whole run cannot continue; the
    failure of one request is returned as a `Failure`.
    """

    @property
    def window(self) -> int:
        """The number of requests it wants in flight."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self, sample: Request) -> str | None:
        """Check the server before the first request is sent.

        `sample` is the longest request. Returns a warning, on one line, if it will not
        fit the server's context.

        Raises TeacherError if no request can succeed: the model is not served, or its
        weights are not those that the identity names.
        """

    async def ask(self, request: Request) -> Answer:
        """Return the request's completion or, after all retries, its failure."""

    def provenance(self) -> dict[str, Any]:
        """Return JSON facts: kind, URL, engine and its version, settings.

        They are known once the teacher has been entered, and go to the store and not
        into rows.
        """

    def servers(self) -> Servers | None:
        """Return how many servers there are and answer; None without any.

        Known once the teacher has been entered.
        """
