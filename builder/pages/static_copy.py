"""An offline copy of the pages: files that open without a server.

The copy is made by asking the app itself for each page, with other links. It is written
into a hidden folder beside the target and then takes its place as a whole.
"""

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from fastapi import FastAPI

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.pages.app import add_pages
from cotbuild.builder.pages.render import STATIC
from cotbuild.builder.pages.site import Site
from cotbuild.builder.pages.static_links import CopyPlan, StaticLinks
from cotbuild.builder.pages.viewer import bare_app
from cotbuild.builder.view.catalog import Catalog, CatalogEntry, EntryKind
from cotbuild.builder.view.database import Database
from cotbuild.builder.web.problems import ProblemResponder, install_problem_handlers
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError
from cotbuild.schemas.files import write_error

MARKER: Final = ".cotbuild-pages"
"""File in the folder of a copy: it is one, and the next copy may replace it."""
ROWS_PER_PAGE: Final = 50
COPY_POLICY: Final = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; "
    "img-src 'self' file: data:; form-action 'none'; base-uri 'none'"
)
_STATIC_FILES: Final = ("page.css", "page.js", "icon.svg")
"""Not htmx, which would read pages by fetch: browsers refuse that for files."""


def write_copy(
    catalog: Catalog,
    out: Path,
    num_rows: int,
    say: Callable[[int, int], None] | None = None,
) -> int:
    """Write the pages of a catalogue as files, and return their number.

    `num_rows` rationales of each build are in it, with their questions. `say` gets the
    number of pages written and of those known so far. Raises ConfigError if `out` is
    something else than an earlier copy, StoreError if it cannot be written.
    """
    check_target(out)
    plan = CopyPlan(
        max_pages=math.ceil(num_rows / ROWS_PER_PAGE),
        max_questions=num_rows,
        first_variants=dict(_first_variants(catalog)),
    )
    with Database(catalog.folders) as database, _replaced(out) as folder:
        site = Site(catalog, database, copy_policy=COPY_POLICY)
        app = bare_app()
        add_pages(app, site)
        install_problem_handlers(app, ProblemResponder())
        # Not `asyncio.run`: in a notebook an event loop runs already.
        run_async(_write_pages(app, site, plan, folder, say))
        (folder / "static").mkdir()
        for name in _STATIC_FILES:
            shutil.copyfile(STATIC / name, folder / "static" / name)
        (folder / MARKER).write_text("An offline copy of pages of cotbuild.\n")
    return len(plan.files)


def check_target(out: Path) -> None:
    """Raise ConfigError unless `out` is absent, empty or an earlier copy."""
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise ConfigError(f"{out}: is not a folder. Choose a new one.")
    if any(out.iterdir()) and not (out / MARKER).is_file():
        raise ConfigError(
            f"{out}: holds files and is no copy of pages, which would replace them. "
            "Choose a new or empty folder."
        )


async def _write_pages(
    app: FastAPI,
    site: Site,
    plan: CopyPlan,
    folder: Path,
    say: Callable[[int, int], None] | None,
) -> None:
    """Ask for every page of the plan, which grows while pages link to others."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://copy") as client:
        done: set[str] = set()
        while pending := [address for address in plan.files if address not in done]:
            for address in pending:
                file = plan.files[address]
                site.links = StaticLinks(plan, file)
                response = await client.get(address, headers={"accept": "text/html"})
                if response.status_code != 200:
                    raise DataError(f"{address}: {_fault_of(response)}")
                place = folder / file
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(response.content)
                done.add(address)
                if say is not None:
                    say(len(done), len(plan.files))


def _fault_of(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError):
        return f"could not be shown ({response.status_code})"


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `out` after the block; of a fault, nothing."""
    stage = out.parent / f".{out.name}.writing"
    old = out.parent / f".{out.name}.old"
    try:
        if old.is_dir() and not out.exists():  # killed between the two renames below
            old.rename(out)
        for leftover in (stage, old):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
        stage.mkdir(parents=True)
        try:
            yield stage
            if out.exists():
                out.rename(old)
            stage.rename(out)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        if isinstance(error, CotbuildError):
            raise
        raise write_error(out, error) from error


def _first_variants(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yield each build with variants and the first of them."""
    for entry in catalog.entries():
        if entry.kind is EntryKind.BUILD and entry.is_complete:
            names = _variant_names(catalog, entry)
            if names:
                yield entry.name, names[0]


def _variant_names(catalog: Catalog, entry: CatalogEntry) -> list[str]:
    variants = catalog.open_build(entry.name).manifest.variants
    return [] if variants is None else [one.name for one in variants.variants]
