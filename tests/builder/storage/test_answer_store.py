"""The store: the answer that counts, one run at a time, generations."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotbuild.builder.storage.answer_store import AnswerIndex, AnswerStore
from cotbuild.builder.storage.journal import (
    END,
    FINAL_FAILURE,
    REJECTION,
    Journal,
    encode_line,
)
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind
from cotbuild.schemas.errors import StoreError


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def answer(number: int, kind: str, text: str) -> Answer:
    if kind == "C":
        return Completion(request_key=key(number), text=text, finish_reason="stop")
    return Failure(request_key=key(number), kind=FailureKind(kind), message=text)


KINDS = ["C", "rejected", "unavailable"]
steps = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(KINDS)), max_size=8),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(runs=steps)
def test_the_first_completion_counts_or_else_the_last_failure(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[tuple[int, str]]]
) -> None:
    """Every second run is complete, so that only its rejections are final."""
    folder = tmp_path_factory.mktemp("journals")
    expected: dict[int, tuple[str, str, bool]] = {}
    paths = []
    for run, answers in enumerate(runs):
        paths.append(folder / f"{run}.journal")
        complete = run % 2 == 0
        with Journal(paths[-1], {}) as journal:
            for position, (number, kind) in enumerate(answers):
                text = f"run {run} position {position}"
                journal.append(answer(number, kind, text))
                if number not in expected or expected[number][0] != "C":
                    expected[number] = (kind, text, complete)
            if complete:
                journal.finish()
    index = AnswerIndex(paths)
    with index.open_reader() as reader:
        for number in range(6):
            place = index.find(bytes.fromhex(key(number)[:32]))
            if number not in expected:
                assert place is None
                continue
            assert place is not None
            found = reader.read(place)
            assert (
                found.text if isinstance(found, Completion) else found.message
            ) == expected[number][1]
            kind, _, complete = expected[number]
            assert index.is_failure(place) == (kind != "C")
            final = kind == "rejected" and complete
            assert index.is_retryable(place) == (kind != "C" and not final)


@pytest.mark.parametrize("status", [FINAL_FAILURE, REJECTION])
@pytest.mark.parametrize("end", ["complete", "torn", "none"])
def test_a_rejection_is_final_in_a_complete_journal_and_in_an_old_one(
    tmp_path: Path, status: int, end: str
) -> None:
    path = tmp_path / "a.journal"
    Journal(path, {}).close()
    line = encode_line(status, key(1), '{"kind": "rejected", "message": "no"}')
    end_line = encode_line(END, "0" * 64, "{}")
    tail = {"complete": end_line, "torn": end_line[:-3], "none": b""}[end]
    with path.open("ab") as file:
        file.write(line + tail)
    index = AnswerIndex([path])
    place = index.find(bytes.fromhex(key(1)[:32]))
    assert place is not None
    assert index.is_failure(place)
    final = status == FINAL_FAILURE or end == "complete"
    assert index.is_retryable(place) != final
    assert index.num_torn == (end == "torn")


def test_a_rejection_before_an_end_line_is_final_and_one_after_it_is_not(
    tmp_path: Path,
) -> None:
    """As in the journal of a worker, which ends one unit while others are under way."""
    path = tmp_path / "a.journal"
    with Journal(path, {}) as journal:
        for number in range(3):
            journal.append(answer(number, "rejected", "no"))
            journal.append(answer(10 + number, "C", "text"))
            if number < 2:
                journal.finish()
    index = AnswerIndex([path])
    places = [index.find(bytes.fromhex(key(number)[:32])) for number in range(3)]
    retryable = [index.is_retryable(place) for place in places if place is not None]
    assert retryable == [False, False, True]


@given(st.sets(st.binary(min_size=16, max_size=16), max_size=50))
def test_find_is_exact_for_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, keys: set[bytes]
) -> None:
    """numpy strips trailing NULs from bytes: keys that end in them must be found all
    the same.
    """
    keys |= {bytes(16), b"\xff" * 16, b"\x01" + bytes(15), bytes(15) + b"\x01"}
    path = tmp_path_factory.mktemp("j") / "a.journal"
    with Journal(path, {}) as journal:
        for one in keys:
            journal.append(
                Completion(request_key=one.hex() * 2, text="", finish_reason="stop")
            )
    index = AnswerIndex([path])
    assert all(index.find(one) is not None for one in keys)
    assert (
        index.find(b"\x02" + bytes(14) + b"\x03") is None
        or b"\x02" + bytes(14) + b"\x03" in keys
    )


def test_a_second_run_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from cotbuild.builder.storage.answer_store import AnswerStore\n"
        "with AnswerStore(pathlib.Path(sys.argv[1])).lock(): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(
                StoreError,
                match=rf"in use by another cotbuild process, pid {holder.pid}",
            ),
            AnswerStore(tmp_path).lock(),
        ):
            pass
        holder.kill()
    with AnswerStore(tmp_path).lock():  # a killed holder holds nothing
        pass


def test_a_fresh_generation_hides_the_old_one_until_clean_removes_it(
    tmp_path: Path,
) -> None:
    store = AnswerStore(tmp_path)
    with store.lock():
        with store.create_journal({}) as journal:
            journal.append(answer(1, "C", "old"))
        before = store.state_digest()
        store.start_generation()
        assert store.read_index().find(bytes.fromhex(key(1)[:32])) is None
        assert store.state_digest() != before
        assert store.delete_old_generations() == ["gen-0001"]
        assert [path.name for path in store.generations] == ["gen-0002"]


def test_the_state_changes_with_every_answer(tmp_path: Path) -> None:
    store, states = AnswerStore(tmp_path), []
    with store.lock(), store.create_journal({}) as journal:
        for number in range(3):
            states.append(store.state_digest())
            journal.append(answer(number, "C", ""))
    assert len({*states, store.state_digest()}) == 4


def test_an_out_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with (
        pytest.raises(StoreError, match="could not be written"),
        AnswerStore(tmp_path / "x").lock(),
    ):
        pass


def test_a_folder_that_appears_while_it_is_listed_is_no_fault(tmp_path: Path) -> None:
    """A page reads the store of a build that another process is just beginning."""
    store = AnswerStore(tmp_path)
    code = (
        "import os, sys\n"
        "while os.getppid() != 1:\n"
        "    os.mkdir(sys.argv[1])\n"
        "    os.rmdir(sys.argv[1])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(store.root)]) as process:
        try:
            found = [store.journals for _ in range(20_000)]
        finally:
            process.kill()
    assert not any(found)
