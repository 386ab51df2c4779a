"""The stream of a job's events: server-sent events of the WHATWG HTML standard, 9.2."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cotbuild.schemas.errors import ServiceError

MAX_EVENT_BYTES = 4 << 20
"""Largest event that is read. A line of a log of events has some kilobytes."""


class StreamEvent(NamedTuple):
    """One event of a stream."""

    name: str
    data: str
    id: str | None
    """The newest id of the stream, from which a later one goes on."""


def read_stream(chunks: Iterable[bytes]) -> Iterator[StreamEvent]:
    """Yield the events in a stream of bytes; comments are left out.

    An event that the stream ends in is left out too. Raises ServiceError if one is
    larger than MAX_EVENT_BYTES.
    """
    name, data, last_id = "message", [""], None
    data.clear()
    for line in _read_lines(chunks):
        if not line:
            if data:
                yield StreamEvent(name, "\n".join(data), last_id)
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value


def _read_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield lines, each ended by CR, LF or both."""
    rest = b""
    ended_by_cr = False
    for chunk in chunks:
        if ended_by_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        ended_by_cr = chunk.endswith(b"\r") if chunk else ended_by_cr
        text = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        if len(rest) > MAX_EVENT_BYTES:
            raise ServiceError(
                f"an event has more than {MAX_EVENT_BYTES >> 20} MiB. Check that the "
                "address is that of a cotbuild service."
            )
        for line in lines:
            yield line.decode("utf-8", "replace")
