"""Run a service: what is refused before it starts, and how it shows its address."""

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pydantic import Field

from cotbuild.builder.service.access import issue_first_token
from cotbuild.builder.service.app import create_app, open_service
from cotbuild.builder.service.folders import (
    job_table_url,
    make_service_folders,
    write_private_text,
)
from cotbuild.builder.service.jobs.open import open_job_store
from cotbuild.builder.service.runner import LocalRunner
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.service.tokens import TokenStore
from cotbuild.builder.visible import shell_quote
from cotbuild.builder.web.access import TOKEN_PARAMETER
from cotbuild.builder.web.server import bind, run_server, url_of
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.record import FORMAT_VERSION, Record

SERVER_FILE: Final = "server.json"


class RunningServer(Record):
    """server.json: the server that holds a root."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    url: str = Field(description="Its address, without any token.")
    pid: int = Field(ge=1, description="Its process id.")
    host: str = Field(description="Host name of its machine.")


def run_service(settings: ServiceSettings, say_url: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; jobs that run go on after that.

    `say_url` receives the address once requests are answered. Raises ConfigError if the
    settings are refused, the port is taken or another server holds the root.
    """
    make_service_folders(settings)
    check_reach(settings)
    tokens = TokenStore(settings.tokens_file)
    settings = replace(settings, hub_tokens=tokens.hub_variables)
    with contextlib.ExitStack() as opened:
        store = open_job_store(job_table_url(settings))
        opened.callback(store.close)
        runner = LocalRunner(settings, store)
        runner.open()
        sock = bind(settings.host, settings.port)
        opened.callback(sock.close)
        service = open_service(settings, runner, store, sock.getsockname()[1])
        app = create_app(service)
        url = url_of(sock)
        _write_server_file(settings, url)
        opened.callback((settings.folder / SERVER_FILE).unlink, missing_ok=True)

        def announce() -> None:
            # Behind a proxy of another machine, whoever reads the terminal of the
            # service has a token of their own.
            first = f"/?{TOKEN_PARAMETER}={issue_first_token(service.access)}"
            say_url(f"{url}{first}" if settings.is_loopback else url)

        run_server(app, sock, announce)


def check_reach(settings: ServiceSettings) -> None:
    """Raise ConfigError if other machines could connect without tokens, or in the clear.

    Tokens would pass the network readably: TLS is for a proxy in front.
    """
    if settings.is_loopback:
        return
    where = f"--bind {settings.host}:{settings.port} can be reached from other machines"
    if not TokenStore(settings.tokens_file).entries():
        raise ConfigError(
            f"{where}, and there are no tokens. Make one with `cotbuild serve token add "
            f"NAME --role admin --root {shell_quote(settings.root)}`, or listen at "
            "127.0.0.1."
        )
    if not settings.behind_proxy:
        raise ConfigError(
            f"{where}, and tokens would pass the network in the clear. Put a proxy that "
            "speaks HTTPS in front and pass --behind-proxy, or listen at 127.0.0.1."
        )


def _write_server_file(settings: ServiceSettings, url: str) -> None:
    running = RunningServer(url=url, pid=os.getpid(), host=socket.gethostname())
    text = running.model_dump_json(indent=2) + "\n"
    write_private_text(settings.folder / SERVER_FILE, text)
