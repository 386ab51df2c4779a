"""What journals took: each answer once, whatever its text says, and the time between the
first line and the last.
"""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.storage.usage import (
    GPUS,
    NO_USAGE,
    STARTING_S,
    JournalUsage,
    UsageCounter,
    read_usage,
)
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind

counts = st.none() | st.integers(0, 1 << 40)
texts = st.text(max_size=30) | st.sampled_from(
    [', "prompt_tokens": 1, "completion_tokens": 2}\n', '"completion_tokens": 9}']
)
answers = st.builds(
    Completion,
    request_key=st.just("0" * 64),
    text=texts,
    reasoning=st.none() | texts,
    finish_reason=st.none(),
    prompt_tokens=counts,
    completion_tokens=counts,
    notes=st.just(()) | st.tuples(texts),
) | st.builds(
    Failure,
    request_key=st.just("0" * 64),
    kind=st.sampled_from(FailureKind),
    message=texts,
)


@given(st.lists(answers, max_size=6))
def test_every_answer_counts_with_its_own_tokens(
    tmp_path_factory: pytest.TempPathFactory, stored: list[Answer]
) -> None:
    path = tmp_path_factory.mktemp("usage") / "a.journal"
    with Journal(path, {}) as journal:
        for answer in stored:
            journal.append(answer)
        journal.finish()
    completions = [one for one in stored if isinstance(one, Completion)]
    usage = read_usage([path])
    assert usage._replace(seconds=0.0) == JournalUsage(
        requests=len(stored),
        failed=len(stored) - len(completions),
        prompt_tokens=sum(one.prompt_tokens or 0 for one in completions),
        completion_tokens=sum(one.completion_tokens or 0 for one in completions),
        unknown_tokens=sum(one.completion_tokens is None for one in completions),
    )
    assert usage.seconds >= 0


def line(status: str, at: float, body: str = "{}") -> bytes:
    rest = f"{status} {'0' * 64} {at:014.3f} {body}".encode()
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


@pytest.mark.parametrize(
    ("header", "gpu_seconds"),
    [
        ("{}", 0.0),
        (f'{{"{GPUS}": 2}}', 20.0),
        (f'{{"{GPUS}": 2, "{STARTING_S}": 5.5}}', 31.0),
        (f'{{"{GPUS}": "2", "{STARTING_S}": null}}', 0.0),
        (f'{{"{GPUS}": true}}', 0.0),
    ],
)
def test_a_run_takes_from_its_first_line_to_its_last(
    tmp_path: Path, header: str, gpu_seconds: float
) -> None:
    path = tmp_path / "a.journal"
    failure = '{"kind": "unavailable", "message": "gone"}'
    torn = line("F", 1_000_099.0, failure)[:-20]
    path.write_bytes(
        line("H", 1_000_000.0, header) + line("F", 1_000_010.0, failure) + torn
    )
    assert read_usage([path]) == JournalUsage(
        requests=1, failed=1, seconds=10.0, gpu_seconds=gpu_seconds
    )
    assert read_usage([path, path]).requests == 2


def test_a_clock_that_was_set_back_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(line("H", 1_000_000.0) + line("E", 999_000.0))
    assert read_usage([path]) == NO_USAGE


def test_answers_that_came_with_a_release_were_paid_by_somebody_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.journal"
    with Journal(path, {"teacher": {"kind": "release"}}) as journal:
        journal.append(
            Failure(request_key="0" * 64, kind=FailureKind.REJECTED, message="no")
        )
    assert read_usage([path]) == NO_USAGE


def test_counting_goes_on_where_a_journal_ended(tmp_path: Path) -> None:
    """Also behind a line that was half written, as another process may leave it."""
    counter = UsageCounter()
    first, second = tmp_path / "a.journal", tmp_path / "b.journal"
    whole = [line("H", 5.0, f'{{"{GPUS}": 2}}'), line("F", 7.0), line("F", 9.0)]
    first.write_bytes(whole[0] + whole[1][:50])
    assert counter.read([first]) == NO_USAGE
    first.write_bytes(b"".join(whole))
    second.write_bytes(line("H", 1.0))
    assert counter.read([first, second]) == read_usage([first, second])
    assert counter.read([first, second]).failed == 2
    assert counter.read([first, second]).gpu_seconds == 8.0
