"""The list of what there is, over HTTP and in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Chromium
from tests.support.commands import invoke
from tests.support.sites import ServedSite, served_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedSite]:
    root = tmp_path_factory.mktemp("builds")
    options = ("--source", "bundled", "--teacher", "scripted")
    invoke("generate", *options, "--limit", "6", "--out", root / "small")
    (root / "damaged").mkdir()
    (root / "damaged" / "manifest.json").write_text("{")
    with served_site(root) as served:
        yield served


def test_the_list_has_every_folder_with_its_counts(site: ServedSite) -> None:
    with site.client() as client:
        page = client.get("/")
    assert page.status_code == 200
    text = re.sub(r"<[^>]+>", " ", page.text)
    assert "small" in text
    assert "bundled/train by scripted" in text
    assert re.search(r"\b6\b", text)
    assert "damaged" in text


def test_finding_keeps_what_contains_the_text(site: ServedSite) -> None:
    with site.client() as client:
        assert 'href="/builds/small"' in client.get("/?find=SMALL").text
        none = client.get("/", params={"find": "<i>\u202e"}).text
    assert 'href="/builds/small"' not in none
    assert "&lt;i&gt;\\u202e" in none
    assert "<i>" not in none


def test_an_unknown_address_is_a_page_of_its_own(site: ServedSite) -> None:
    with site.client() as client:
        page = client.get("/builds/nowhere/what")
    assert page.status_code == 404
    assert "<h1>Not Found</h1>" in page.text


def test_without_the_link_there_is_only_how_to_get_one(
    chromium: Chromium, site: ServedSite
) -> None:
    with chromium.visit(site.url) as visit:
        visit.expect("^401 |status of 401")
        assert "address that the server printed" in visit.page.inner_text("main")
        visit.check_accessible()
        visit.open(site.link)
        assert visit.page.url == f"{site.url}/"
        assert "small" in visit.page.inner_text("main")


@pytest.mark.slow
@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_list_looks_well_everywhere(
    chromium: Chromium, site: ServedSite, look: str
) -> None:
    with chromium.visit(site.link, dark=look == "dark", phone=look == "phone") as visit:
        visit.screenshot(f"home-{look}")
        visit.check_accessible()
        visit.check_fits()


@pytest.mark.slow
def test_finding_works_while_typing_and_by_keys_alone(
    chromium: Chromium, site: ServedSite
) -> None:
    with chromium.visit(site.link) as visit:
        page = visit.page
        page.keyboard.press("/")
        page.keyboard.type("sma")
        page.wait_for_url("**/?find=sma")
        page.get_by_role("link", name="damaged").wait_for(state="detached")
        page.keyboard.press("Tab")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.textContent") == "small"
        page.go_back()
        page.wait_for_url(site.url + "/")


@pytest.mark.slow
def test_finding_works_without_scripts(chromium: Chromium, site: ServedSite) -> None:
    with chromium.visit(site.link, scripts=False) as visit:
        visit.page.fill("#find", "damaged")
        visit.page.get_by_role("button", name="Find").click()
        visit.page.wait_for_url("**/?find=damaged")
        assert "small" not in visit.page.inner_text("#results")
        assert not visit.page.is_visible("text=Keys:")


def test_folders_without_anything_are_refused(tmp_path: Path) -> None:
    from cotbuild.schemas.errors import DataError

    with pytest.raises(DataError, match="holds no build"), served_site(tmp_path):
        pass
