"""The address of every page, in one place.

Templates get a `Links` and write no address by hand. An offline copy has another one,
`builder.pages.static_links`, whose addresses are relative file names and which has None
for a page that is not part of the copy.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

Value = str | int | float | bool | None
Query = Mapping[str, Value | Iterable[str]]


class Links(Protocol):
    """Addresses of pages; None where there is no such page."""

    def home(self) -> str | None:
        """The list of builds, evaluations and studies."""

    def build(self, name: str) -> str | None:
        """The page of a build."""

    def rows(self, name: str, /, **query: Any) -> str | None:
        """Rationales of a build, by the parameters of a RowFilter."""

    def question(self, name: str, id: str, /, **query: Any) -> str | None:
        """A question of a build, with all its samples and variants."""

    def picture(self, name: str, id: str, sha256: str, /, **query: Any) -> str | None:
        """A picture of a question of a build."""

    def variants(self, name: str, /, **query: Any) -> str | None:
        """Two variants of a build, side by side: `a` and `b`."""

    def builds(self, **query: Any) -> str | None:
        """Two builds, side by side: `a` and `b`."""

    def evaluation(self, name: str, /, **query: Any) -> str | None:
        """The page of an evaluation."""

    def evaluations(self, **query: Any) -> str | None:
        """Two evaluations, side by side: `a` and `b`."""

    def study(self, name: str) -> str | None:
        """The page of a study."""

    def report(self, name: str) -> str | None:
        """The report of a study, a page of its own."""

    def report_file(self, name: str, file: str) -> str | None:
        """A file beside the report of a study, such as a table."""

    def file(self, name: str, path: str) -> str | None:
        """A file of a build, to download."""

    def static(self, file: str) -> str:
        """A file of the page itself: styles and scripts."""

    def jobs(self, **query: Any) -> str | None:
        """The list of jobs."""

    def job(self, id: str, /, **query: Any) -> str | None:
        """The page of a job."""

    def job_action(self, id: str, action: str) -> str | None:
        """Where a form posts what is to happen with a job."""

    def new(self, **query: Any) -> str | None:
        """The form of a new job."""

    def teachers(self) -> str | None:
        """The teachers that are up."""

    def settings(self) -> str | None:
        """Tokens and limits, for administrators."""

    def login(self) -> str | None:
        """The form that takes a token."""

    def logout(self) -> str | None:
        """Where a form posts the end of a session."""


class ServerLinks:
    """Addresses on a server.

    `has_jobs` says whether the server runs jobs, `has_files` whether files of builds can
    be downloaded.
    """

    def __init__(self, *, has_jobs: bool = False, has_files: bool = False) -> None:
        self._has_jobs = has_jobs
        self._has_files = has_files

    def home(self) -> str:
        return "/"

    def build(self, name: str) -> str:
        return f"/builds/{_part(name)}"

    def rows(self, name: str, /, **query: Any) -> str:
        return with_query(f"{self.build(name)}/rows", query)

    def question(self, name: str, id: str, /, **query: Any) -> str:
        return with_query(f"{self.build(name)}/question", {"id": id, **query})

    def picture(self, name: str, id: str, sha256: str, /, **query: Any) -> str:
        address = f"{self.build(name)}/picture"
        return with_query(address, {"id": id, "sha256": sha256, **query})

    def variants(self, name: str, /, **query: Any) -> str:
        return with_query(f"{self.build(name)}/compare", query)

    def builds(self, **query: Any) -> str:
        return with_query("/compare", query)

    def evaluation(self, name: str, /, **query: Any) -> str:
        return with_query(f"/evaluations/{_part(name)}", query)

    def evaluations(self, **query: Any) -> str:
        return with_query("/evaluations/compare", query)

    def study(self, name: str) -> str:
        return f"/studies/{_part(name)}"

    def report(self, name: str) -> str:
        return f"{self.study(name)}/report"

    def report_file(self, name: str, file: str) -> str:
        return f"{self.study(name)}/{quote(file)}"

    def file(self, name: str, path: str) -> str | None:
        if not self._has_files:
            return None
        return f"/v1/builds/{_part(name)}/files/{quote(path)}"

    def static(self, file: str) -> str:
        return f"/static/{quote(file)}"

    def jobs(self, **query: Any) -> str | None:
        return with_query("/jobs", query) if self._has_jobs else None

    def job(self, id: str, /, **query: Any) -> str | None:
        return with_query(f"/jobs/{_part(id)}", query) if self._has_jobs else None

    def job_action(self, id: str, action: str) -> str | None:
        return f"/jobs/{_part(id)}/{action}" if self._has_jobs else None

    def new(self, **query: Any) -> str | None:
        return with_query("/new", query) if self._has_jobs else None

    def teachers(self) -> str | None:
        return "/teachers" if self._has_jobs else None

    def settings(self) -> str | None:
        return "/settings" if self._has_jobs else None

    def login(self) -> str | None:
        return "/login" if self._has_jobs else None

    def logout(self) -> str | None:
        return "/logout" if self._has_jobs else None


def with_query(path: str, query: Query) -> str:
    """Return a path with a query; None, False and empty values are left out.

    A list gives one parameter for each of its values.
    """
    pairs = [
        (name, text) for name, value in query.items() for text in query_texts(value)
    ]
    return f"{path}?{urlencode(pairs, quote_via=quote)}" if pairs else path


def query_texts(value: Value | Iterable[str]) -> list[str]:
    """Return the texts of a query parameter's value."""
    if value is None or value is False or value == "":
        return []
    if value is True:
        return ["1"]
    if isinstance(value, str | int | float):
        return [str(value)]
    return [str(one) for one in value if one != ""]


def _part(text: str) -> str:
    """Return a text as one part of a path."""
    return quote(text, safe="")
