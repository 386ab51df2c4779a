"""Templates become pages. Text of others is escaped twice over: for HTML, and hidden
characters by `builder.visible`.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

import cotbuild
from cotbuild.builder.pages.marked import shown_segments
from cotbuild.builder.pages.site import MenuItem, site_of
from cotbuild.builder.ui import format_duration, pluralize
from cotbuild.builder.view.marks import MarkedText, Segment
from cotbuild.builder.visible import escape_hidden

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"
_DIGEST: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")
_NOT_IN_A_CLASS: Final = re.compile(r"[^a-z0-9-]+")


def render(
    request: Request, template: str, /, status: int = 200, **data: Any
) -> HTMLResponse:
    """Return the page that a template makes of `data`.

    Every template also has `links`, `site`, `visitor` (a Principal or None), `menu`,
    `is_copy` (whether an offline copy is written) and `version`.
    """
    return HTMLResponse(render_text(request, template, **data), status_code=status)


def render_text(request: Request, template: str, /, **data: Any) -> str:
    """Return what a template makes of `data`, as text."""
    site = site_of(request)
    common: dict[str, Any] = {
        "links": site.links,
        "site": site,
        "visitor": getattr(request.state, "principal", None),
        "menu": menu_items(request),
        "is_copy": site.copy_policy is not None,
        "copy_policy": site.copy_policy,
        "version": cotbuild.__version__,
    }
    return environment().get_template(template).render(common | data)


def menu_items(request: Request) -> list[MenuItem]:
    """Return the entries of the menu at the top of a page."""
    links = site_of(request).links
    path = request.url.path
    pairs = (
        ("Builds", links.home(), path == "/"),
        ("Jobs", links.jobs(), path.startswith("/jobs")),
        ("New job", links.new(), path.startswith("/new")),
        ("Teachers", links.teachers(), path.startswith("/teachers")),
        ("Settings", links.settings(), path.startswith("/settings")),
    )
    return [
        MenuItem(text, href, is_current) for text, href, is_current in pairs if href
    ]


@cache
def environment() -> Environment:
    """Return the templates of all pages, with their filters."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        shown=shown,
        cut=cut,
        words=words,
        css_name=css_name,
        short_digests=short_digests,
        part_of=part_of,
        stack=stack,
        count=count,
        plural=plural,
        percent=percent,
        duration=duration,
        time_words=time_words,
        segments=segments,
    )
    return found


def shown(text: object) -> str:
    """Return text of others with its hidden characters visible; lines stay lines."""
    return escape_hidden(str(text), keep="\n\t")


def cut(text: str, max_chars: int = 600) -> str:
    """Return the beginning of a text, with … where there is more."""
    return text if len(text) <= max_chars else text[:max_chars].rstrip() + " …"


def words(name: object) -> str:
    """Return a name with spaces: `no_answer` as `no answer`."""
    return str(name).replace("_", " ")


def css_name(name: object) -> str:
    """Return a name as the end of a class: `no_answer` as `no-answer`."""
    return _NOT_IN_A_CLASS.sub("-", str(name).lower()).strip("-")


def short_digests(text: str) -> str:
    """Return a text with the first 12 digits of each digest in it."""
    return _DIGEST.sub(r"\1…", text)


def part_of(value: float, total: float) -> str:
    """Return how many hundredths of `total` a value is, for the width of a bar."""
    share = min(max(value / total, 0.0), 1.0) if total else 0.0
    return f"{100 * share:.4g}"


def stack(pairs: Iterable[tuple[str, float]]) -> list[tuple[str, str, str]]:
    """Return (kind, start, width) in hundredths of the sum of all values."""
    values = list(pairs)
    total = sum(value for _, value in values)
    parts, start = [], 0.0
    for kind, value in values:
        if value > 0:
            parts.append((kind, part_of(start, total), part_of(value, total)))
            start += value
    return parts


def count(number: float | None) -> str:
    """Return a number with commas, such as 1,234; a dash for None."""
    return "–" if number is None else f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Return `1 row` or `1,234 rows`."""
    return pluralize(number, noun).replace(str(number), f"{number:,}", 1)


def percent(value: float | None, total: float | None = None) -> str:
    """Return a share such as `12.5 %`; a dash where there is none."""
    if value is None or total == 0:
        return "–"
    share = value / total if total else value
    return f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """Return seconds as `1:05` or `2:03:04`; a dash for None."""
    return "–" if seconds is None else format_duration(seconds)


def time_words(at: str) -> str:
    """Return a time in UTC as `28 Nov 2026, 14:05`; other text as it is."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return at
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M}"


def segments(marked: MarkedText, only_differing: bool) -> list[Segment]:
    """Return the segments of a marked text to show."""
    return shown_segments(marked, only_differing=only_differing)


def query_of(request: Request, **changes: Any) -> Mapping[str, Any]:
    """Return the query of a request with changes, to pass to a link; None removes."""
    params = request.query_params
    query: dict[str, Any] = {name: params.getlist(name) for name in params}
    return {**query, **changes}
