"""The addresses of an offline copy: relative names of the files that are part of it.

A page of the copy asks for the address of another one and thereby adds it to the copy,
as long as the copy has room for it. Filters, forms and comparisons of free choice have
no file: their addresses are None, and templates write plain text.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from cotbuild.builder.pages.links import ServerLinks

HOME: Final = "index.html"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_SERVER: Final = ServerLinks()


@dataclass
class CopyPlan:
    """Which files the copy has, by the address on a server that each is made from."""

    max_pages: int
    """Most pages of rows for each build."""
    max_questions: int
    """Most questions for each build."""
    files: dict[str, str] = field(default_factory=lambda: {"/": HOME})
    """Address on a server to file, in the order in which they were asked for."""
    num_pages: dict[str, int] = field(default_factory=dict)
    questions: dict[tuple[str, str], str] = field(default_factory=dict)
    num_questions: dict[str, int] = field(default_factory=dict)
    first_variants: Mapping[str, str] = field(default_factory=dict)
    """Build to the variant that all others are compared with."""

    def add(self, address: str, file: str) -> str:
        """Return the file of an address, which is part of the copy from now on."""
        return self.files.setdefault(address, file)


class StaticLinks:
    """Addresses as the page in the file `here` of a copy has them."""

    def __init__(self, plan: CopyPlan, here: str) -> None:
        self._plan = plan
        self._folder = posixpath.dirname(here)

    def _relative(self, file: str) -> str:
        return quote(posixpath.relpath(file, self._folder or "."))

    def home(self) -> str:
        return self._relative(HOME)

    def build(self, name: str) -> str:
        file = f"builds/{file_name(name)}/index.html"
        return self._relative(self._plan.add(_SERVER.build(name), file))

    def rows(self, name: str, /, **query: Any) -> str | None:
        plan = self._plan
        address = _SERVER.rows(name, **query)
        if address not in plan.files:
            number = plan.num_pages.get(name, 0) + 1
            if set(_given(query)) - {"after"} or number > plan.max_pages:
                return None
            plan.num_pages[name] = number
            suffix = "" if number == 1 else f"-{number}"
            plan.add(address, f"builds/{file_name(name)}/rows{suffix}.html")
        return self._relative(plan.files[address])

    def question(self, name: str, id: str, /, **query: Any) -> str | None:
        plan = self._plan
        if (name, id) not in plan.questions:
            number = plan.num_questions.get(name, 0) + 1
            if number > plan.max_questions:
                return None
            plan.num_questions[name] = number
            near = query.get("near")
            address = _SERVER.question(name, id, near=near)
            file = f"builds/{file_name(name)}/questions/{file_name(id)}.html"
            plan.questions[name, id] = plan.add(address, file)
        return self._relative(plan.questions[name, id])

    def picture(self, name: str, id: str, sha256: str, /, **query: Any) -> str:  # noqa: ARG002
        # Browsers tell the type of a picture in a file by its content.
        file = f"builds/{file_name(name)}/pictures/{sha256[:32]}.png"
        return self._relative(self._plan.add(_SERVER.picture(name, id, sha256), file))

    def variants(self, name: str, /, **query: Any) -> str | None:
        given = _given(query)
        if set(given) != {"a", "b"} or given["a"] == given["b"]:
            return None
        if given["a"] != self._plan.first_variants.get(name):
            return None
        pair = f"{file_name(given['a'])}-{file_name(given['b'])}"
        file = f"builds/{file_name(name)}/compare-{pair}.html"
        address = _SERVER.variants(name, **given)
        return self._relative(self._plan.add(address, file))

    def builds(self, **query: Any) -> None:  # noqa: ARG002
        return None

    def evaluation(self, name: str, /, **query: Any) -> str | None:
        if _given(query):
            return None
        file = f"evaluations/{file_name(name)}.html"
        return self._relative(self._plan.add(_SERVER.evaluation(name), file))

    def evaluations(self, **query: Any) -> None:  # noqa: ARG002
        return None

    def study(self, name: str) -> str:
        file = f"studies/{file_name(name)}/index.html"
        return self._relative(self._plan.add(_SERVER.study(name), file))

    def report(self, name: str) -> str:
        file = f"studies/{file_name(name)}/report.html"
        return self._relative(self._plan.add(_SERVER.report(name), file))

    def report_file(self, name: str, file: str) -> str:
        place = f"studies/{file_name(name)}/{file_name(file)}"
        return self._relative(self._plan.add(_SERVER.report_file(name, file), place))

    def file(self, name: str, path: str) -> None:  # noqa: ARG002
        return None

    def static(self, file: str) -> str:
        return self._relative(f"static/{file}")

    def jobs(self, **query: Any) -> None:  # noqa: ARG002
        return None

    def job(self, id: str, /, **query: Any) -> None:  # noqa: ARG002
        return None

    def job_action(self, id: str, action: str) -> None:  # noqa: ARG002
        return None

    def new(self, **query: Any) -> None:  # noqa: ARG002
        return None

    def teachers(self) -> None:
        return None

    def settings(self) -> None:
        return None

    def login(self) -> None:
        return None

    def logout(self) -> None:
        return None


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that have a value."""
    return {name: value for name, value in query.items() if value not in (None, "")}


def file_name(text: str) -> str:
    """Return a name that every file system takes, another one for every text.

    Systems that ignore case see two names where only the case differs as one, so such a
    text has its digest in the name.
    """
    is_plain = _PLAIN.fullmatch(text) and text.strip(".") and text == text.lower()
    if is_plain and not text.endswith("."):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    kept = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]
    return f"{kept}-{digest}" if kept else digest
