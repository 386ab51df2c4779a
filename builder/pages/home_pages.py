"""The list of builds, training runs, evaluations and studies."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.pages.links import Links
from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import SiteOf
from cotbuild.builder.view.catalog import CatalogEntry, EntryKind
from cotbuild.schemas.rationale import Verdict

router = APIRouter(include_in_schema=False)

MAX_ROWS = 500
"""Most entries on the page; the field above finds the others."""
MAX_FIND_CHARS = 100
_HEADINGS = {
    EntryKind.BUILD: ("Builds", "rationales"),
    EntryKind.EVALUATION: ("Evaluations", "questions"),
    EntryKind.STUDY: ("Studies", "cells"),
    EntryKind.RUN: ("Training runs", "rows"),
}


class Row(NamedTuple):
    """An entry with what the page shows of it."""

    entry: CatalogEntry
    href: str | None
    verdicts: list[tuple[str, int]]
    """Verdicts with their counts, in the order in which pages list them."""
    correct: float | None
    """Share of the correct ones among those that are either correct or not."""


class Section(NamedTuple):
    """The entries of one kind."""

    title: str
    unit: str
    kind: EntryKind
    rows: list[Row]


@router.get("/")
def show_home(request: Request, site: SiteOf, find: str = "") -> Response:
    """Show everything that the visitor may see, or what contains `find`."""
    find = find[:MAX_FIND_CHARS].strip()
    entries = site.entries(request)
    found = [entry for entry in entries if _contains(entry, find)]
    return render(
        request,
        "home.html.jinja",
        sections=list(_sections(found[:MAX_ROWS], site.links)),
        counts=Counter(entry.kind.value for entry in entries),
        find=find,
        num_found=len(found),
        num_more=max(0, len(found) - MAX_ROWS),
        is_live=any(entry.is_live for entry in found),
    )


def _contains(entry: CatalogEntry, find: str) -> bool:
    text = f"{entry.name} {entry.title} {entry.about}".casefold()
    return find.casefold() in text


def _sections(entries: Iterable[CatalogEntry], links: Links) -> Iterable[Section]:
    """Yield the kinds that there are, each with its entries, the newest first."""
    newest_first = sorted(entries, key=lambda entry: entry.changed_at, reverse=True)
    live_first = sorted(newest_first, key=lambda entry: not entry.is_live)
    for kind, (title, unit) in _HEADINGS.items():
        rows = [_row(entry, links) for entry in live_first if entry.kind is kind]
        if rows:
            yield Section(title, unit, kind, rows)


def _row(entry: CatalogEntry, links: Links) -> Row:
    verdicts = [
        (verdict.value, entry.verdicts[verdict.value])
        for verdict in Verdict
        if entry.verdicts.get(verdict.value)
    ]
    return Row(entry, link_of(entry, links), verdicts, _share_correct(entry))


def link_of(entry: CatalogEntry, links: Links) -> str | None:
    """Return the address of an entry's page; None where it has none."""
    match entry.kind:
        case EntryKind.BUILD:
            return links.build(entry.name)
        case EntryKind.EVALUATION:
            return links.evaluation(entry.name)
        case EntryKind.STUDY:
            return links.study(entry.name)
        case EntryKind.RUN:
            return None


def _share_correct(entry: CatalogEntry) -> float | None:
    answered = sum(
        count
        for verdict, count in entry.verdicts.items()
        if verdict != Verdict.UNSCORED
    )
    is_judged = Verdict.SCORED not in entry.verdicts and answered
    return entry.verdicts.get(Verdict.CORRECT, 0) / answered if is_judged else None
