"""Tokens of the API: what is kept of them, and what administrators see."""

from typing import Annotated

from pydantic import Field

from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.service.principal import Principal, PrincipalName, Role

VariableName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        description="Name of an environment variable of the service.",
    ),
]


class NewToken(Record):
    """A token to be made."""

    name: PrincipalName = Field(description="Its name, the owner of what it submits.")
    role: Role = Field(description="What it allows.")
    hub_token_env: VariableName | None = Field(
        default=None,
        description="Environment variable of the service that holds the Hub token with "
        "which its jobs publish; None: they cannot.",
    )


class TokenView(NewToken):
    """A token as administrators see it: never the token itself."""

    created_at: str = Field(description="Time in UTC, RFC 3339.")


class MadeToken(TokenView):
    """A token just made; the only time that it is shown."""

    token: str = Field(description="The token, for `Authorization: Bearer`.")


class TokenEntry(TokenView):
    """A token as it is kept."""

    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        repr=False,
        description="SHA-256 of the token. Its 32 random bytes cannot be guessed, so "
        "that a slow digest would protect nothing.",
    )

    @property
    def principal(self) -> Principal:
        """Who makes a request with this token."""
        return Principal(name=self.name, role=self.role)

    @property
    def view(self) -> TokenView:
        """The token without its digest."""
        return TokenView.model_validate(self.model_dump(exclude={"sha256"}))


class TokenFile(Record):
    """tokens.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    tokens: tuple[TokenEntry, ...] = Field(default=(), description="All, by name.")
