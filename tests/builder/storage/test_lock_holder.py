"""Whether a run holds a build, found out without touching its lock."""

import fcntl
import os
from pathlib import Path

import pytest

from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.lock_holder import find_held_inodes, is_store_held


def test_a_held_store_is_seen_and_stays_free_for_others(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path)
    assert not is_store_held(tmp_path, find_held_inodes())
    with store.lock():
        assert is_store_held(tmp_path, find_held_inodes())
    assert not is_store_held(tmp_path, find_held_inodes())
    with store.lock():  # nothing that looked holds it
        pass


def test_a_shared_lock_on_another_file_is_not_this_one(tmp_path: Path) -> None:
    with AnswerStore(tmp_path).lock():
        pass
    with (tmp_path / "other").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not is_store_held(tmp_path, find_held_inodes())


@pytest.mark.parametrize(
    ("text", "is_held"),
    [
        ("this process", True),
        ("", False),
        ("x", False),
        ("0", False),
        ("9" * 19, False),
    ],
)
def test_without_a_list_of_locks_the_process_decides(
    tmp_path: Path, text: str, is_held: bool
) -> None:
    (tmp_path / ".answers").mkdir()
    # In no id of a test, which each process of a run collects.
    content = str(os.getpid()) if is_held else text
    (tmp_path / ".answers" / "lock").write_text(content)
    assert is_store_held(tmp_path, None) is is_held


def test_a_link_in_place_of_the_lock_is_nothing(tmp_path: Path) -> None:
    (tmp_path / ".answers").mkdir()
    (tmp_path / ".answers" / "lock").symlink_to("/proc/self/status")
    assert not is_store_held(tmp_path, None)
