"""Server-sent events in pieces of any size."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.client.event_stream import (
    MAX_EVENT_BYTES,
    StreamEvent,
    read_stream,
)
from cotbuild.schemas.errors import ServiceError

TEXT = (
    ": hello\n\nevent: state\nid: 7\ndata: {\"a\":\ndata: 1}\n\n"
    "data: ä\r\n\r\nretry: 5\rid: 8\revent: x\rdata:no space\r\revent: lost\ndata: end"
)  # fmt: skip
EVENTS = [
    StreamEvent("state", '{"a":\n1}', "7"),
    StreamEvent("message", "ä", "7"),
    StreamEvent("x", "no space", "8"),
]


def test_a_stream_is_read() -> None:
    assert list(read_stream([TEXT.encode()])) == EVENTS


@given(cuts=st.lists(st.integers(0, len(TEXT.encode()))))
def test_where_it_is_cut_changes_nothing(cuts: list[int]) -> None:
    data = TEXT.encode()
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert list(read_stream(pieces)) == EVENTS


def test_an_endless_event_is_refused() -> None:
    block = b"x" * (1 << 20)
    with pytest.raises(ServiceError, match="more than 4 MiB"):
        list(read_stream(block for _ in range(2 * MAX_EVENT_BYTES >> 20)))
