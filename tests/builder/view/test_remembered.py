"""What is kept is bounded, by number and by bytes."""

import numpy as np

from cotbuild.builder.view.remembered import Remembered


def test_what_was_used_last_stays() -> None:
    remembered = Remembered(2)
    for key in ("a", "b"):
        remembered.put(key, key)
    assert remembered.get("a") == "a"
    remembered.put("c", "c")
    assert remembered.get("b") is None
    assert remembered.get("a") == "a"


def test_a_result_is_computed_once_and_an_error_is_not_kept() -> None:
    remembered = Remembered()
    calls: list[int] = []

    def compute() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        return 7

    for expected in (None, 7, 7):
        try:
            assert remembered.find("key", compute) == expected
        except ValueError:
            assert expected is None
    assert len(calls) == 2


def test_arrays_are_bounded_by_their_bytes() -> None:
    remembered = Remembered(max_bytes=1_000)
    for key in range(10):
        remembered.put(key, np.zeros(300, np.uint8))
    kept = [key for key in range(10) if remembered.get(key) is not None]
    assert kept == [7, 8, 9]
    remembered.put("large", np.zeros(5_000, np.uint8))
    assert remembered.get("large") is not None
    assert remembered.get(9) is None
