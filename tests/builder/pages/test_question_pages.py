"""Pages that show texts side by side, over HTTP and in a browser: every text is a
stranger's.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from tests.support import small_builds
from tests.support.browser import Chromium
from tests.support.commands import invoke
from tests.support.evaluations import result, write_results
from tests.support.sites import ServedSite, served_site

HOSTILE = (
    "<script>alert(1)</script> \u202ekcab\u202c <img src=x onerror=alert(1)> \x1b[31m "
    "</div></main>&amp; {{ 7*7 }} "
)
SAID = f"{HOSTILE}Wind lifts cloth, and a peg holds it. The answer is A."


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with variants, a hostile one, two evaluations."""
    folder = tmp_path_factory.mktemp("site")
    small_builds.imported(folder)
    question = {
        "id": "h<1>",
        "question": f"What? {HOSTILE}",
        "choices": ["<b>a peg</b>", "a lamp"],
        "answer": "A",
    }
    (folder / "h.jsonl").write_text(json.dumps(question) + "\n")
    said = {"id": "h<1>", "said": SAID}
    long = {"id": "h<1>", "said": "x" * 1_000_000 + " The answer is A."}
    lines = [json.dumps(one) + "\n" for one in (said, long)]
    (folder / "s.jsonl").write_text("".join(lines))
    invoke(
        *("import", folder / "s.jsonl", "--map", "text=said", "--map", "id=id"),
        *("--made-by", "<i>me</i>", "--source", folder / "h.jsonl"),
        *("--out", folder / "hostile"),
    )
    only = "label_only,post_cot,post_cot_shuffled_words,post_cot_masked_50,chat_pre_cot"
    invoke("variants", folder / "hostile", "--only", only)
    said_with_nul = HOSTILE + "\0"  # which no source may have
    results = [result(0, "A", said=said_with_nul, rationale=HOSTILE), result(1, "B")]
    write_results(folder / "first", results)
    write_results(folder / "second", [result(0, "B", said=HOSTILE), result(1, "B")])
    return folder


@pytest.fixture(scope="module")
def site(root: Path) -> Iterator[ServedSite]:
    names = ("imported", "hostile", "first", "second")
    with served_site(*(root / name for name in names)) as served:
        yield served


def text_of(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


HOSTILE_PAGES = [
    "/builds/hostile/question?id=h%3C1%3E",
    "/builds/hostile/question?id=h%3C1%3E&differ=1&near=0",
    "/builds/hostile/compare?a=post_cot&b=post_cot_masked_50",
    "/compare?a=hostile&b=hostile&first=correct&second=correct",
    "/compare?a=hostile&b=imported",
    "/evaluations/first",
    "/evaluations/first?outcome=wrong",
    "/evaluations/compare?a=first&b=second",
]


@pytest.mark.parametrize("address", HOSTILE_PAGES)
def test_texts_of_strangers_are_text(site: ServedSite, address: str) -> None:
    with site.client() as client:
        page = client.get(address)
    assert page.status_code == 200, text_of(page.text)
    html = page.text
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert not {"<b>a peg", "<i>me", "<i>river"} & set(re.findall(r"<[bi]>\w+", html))
    assert not set("\u202e\x1b\x00") & set(html)
    assert "</main>&amp;" not in html
    assert len(html) < 1_000_000


def test_the_question_with_every_variant(site: ServedSite, root: Path) -> None:
    with site.client() as client:
        page = client.get("/builds/imported/question", params={"id": "q2"}).text
        differing = client.get("/builds/imported/question?id=q2&differ=1").text
    text = text_of(page)
    assert "What does a kite need?" in text
    for spec in StoredBuild.open(root / "imported").specs:
        assert spec.name in text
    assert "The same as label_only." in text
    assert '<mark class="moved" title="was word' in page
    assert re.search(r"<del>.*removed: .*</del>", page)
    assert 'aria-label="pre_cot"' not in differing
    assert 'aria-label="post_cot_strip_target"' in differing


def test_the_next_question_is_that_of_the_filter(site: ServedSite) -> None:
    with site.client() as client:
        page = client.get("/builds/imported/question?id=q3&verdict=correct&near=2").text
        last = client.get("/builds/imported/question?id=q6&verdict=correct").text
    [following] = set(re.findall(r'href="([^"]*)" rel="next"', page))
    [previous] = set(re.findall(r'href="([^"]*)" rel="prev"', page))
    assert "id=q5" in following
    assert "verdict=correct" in following
    assert "id=q2" in previous
    assert 'rel="next"' not in last


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("/builds/imported/question?id=none", 404, "no question"),
        ("/builds/nowhere/question?id=q1", 404, "no build"),
        ("/builds/imported/question?id=q1&what=1", 422, "none of this name"),
        ("/builds/imported/question?id=q1&show=none", 422, "no variant"),
        ("/builds/imported/compare?a=none&b=post_cot", 422, "no variant"),
        ("/compare?a=imported&b=nowhere", 404, "no build"),
        ("/evaluations/imported", 404, "no evaluation"),
        ("/evaluations/compare?a=first&b=imported", 404, "no evaluation"),
        ("/studies/imported", 404, "no study"),
        ("/studies/imported/report", 404, "no study"),
        (f"/builds/imported/picture?id=q1&sha256={'0' * 64}", 404, "no picture"),
        ("/builds/imported/picture?id=q1&sha256=../../x", 422, ""),
    ],
)
def test_what_is_not_there_says_so(
    site: ServedSite, address: str, status: int, message: str
) -> None:
    with site.client() as client:
        page = client.get(address)
    assert page.status_code == status
    assert message in text_of(page.text)


def test_two_builds_are_chosen_in_a_form(site: ServedSite) -> None:
    with site.client() as client:
        assert "Compare two builds" in client.get("/compare").text
        assert "Compare two evaluations" in client.get("/evaluations/compare").text
        cell = client.get("/compare?a=imported&b=imported").text
    assert "first=correct&amp;second=correct" in cell


def test_evaluations_side_by_side(site: ServedSite) -> None:
    with site.client() as client:
        page = text_of(client.get("/evaluations/compare?a=first&b=second").text)
    assert "1 fixed, 0 broken of 2 questions." in page
    assert "McNemar" in page


@pytest.mark.slow
def test_pages_are_accessible_and_fit(chromium: Chromium, site: ServedSite) -> None:
    for phone, dark in ((False, False), (True, True)):
        with chromium.visit(site.link, phone=phone, dark=dark) as visit:
            for address in HOSTILE_PAGES:
                visit.open(site.url + address)
                visit.check_accessible()
                visit.check_fits()


@pytest.mark.slow
def test_keys_go_to_the_next_question(chromium: Chromium, site: ServedSite) -> None:
    with chromium.visit(site.link) as visit:
        page = visit.open(f"{site.url}/builds/imported/question?id=q1&verdict=correct")
        page.keyboard.press("j")
        page.wait_for_url(re.compile("id=q2"))
        page.keyboard.press("k")
        page.wait_for_url(re.compile("id=q1"))
