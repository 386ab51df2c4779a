"""The pages over folders of builds, served for a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cotbuild.builder.pages.site import Site
from cotbuild.builder.pages.viewer import VISITOR, create_viewer, open_catalog
from cotbuild.builder.view.database import Database
from cotbuild.builder.web.access import Access
from cotbuild.schemas.service.principal import Principal
from tests.support.waiting import HANG_S
from tests.support.web_servers import serving


@dataclass
class ServedSite:
    """A running `cotbuild view`."""

    url: str
    site: Site
    access: Access[Principal]

    @property
    def link(self) -> str:
        """The address that opens the page, once."""
        return f"{self.url}/?token={self.access.tokens.issue(VISITOR)}"

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Open a client with a session, which asks for pages as a browser does."""
        headers = {"accept": "text/html"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=HANG_S) as client:
            client.cookies.set(
                self.access.cookie, self.access.sessions.open(VISITOR), "127.0.0.1"
            )
            yield client


@contextmanager
def served_site(*folders: Path) -> Iterator[ServedSite]:
    """Serve the pages of `cotbuild view` over folders."""
    catalog = open_catalog(list(folders))
    access: Access[Principal] = Access("cotbuild_1")
    with Database(catalog.folders) as database:
        site = Site(catalog, database)
        with serving(create_viewer(site, access)) as server:
            yield ServedSite(server.url, site, access)
