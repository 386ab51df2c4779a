"""The page of a build: finished, being made, stopped, damaged."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.schemas.completion import Completion
from tests.support.big_builds import GOLDEN_BUILD
from tests.support.sites import served_site


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN_BUILD, tmp_path / "old")
    return tmp_path


@pytest.fixture
def client(root: Path) -> Iterator[httpx.Client]:
    with served_site(root) as site, site.client() as client:
        yield client


def test_a_finished_build_is_shown(client: httpx.Client) -> None:
    page = client.get("/builds/old")
    assert page.status_code == 200
    for text in ("Verdicts", "How it was asked", "Where it comes from", "load_dataset"):
        assert text in page.text
    for href in set(re.findall(r'href="(/builds/old/rows[^"]*)"', page.text)):
        assert client.get(href.replace("&amp;", "&")).status_code == 200, href


def test_a_build_that_is_being_made_shows_what_came(
    client: httpx.Client, root: Path
) -> None:
    store = AnswerStore(root / "making")
    with store.lock(), store.create_journal({}) as journal:
        journal.append(
            Completion(request_key="a" * 64, text="<b>so\u202e", finish_reason="length")
        )
        page = client.get("/builds/making").text
        assert "being made" in page
        assert "&lt;b&gt;so\\u202e" in page
        assert "data-refresh" in page
    page = client.get("/builds/making").text
    assert "No run works on this build now" in page
    assert client.get("/builds/making?answers=x").status_code == 422


def test_rows_of_a_build_that_is_being_made_are_one_line(
    client: httpx.Client, root: Path
) -> None:
    (root / "making" / ".answers").mkdir(parents=True)
    page = client.get("/builds/making/rows")
    assert page.status_code == 422
    assert "not a finished build" in page.text


def test_a_damaged_build_says_what_is_wrong(client: httpx.Client, root: Path) -> None:
    (root / "old" / "manifest.json").write_text("{")
    page = client.get("/builds/old")
    assert page.status_code == 409
    assert "not JSON" in page.text
