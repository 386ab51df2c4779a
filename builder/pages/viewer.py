"""`cotbuild view`: the pages over folders of one user, at a loopback address."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from cotbuild.builder.pages.app import add_pages, page_responder
from cotbuild.builder.pages.site import Site
from cotbuild.builder.view.catalog import Catalog
from cotbuild.builder.view.database import Database
from cotbuild.builder.web.access import TOKEN_PARAMETER, Access, cookie_name
from cotbuild.builder.web.protect import protect_app
from cotbuild.builder.web.security import SecurityRules
from cotbuild.builder.web.server import bind, run_server, url_of
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.service.principal import LOCAL, Principal, Role

HOST: Final = "127.0.0.1"
VISITOR: Final = Principal(name=LOCAL, role=Role.VIEWER)


def open_catalog(folders: list[Path]) -> Catalog:
    """Return the catalogue of folders; raises DataError if one has nothing to show."""
    for folder in folders:
        if not Catalog([folder]).entries():
            raise DataError(
                f"{folder}: holds no build, training run, evaluation or study. Pass the "
                "folder of one, or a folder of such folders."
            )
    return Catalog(folders)


def create_viewer(site: Site, access: Access[Principal]) -> FastAPI:
    """Return the app of `cotbuild view`."""
    app = bare_app()
    add_pages(app, site)
    protect_app(app, SecurityRules(), access, page_responder())
    return app


def bare_app() -> FastAPI:
    """Return an app without routes: FastAPI's own pages load scripts from elsewhere."""
    return FastAPI(openapi_url=None, docs_url=None, redoc_url=None)


def run_viewer(catalog: Catalog, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the pages until SIGINT or SIGTERM.

    `on_ready` gets the address that opens them, once. Raises ConfigError if the port is
    taken or DuckDB is not installed.
    """
    with Database(catalog.folders) as database, bind(HOST, port) as sock:
        access: Access[Principal] = Access(cookie_name(_port_of(sock)))
        app = create_viewer(Site(catalog, database), access)

        def report() -> None:
            token = access.tokens.issue(VISITOR)
            on_ready(f"{url_of(sock)}/?{TOKEN_PARAMETER}={token}")

        run_server(app, sock, report)


def _port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port
