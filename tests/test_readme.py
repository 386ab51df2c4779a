"""What README.md and the pages of docs/ say of this repository."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROMISES = ROOT / "docs" / "promises.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def read_page(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links_of(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the section of every link of a page to this repository."""
    linked = re.findall(r"\]\((?!https?:)([^)\s]+)\)", read_page(page))
    parts = [link.partition("#") for link in linked]
    return [
        ((page.parent / path).resolve() if path else page, section)
        for path, _, section in parts
    ]


def sections_of(page: Path) -> set[str]:
    """Return the ids of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", read_page(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in titles}


def test_every_promise_names_tests_that_exist() -> None:
    lines = PROMISES.read_text(encoding="utf-8").splitlines()
    promises = [line for line in lines if line.startswith("| ")][1:]
    assert promises
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)`", promise)
        assert named, promise
        for file in named:
            assert "def test_" in (ROOT / file).read_text(encoding="utf-8"), file


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_linked_file_exists(page: Path) -> None:
    assert [str(file) for file, _ in links_of(page) if not file.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_linked_section_exists(page: Path) -> None:
    linked = [(file, section) for file, section in links_of(page) if section]
    assert [
        f"{file.name}#{section}"
        for file, section in linked
        if section not in sections_of(file)
    ] == []
