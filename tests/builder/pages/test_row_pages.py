"""The rows of a build in a browser and without: filter, facets, pages, hostile texts."""

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.builder.view.test_rows import HOSTILE, rationale
from tests.support.big_builds import GOLDEN_BUILD, write_big_build, write_rationales
from tests.support.browser import Chromium
from tests.support.commands import invoke
from tests.support.image_builds import write_image_questions
from tests.support.sites import ServedSite, served_site


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("builds")
    write_big_build(root / "big", 230, rows_per_file=100)
    hostile = rationale(0, question_id=HOSTILE, question=HOSTILE, rationale=HOSTILE)
    write_rationales(root / "hostile", [hostile, rationale(1, rationale="é" * 9_000)])
    shutil.copytree(GOLDEN_BUILD, root / "old")
    return root


@pytest.fixture(scope="module")
def site(root: Path) -> Iterator[ServedSite]:
    with served_site(root) as served:
        yield served


@pytest.fixture
def client(site: ServedSite) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def get(client: httpx.Client, path: str) -> str:
    page = client.get(path)
    assert page.status_code == 200, page.text
    return page.text


def next_link(page: str) -> str | None:
    match = re.search(r'href="([^"]+)" rel="next"', page)
    return html.unescape(match[1]) if match else None


def test_following_next_shows_every_row_once(client: httpx.Client) -> None:
    path: str | None = "/builds/big/rows?limit=100"
    seen: list[str] = []
    num_pages = 0
    while path is not None:
        page = get(client, path)
        seen += re.findall(r"row ([\d,]+)</p>", page)
        path, num_pages = next_link(page), num_pages + 1
    assert [int(number) for number in seen] == list(range(230))
    assert num_pages == 3


def test_facets_and_bars_lead_to_the_rows_that_they_count(client: httpx.Client) -> None:
    page = get(client, "/builds/big/rows?flag=names_target")
    for pattern in (
        r'<a href="([^"]*verdict=\w+[^"]*)"',
        r'<a href="([^"]*min_chars=[^"]*)"',
    ):
        href = re.search(pattern, page)
        assert href is not None, pattern
        target = html.unescape(href[1])
        assert "flag=names_target" in target
        narrowed = get(client, urljoin("/builds/big/rows", target))
        assert re.search(r"[\d,]+ rows? of 230", narrowed)


def test_texts_of_others_are_text(client: httpx.Client) -> None:
    page = get(client, "/builds/hostile/rows")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\\u202e" in page
    assert "49" not in re.sub(r"<[^>]+>", "", page).split("7*7")[0][-20:]
    assert "(9,000 characters)" in page
    assert "\0" not in page
    found = client.get("/builds/hostile/rows", params={"text": HOSTILE})
    assert "1 row of 2" in found.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("colour=red", 422),
        ("verdict=x", 422),
        ("limit=0", 422),
        ("limit=x", 422),
        ("limit=101", 422),
        ("after=x", 422),
        ("config=nothing", 422),
        ("text=" + "x" * 1001, 422),
    ],
)
def test_a_query_that_does_not_fit_is_one_line(
    client: httpx.Client, query: str, status: int
) -> None:
    page = client.get(f"/builds/big/rows?{query}")
    assert page.status_code == status
    assert "parameter" in page.text or "config" in page.text


def test_a_build_of_another_name_is_not_found(client: httpx.Client) -> None:
    for name in ("nothing", "..%2fbig", "%00"):
        assert client.get(f"/builds/{name}/rows").status_code in (400, 404)


def test_older_builds_and_their_variants_are_shown(client: httpx.Client) -> None:
    page = get(client, "/builds/old/rows")
    for config in re.findall(r'<option value="(\w+)"', page.split("</select>")[0]):
        assert "<article" in get(client, f"/builds/old/rows?config={config}")


@pytest.mark.slow
def test_builds_of_every_form_are_shown(tmp_path: Path) -> None:
    """Variants of messages, questions for evaluation, pictures, and a release."""
    train = write_image_questions(tmp_path, "train", range(6))
    out = tmp_path / "root" / "images"
    mapped = ("--map", "hint=hint", "--map", "image=image")
    invoke(
        "generate", "--source", train, *mapped, "--teacher", "scripted", "--out", out
    )
    text_build = tmp_path / "root" / "texts"
    invoke(
        "generate",
        "--teacher",
        "scripted",
        "--eval-splits",
        "test",
        "--out",
        text_build,
    )
    invoke("variants", text_build, "--only", "post_cot,chat_post_cot")
    release = tmp_path / "release"
    invoke("publish", text_build, f"file:{release}", "--license", "mit")
    shutil.move(release, tmp_path / "root" / "release")
    with served_site(tmp_path / "root") as site, site.client() as client:
        for name in ("images", "texts", "release"):
            page = get(client, f"/builds/{name}/rows")
            assert "<article" in page
            build = site.site.catalog.open_build(name)
            for config in {entry.config_name for entry in build.manifest.files}:
                assert "<article" in get(client, f"/builds/{name}/rows?config={config}")
            assert "How to load it" in get(client, f"/builds/{name}")
        assert "1 picture" in get(client, "/builds/images/rows")


@pytest.mark.slow
def test_the_rows_in_a_browser(chromium: Chromium, site: ServedSite) -> None:
    with chromium.visit(site.link) as visit:
        visit.open(f"{site.url}/builds/big/rows")
        visit.check_accessible()
        visit.check_fits()
        visit.screenshot("rows")
        visit.page.get_by_label("Verdict").select_option("incorrect")
        visit.page.wait_for_url("**verdict=incorrect**")
        visit.page.wait_for_selector("#results .badge-incorrect")
        assert visit.page.locator("article .badge-correct").count() == 0
        visit.page.get_by_label("Text contains").fill("rake 1")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url("**text=rake**")
        visit.open(f"{site.url}/builds/big")
        visit.check_accessible()
        visit.screenshot("build")
        visit.open(f"{site.url}/builds/hostile/rows")
        visit.check_accessible()
        visit.check_fits()


@pytest.mark.slow
def test_the_rows_without_scripts_on_a_phone_in_the_dark(
    chromium: Chromium, site: ServedSite
) -> None:
    with chromium.visit(site.link, scripts=False, dark=True, phone=True) as visit:
        visit.open(f"{site.url}/builds/big/rows")
        visit.check_fits()
        visit.screenshot("rows-phone")
        visit.page.get_by_label("Flag").select_option("cut")
        visit.page.get_by_role("button", name="Filter").click()
        assert "flag=cut" in visit.page.url
        visit.page.get_by_role("link", name="flag: cut").click()
        assert "flag=cut" not in visit.page.url
        visit.page.locator("a[rel=next]").click()
        assert "after=" in visit.page.url
        visit.open(f"{site.url}/builds/big")
        visit.check_fits()
        visit.screenshot("build-phone")
