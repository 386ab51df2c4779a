"""A job of a service, as its client sees it."""

from collections.abc import Iterator
from typing import Any, Self

import httpx

from cotbuild.builder.client.connection import Connection
from cotbuild.builder.client.event_stream import StreamEvent, read_stream
from cotbuild.builder.client.records import receive, receive_event
from cotbuild.builder.client.remote_build import RemoteBuild
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import ServiceError
from cotbuild.schemas.event import Event
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.service.job import JobState, JobView, StopMode

WAIT_S = 30
"""Seconds that the service is asked to wait for a change, the most it does."""
_STATE_EVENTS = frozenset({"snapshot", "state"})


class RemoteJob:
    """A job of a service.

    `view` is its newest known state; `refresh` asks for the current one.
    """

    def __init__(self, connection: Connection, view: JobView) -> None:
        self._connection = connection
        self.view = view

    def __repr__(self) -> str:
        view = self.view
        return f"RemoteJob({view.id!r}, {view.kind.value} {view.target!r}, {view.state.value})"

    @property
    def id(self) -> str:
        """Its id."""
        return self.view.id

    @property
    def state(self) -> JobState:
        """Its state when it was last asked for."""
        return self.view.state

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing more happens unless somebody asks for it."""
        return self.state.is_final or self.state is JobState.PAUSED

    def refresh(self) -> JobView:
        """Ask for its state. Raises ServiceError."""
        return self._take(self._connection.request("GET", self._path()).json())

    def wait(self) -> Self:
        """Block until the job is over or paused, and return it.

        Raises ServiceError if it failed.
        """
        while not self.is_at_rest:
            reply = self._connection.request(
                "GET", self._path(), query={"wait": WAIT_S}
            )
            self._take(reply.json())
        if self.state is JobState.FAILED:
            reason = self.view.error or "no reason was recorded; see its log"
            raise ServiceError(f"job {self.id}: failed: {reason}")
        return self

    def events(self) -> Iterator[Event]:
        """Yield what the job reports, from its start, until it is over or paused.

        Raises ServiceError if the service cannot be reached for long.
        """
        for update in self.updates():
            if not isinstance(update, JobView):
                yield update

    def updates(self) -> Iterator[Event | JobView]:
        """Yield events, and the job itself whenever its state changed.

        A stream that breaks off is taken up where it was. Raises as `events` does.
        """
        last_id: str | None = None
        may_repeat = self._connection.wait_to_repeat()
        while True:
            try:
                for item in self._read_events(last_id):
                    may_repeat = self._connection.wait_to_repeat()
                    last_id = item.id or last_id
                    update = self._parse(item)
                    if update is not None:
                        yield update
                    if self.is_at_rest and item.name == "state":
                        return
            except httpx.TransportError as fault:
                if not may_repeat():
                    raise ServiceError(
                        f"{self._connection.url}: the events of job {self.id} broke off: "
                        f"{type(fault).__name__}. The job runs on; watch it again."
                    ) from fault
                continue
            # The stream ended: the job is over, or the service stopped.
            yield self.refresh()
            if self.is_at_rest:
                return
            if not may_repeat():
                raise ServiceError(
                    f"{self._connection.url}: the events of job {self.id} end too early. "
                    "The job runs on; watch it again."
                )

    def cancel(self, mode: str = "drain") -> JobView:
        """Cancel it: `drain` waits for requests in flight, `now` does not."""
        return self._act("cancel", {"mode": StopMode(mode).value})

    def pause(self, mode: str = "drain") -> JobView:
        """Stop it so that `resume` continues it."""
        return self._act("pause", {"mode": StopMode(mode).value})

    def resume(self, budget: Budget | None = None) -> JobView:
        """Continue a paused job, with another budget if one is passed."""
        body = {} if budget is None else {"budget": budget.model_dump(mode="json")}
        return self._act("resume", body)

    def retry(self, *, failed: bool = False) -> JobView:
        """Queue a job that is over again; `failed` also repeats rejected requests."""
        return self._act("retry", {"failed": failed})

    def delete(self) -> None:
        """Delete the record of a job that is over; what it made stays."""
        self._connection.request("DELETE", self._path(), expected=(404,), repeats=True)

    def logs(self, start: int = 0) -> str:
        """Return what its process printed, from a byte on. Raises ServiceError."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        reply = self._connection.request(
            "GET", self._path("/logs"), headers=headers, expected=(404, 416)
        )
        return (
            "" if reply.status in (404, 416) else reply.content.decode(errors="replace")
        )

    def failures(self) -> Iterator[dict[str, Any]]:
        """Yield the requests to the teacher that failed: request_key, code, message."""
        reply = self._connection.request("GET", self._path("/failures"))
        for line in reply.content.splitlines():
            if line.strip():
                yield _parse_line(line)

    def build(self) -> RemoteBuild:
        """Return the build that it writes."""
        return RemoteBuild(self._connection, self.view.target)

    def _read_events(self, last_id: str | None) -> Iterator[StreamEvent]:
        headers = {"Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        with self._connection.stream(self._path("/events"), headers=headers) as answer:
            yield from read_stream(answer.iter_bytes())

    def _parse(self, item: StreamEvent) -> Event | JobView | None:
        value = _parse_line(item.data.encode())
        if item.name in _STATE_EVENTS:
            return self._take(value)
        return receive_event(value)

    def _act(self, action: str, body: dict[str, Any]) -> JobView:
        path = self._path(f"/{action}")
        return self._take(self._connection.request("POST", path, json_body=body).json())

    def _take(self, value: Any) -> JobView:
        self.view = receive(JobView, value, f"job {self.view.id}")
        return self.view

    def _path(self, rest: str = "") -> str:
        return f"/v1/jobs/{self.view.id}{rest}"


def _parse_line(line: bytes) -> Any:
    try:
        return parse_record_json(line)
    except JsonFault as fault:
        raise ServiceError(
            f"an answer holds a line that is no JSON: {fault}. Check that the address is "
            "that of a cotbuild service."
        ) from fault
