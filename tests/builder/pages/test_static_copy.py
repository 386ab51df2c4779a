"""An offline copy: complete in itself, and it replaces only an earlier one."""

import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from cotbuild.builder.pages.static_copy import MARKER, write_copy
from cotbuild.builder.pages.viewer import open_catalog
from cotbuild.builder.view.catalog import Catalog
from cotbuild.schemas.errors import ConfigError
from tests.support.browser import Chromium
from tests.support.student_builds import make_build

LINK = re.compile(r'(?:href|src)="([^"]*)"')


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("builds")
    make_build(folder, 6, ("label_only", "post_cot", "pre_cot"))
    return open_catalog([folder])


@pytest.fixture(scope="module")
def copy(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("copy") / "pages"
    write_copy(catalog, out, 4)
    return out


def test_every_link_leads_to_a_file_of_the_copy(copy: Path) -> None:
    pages = sorted(copy.rglob("*.html"))
    broken = []
    for page in pages:
        for href in LINK.findall(page.read_text(encoding="utf-8")):
            target = urlsplit(urljoin(page.as_uri(), href.replace("&amp;", "&")))
            place = Path(unquote(target.path))
            if target.scheme != "file" or not place.is_file():
                broken.append(f"{page.name}: {href}")
    assert broken == []
    names = {str(page.relative_to(copy)) for page in pages}
    assert {
        "index.html",
        "builds/b/index.html",
        "builds/b/rows.html",
        "builds/b/compare-label_only-post_cot.html",
        "builds/b/compare-label_only-pre_cot.html",
    } <= names
    assert len([name for name in names if "/questions/" in name]) == 4


def test_a_copy_names_no_folder_and_has_no_form(copy: Path, catalog: Catalog) -> None:
    for page in copy.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert str(catalog.folders[0]) not in text, page
        assert "<form" not in text, page
        assert 'http-equiv="Content-Security-Policy"' in text, page


def test_a_copy_replaces_an_earlier_one_as_a_whole(
    catalog: Catalog, tmp_path: Path
) -> None:
    out = tmp_path / "pages"
    write_copy(catalog, out, 1)
    (out / "left-over.html").write_text("")
    write_copy(catalog, out, 1)
    assert not (out / "left-over.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


def test_what_is_no_copy_stays(catalog: Catalog, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("text")
    file = tmp_path / "file"
    file.write_text("text")
    link = tmp_path / "link"
    link.symlink_to(thesis)
    for out in (thesis, file, link):
        with pytest.raises(ConfigError, match=re.escape(str(out))):
            write_copy(catalog, out, 1)
    assert (thesis / "chapter.tex").read_text() == "text"
    (thesis / "chapter.tex").unlink()
    write_copy(catalog, thesis, 1)
    assert (thesis / MARKER).is_file()


def test_a_copy_that_fails_leaves_the_earlier_one(
    catalog: Catalog, tmp_path: Path
) -> None:
    out = tmp_path / "pages"
    write_copy(catalog, out, 1)
    before = {path.name for path in out.iterdir()}

    def fail(*counts: int) -> None:
        raise KeyboardInterrupt(counts)

    with pytest.raises(KeyboardInterrupt):
        write_copy(catalog, out, 1, fail)
    assert {path.name for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False])
def test_a_copy_opens_from_the_disk(
    chromium: Chromium, copy: Path, scripts: bool
) -> None:
    index = (copy / "index.html").as_uri()
    with chromium.visit(index, scripts=scripts) as visit:
        page = visit.page
        assert (
            page.locator("h1").evaluate("e => getComputedStyle(e).fontSize") == "24px"
        )
        page.get_by_role("link", name="b", exact=True).click()
        visit.screenshot("copy-build")
        page.get_by_role("link", name="post_cot", exact=True).click()
        visit.screenshot("copy-compare")
        page.go_back()
        page.get_by_role("link", name="Read the rationales").click()
        if scripts:
            visit.check_accessible()
            page.keyboard.press("j")
            page.keyboard.press("Enter")
        else:
            page.locator("main a[data-item]").first.click()
        page.wait_for_url("**/questions/*.html")
        visit.screenshot("copy-question")
