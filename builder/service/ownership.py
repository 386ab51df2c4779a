"""Whose a build, run, evaluation or study is: one small file for each name.

ROOT/.service/targets/NAME.json     {"owner": "alice", "claimed_at": …}

A name that no job claimed belongs to the command line: administrators and viewers see
it, and no runner may write it. A claim outlives the jobs, since these can be deleted.
"""

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from cotbuild.builder.service.folders import make_private_folder
from cotbuild.builder.web.problems import ProblemError, not_found
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import read_record, write_error
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.service.principal import Principal, PrincipalName


class Claim(Record):
    """Who made what is in a folder."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    owner: PrincipalName = Field(description="Name of the token.")
    claimed_at: str = Field(description="Time in UTC, RFC 3339.")


class TargetOwners:
    """The owners of the folders under a root. It may be used from several threads."""

    def __init__(self, root: Path, service_folder: Path) -> None:
        self._root = root
        self._folder = service_folder / "targets"
        make_private_folder(self._folder)

    def owner(self, name: str) -> str | None:
        """Return the owner of a name; None if it belongs to nobody. Raises StoreError."""
        claim = read_record(
            self._folder / f"{name}.json",
            Claim,
            remedy="Delete the file; administrators still see the folder.",
            error=StoreError,
        )
        return None if claim is None else claim.owner

    def may_read(self, principal: Principal, name: str) -> bool:
        """Return whether someone may read what a name stands for."""
        return principal.can_read(None) or principal.can_read(self.owner(name))

    def check_read(self, principal: Principal, name: str) -> None:
        """Raise ProblemError 404 unless someone may read what a name stands for.

        Nothing tells whether there is something of that name.
        """
        if not self.may_read(principal, name):
            raise not_found(f"{name!r}")

    def claim(self, principal: Principal, name: str) -> None:
        """Make a name that of a job's owner; raises ProblemError if it is another's.

        A folder that is there without an owner was made by the command line: only an
        administrator may write it.
        """
        if self.owner(name) is None and not os.path.lexists(self._root / name):
            self._write_claim(principal.name, name)
        self.check_claim(principal, name)

    def check_claim(self, principal: Principal, name: str) -> None:
        """Raise as `claim` does, without making the name anybody's."""
        owner = self.owner(name)
        is_free = owner is None and not os.path.lexists(self._root / name)
        if owner != principal.name and not principal.is_admin and not is_free:
            raise ProblemError(
                409,
                "name_taken",
                f"The name {name!r} is taken under the root of this service.",
                "Choose another name.",
            )

    def _write_claim(self, owner: str, name: str) -> None:
        """Record the owner of a name unless there is one."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        text = Claim(owner=owner, claimed_at=now).model_dump_json() + "\n"
        path = self._folder / f"{name}.json"
        temporary = path.with_name(f".{name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)  # unlike a rename, it never replaces
            finally:
                temporary.unlink()
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise write_error(path, error) from error
