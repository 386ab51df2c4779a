"""The root of a service: one supervisor, and one table of jobs, for each."""

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cotbuild.builder.service.jobs.store import JobStore
from cotbuild.schemas.errors import CotbuildError, StoreError
from cotbuild.schemas.files import file_lock, write_error, write_text_atomic

ROOT_ID = "root-id"
"""File beside the lock, the same for all servers of a shared root."""


@contextmanager
def hold_lock(lock: Path) -> Iterator[None]:
    """Hold the lock of a supervisor. Raises StoreError in one line."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with file_lock(lock, wait=False) as is_ours:
            if not is_ours:
                raise StoreError(
                    f"{lock.parent.parent}: another `cotbuild serve` runs on this root. "
                    "Stop it, or pass another --root."
                )
            yield
    except OSError as fault:
        if isinstance(fault, CotbuildError):
            raise
        raise write_error(lock, fault) from fault


def check_root(store: JobStore, path: Path) -> None:
    """Raise StoreError unless the jobs of a table are those of this root.

    `path` is the file that holds the id of the root; it is written where it is missing.
    """
    try:
        if not path.exists():
            _create_once(path, secrets.token_hex(8))
        root_id = path.read_text()
    except OSError as fault:
        raise write_error(path, fault) from fault
    bound = store.bind_root(root_id)
    if bound != root_id:
        raise StoreError(
            f"{path.parent.parent}: the table of jobs is that of another root. Pass that "
            f"--root, or another --db; where this root is the same one, write {bound} "
            f"into {path}."
        )


def _create_once(path: Path, text: str) -> None:
    """Create a file with all of its text, unless another server does so first."""
    whole = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_text_atomic(whole, text)
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(whole)
    finally:
        whole.unlink()
