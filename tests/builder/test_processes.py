"""The same work in several processes: in order, with errors at their place, none left."""

import math
import operator
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from functools import partial
from itertools import count, islice
from typing import Any

import pytest

from cotbuild.builder import processes
from cotbuild.builder.processes import (
    PROCESSES,
    choose_num_processes,
    map_in_order,
)
from cotbuild.schemas.errors import ConfigError, DataError, StoreError
from cotbuild.schemas.record import Record
from tests.support.waiting import wait_until


def mapped(work: Callable[..., Any], items: Iterator[Any], number: int) -> Any:
    """`work` on each item; what children are to call has to be importable there."""
    return map_in_order(nullcontext, work, items, number)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(number: int) -> None:
    with closing(mapped(math.factorial, iter(range(40)), number)) as found:
        assert list(found) == [math.factorial(n) for n in range(40)]


def test_work_is_done_in_as_many_other_processes() -> None:
    getpid = partial(
        eval, "(__import__('time').sleep(0.05), __import__('os').getpid())[1]"
    )
    with closing(mapped(getpid, ({} for _ in range(20)), 2)) as found:
        pids = set(found)
    assert len(pids) == 2
    assert os.getpid() not in pids
    wait_until(lambda: not any(map(is_running, pids)))


def test_children_rarely_look_for_garbage() -> None:
    threshold = partial(eval, "__import__('gc').get_threshold()[0]")
    with closing(mapped(threshold, iter([{}]), 2)) as found:
        assert list(found) == [processes.YOUNG_OBJECTS]


def test_items_are_read_no_further_than_a_few_ahead() -> None:
    read = count()
    items = (next(read) for _ in range(1_000))
    with closing(mapped(operator.neg, items, 2)) as found:
        assert list(islice(found, 10)) == [-n for n in range(10)]
        assert next(read) < 20


def test_an_iterator_that_is_closed_ends_its_processes() -> None:
    getpid = partial(eval, "__import__('os').getpid()")
    found = mapped(getpid, ({} for _ in count()), 2)
    pids = set(islice(found, 8))
    found.close()
    assert not any(map(is_running, pids))


@pytest.mark.parametrize("number", [1, 2])
def test_an_error_is_raised_at_the_place_of_its_item(number: int) -> None:
    parse = partial(Record.parse, where="row")
    found = mapped(parse, iter([{}, {}, {"more": 1}, {}]), number)
    with closing(found):
        assert [next(found), next(found)] == [Record(), Record()]
        with pytest.raises(DataError, match="row: there is no field 'more'"):
            next(found)


def test_a_bug_in_a_child_shows_where_it_is() -> None:
    found = mapped(math.sqrt, iter(["two"]), 2)
    with (
        closing(found),
        pytest.raises(RuntimeError, match=r"(?s)in a child.*TypeError"),
    ):
        next(found)


def test_a_killed_child_ends_the_work_with_one_line() -> None:
    found = mapped(signal.raise_signal, iter([signal.SIGKILL] * 3), 2)
    with closing(found), pytest.raises(StoreError, match="killed by SIGKILL") as fault:
        next(found)
    assert "\n" not in str(fault.value)
    assert f"with {PROCESSES}=1" in str(fault.value)


@pytest.mark.parametrize(
    ("num_items", "cores", "expected"),
    [(10, 64, 1), (7_999, 64, 1), (8_000, 64, 2), (8_000, 1, 1), (10**8, 64, 16)],
)
def test_few_rows_are_derived_in_one_process(
    num_items: int, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PROCESSES, raising=False)
    monkeypatch.setattr(processes, "usable_cores", lambda: cores)
    assert choose_num_processes(num_items) == expected


@pytest.mark.parametrize("value", ["0", "-1", "two", "", "1.5", "99999"])
def test_a_number_of_processes_that_is_none_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, value)
    with pytest.raises(ConfigError, match=f"{PROCESSES}='{value}'"):
        choose_num_processes(10)


def test_a_stated_number_of_processes_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROCESSES, "3")
    assert choose_num_processes(1) == 3
