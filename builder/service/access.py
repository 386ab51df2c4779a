"""Who makes a request: a token, or a session that a token or the printed address opened.

A session of a token ends when the token is removed: the file of tokens is looked at
before a session counts.
"""

from dataclasses import dataclass

from starlette.datastructures import Headers

from cotbuild.builder.service.tokens import TokenStore
from cotbuild.builder.web.access import Access, cookie_name
from cotbuild.schemas.service.principal import LOCAL, Principal, Role

PUBLIC: tuple[str, ...] = ("/static/", "/login", "/healthz", "/readyz")
"""What anyone may open."""


@dataclass
class ServiceAccess(Access[Principal]):
    """Tells requests apart by tokens and by sessions of tokens."""

    store: TokenStore | None = None

    def identify(self, headers: Headers) -> Principal | None:
        """Return who makes a request; a token in `Authorization` goes first."""
        if self.store is not None:
            self.store.entries()  # ends sessions whose token is gone
        return super().identify(headers)


def open_access(tokens: TokenStore, port: int, *, is_secure: bool) -> ServiceAccess:
    """Return what tells the requests to the server at a port apart."""
    access = ServiceAccess(
        cookie=cookie_name(port),
        bearer=tokens.find,
        public=PUBLIC,
        is_secure=is_secure,
        store=tokens,
    )

    def end_sessions(name: str) -> None:
        access.sessions.close_where(lambda principal: principal.name == name)

    tokens.on_removed = end_sessions
    return access


def issue_first_token(access: ServiceAccess) -> str:
    """Return a one-time token for who started the program, who may do everything."""
    return access.tokens.issue(Principal(name=LOCAL, role=Role.ADMIN))
