"""What a page needs of its server: where data come from, and who may see what."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from fastapi import Depends
from starlette.requests import Request

from cotbuild.builder.pages.jobs_source import JobsSource
from cotbuild.builder.pages.links import Links, ServerLinks
from cotbuild.builder.view.catalog import Catalog, CatalogEntry, EntryKind
from cotbuild.builder.view.database import Database
from cotbuild.builder.web.access import Access
from cotbuild.builder.web.problems import not_found
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.service.principal import Principal


class MenuItem(NamedTuple):
    """An entry of the menu at the top."""

    text: str
    href: str
    is_current: bool


def see_all(principal: Principal | None, name: str) -> bool:  # noqa: ARG001
    """Let everyone who may open the page see every build."""
    return True


@dataclass
class Site:
    """The data behind the pages of one server; `app.state.site`."""

    catalog: Catalog
    database: Database
    links: Links = field(default_factory=ServerLinks)
    may_see: Callable[[Principal | None, str], bool] = see_all
    """Whether someone may see the build of a name. One who may not sees none there."""
    jobs: JobsSource | None = None
    """The jobs of a service; None for `cotbuild view`."""
    access: Access[Principal] | None = None
    """The sessions that the page of logging in opens; None where there is none."""
    copy_policy: str | None = None
    """The Content-Security-Policy of an offline copy; None on a server."""

    def find(self, request: Request, name: str, kind: EntryKind) -> CatalogEntry:
        """Return what has a name; raises ProblemError (404) if the visitor may not."""
        if not self.may_see(visitor_of(request), name):
            raise not_found(f"{kind.value} {short_repr(name)}")
        return self.catalog.find(name, kind)

    def entries(self, request: Request) -> list[CatalogEntry]:
        """Return everything that the visitor may see, by name."""
        visitor = visitor_of(request)
        entries = self.catalog.entries()
        return [entry for entry in entries if self.may_see(visitor, entry.name)]


def visitor_of(request: Request) -> Principal | None:
    """Return who makes a request; None where anybody may."""
    principal = getattr(request.state, "principal", None)
    return principal if isinstance(principal, Principal) else None


def site_of(request: Request) -> Site:
    """Return the data behind the pages of the server that got a request."""
    site = request.app.state.site
    assert isinstance(site, Site)
    return site


SiteOf = Annotated[Site, Depends(site_of)]
