"""Who makes a request of the service, and what that allows."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cotbuild.schemas.record import Record

PRINCIPAL_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
PrincipalName = Annotated[
    str,
    Field(
        pattern=PRINCIPAL_NAME,
        description="Name of a token, which is the owner of what it submits.",
    ),
]
LOCAL = "local"
"""Name of who opened the one-time link that the program printed."""


class Role(StrEnum):
    """What a token allows."""

    VIEWER = "viewer"
    """Read everything, change nothing."""
    RUNNER = "runner"
    """Submit jobs; read and control its own jobs, and read what they made."""
    ADMIN = "admin"
    """Read and control everything, and manage tokens."""


class Principal(Record):
    """Who makes a request: a token, or the session of who started the program."""

    name: PrincipalName = Field(description="Name of the token.")
    role: Role = Field(description="What it allows.")

    @property
    def can_submit(self) -> bool:
        """Whether it may upload files, plan, preview and submit jobs."""
        return self.role in (Role.RUNNER, Role.ADMIN)

    @property
    def is_admin(self) -> bool:
        """Whether it may control what others own, and manage tokens."""
        return self.role is Role.ADMIN

    def can_read(self, owner: str | None) -> bool:
        """Whether it may read what `owner` made; None is a build of the command line."""
        return self.role is not Role.RUNNER or owner == self.name

    def can_control(self, owner: str) -> bool:
        """Whether it may stop, resume or delete a job of `owner`."""
        return self.is_admin or (self.role is Role.RUNNER and owner == self.name)
