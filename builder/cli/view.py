"""`cotbuild view`: builds, evaluations and studies in a browser."""

import os
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import examples
from cotbuild.builder.console import print_line, print_message
from cotbuild.schemas.errors import ConfigError

EXAMPLES = examples(
    "cotbuild view builds/mine",
    "cotbuild view builds studies/mine --port 8000 --no-browser",
    "cotbuild view builds/mine --static pages",
)
DEFAULT_ROWS = 200


def view(
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Folders of builds, training runs, evaluations and studies, or folders "
            "of such folders.",
            show_default=False,
        ),
    ],
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0 is any free one.")
    ] = 0,
    no_browser: Annotated[
        bool,
        typer.Option("--no-browser", help="Only print the address, open no browser."),
    ] = False,
    static: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write the pages as files that open offline, and start no server.",
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Rationales of each build in an offline copy ({DEFAULT_ROWS}).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show builds, evaluations and studies in a browser; nothing is changed.

    The address that is printed works once, for one browser. Ctrl-C ends the command, with
    exit code 0.
    """
    with errors():
        from cotbuild.builder.web.packages import serve_packages

        if static is None and rows is not None:
            raise ConfigError(
                "--rows is the size of an offline copy. Pass --static OUT with it."
            )
        with serve_packages():
            from cotbuild.builder.pages.viewer import open_catalog, run_viewer

            catalog = open_catalog(directories)
            if static is None:
                run_viewer(catalog, port, Announcer(opens_browser=not no_browser))
                return
            from cotbuild.builder.pages.static_copy import write_copy
            from cotbuild.builder.ui import pluralize

            num_pages = write_copy(catalog, static, rows or DEFAULT_ROWS)
        print_line(f"{static / 'index.html'}: {pluralize(num_pages, 'page')}")


class Announcer:
    """Prints the address of a server, and opens it in the user's browser."""

    def __init__(self, *, opens_browser: bool) -> None:
        self._opens_browser = opens_browser

    def __call__(self, url: str) -> None:
        print_line(url)
        print_message("Open it in a browser; it works once. Ctrl-C ends.")
        if self._opens_browser and has_display():
            # Some browsers return only when they are closed.
            threading.Thread(target=open_browser, args=(url,), daemon=True).start()


def has_display() -> bool:
    """Return whether a browser would open in a window, not in this terminal."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def open_browser(url: str) -> None:
    """Open an address in the user's browser; if that fails, the user has the address."""
    with suppress(webbrowser.Error, OSError):
        webbrowser.open(url)
