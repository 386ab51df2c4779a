"""Who holds a folder."""

import os
from pathlib import Path

import pytest

from cotbuild.builder.evaluation.models import lock_run_folder
from cotbuild.builder.service.jobs.holders import find_holder
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.schemas.errors import StoreError


def test_nobody_holds_a_folder_that_is_missing_or_free(tmp_path: Path) -> None:
    assert find_holder(tmp_path / "missing") is None
    assert find_holder(tmp_path) is None
    with AnswerStore(tmp_path).lock():
        pass
    assert find_holder(tmp_path) is None


def test_a_process_that_holds_a_build_is_named(tmp_path: Path) -> None:
    with AnswerStore(tmp_path).lock():
        assert find_holder(tmp_path) == f"pid {os.getpid()}"
        # Looking does not disturb it, and it is still held.
        with pytest.raises(StoreError, match="in use"), AnswerStore(tmp_path).lock():
            pass


def test_a_run_that_is_trained_is_held(tmp_path: Path) -> None:
    with lock_run_folder(tmp_path):
        assert find_holder(tmp_path) == "another process"
    assert find_holder(tmp_path) is None


def test_a_lock_that_is_a_link_or_a_pipe_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    assert find_holder(tmp_path) is None
    (tmp_path / ".lock").unlink()
    os.mkfifo(tmp_path / ".lock")
    assert find_holder(tmp_path) is None
