"""The page of a study, and its report as it is, over HTTP and in a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cotbuild.builder.study.folder import declaration_digest, write_registration
from cotbuild.builder.study.report.write import write_report
from cotbuild.schemas.study.record import StudyRegistration
from cotbuild.schemas.study.results import StudyResults
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2
from tests.support.browser import Chromium
from tests.support.sites import ServedSite, served_site
from tests.support.studies.hostile import TEXTS, hostile
from tests.support.studies.kinds import half_way
from tests.support.studies.version_2 import whole_v2


def write_study(
    folder: Path,
    record: StudyRegistration,
    results: StudyResults,
    study: StudyV1 | StudyV2,
) -> None:
    """Write the folder of a study with a report and without cells."""
    folder.mkdir()
    values = study.model_dump(mode="json")
    (folder / "STUDY.yaml").write_text(yaml.safe_dump(values))
    digest = declaration_digest(record.study)
    write_registration(folder, record.model_copy(update={"digest": digest}))
    write_report(folder / "report", record, results, study)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedSite]:
    root = tmp_path_factory.mktemp("studies")
    write_study(root / "half", *half_way())
    write_study(root / "hostile", *hostile(TEXTS[0]))
    write_study(root / "tiers", *whole_v2())
    write_study(root / "unreported", *whole_v2())
    shutil.rmtree(root / "unreported" / "report")
    (root / "half" / "report" / "variants.csv").unlink()
    (root / "half" / "report" / "variants.csv").symlink_to("/etc/passwd")
    with served_site(root) as served:
        yield served


def test_a_study_shows_claims_and_cells(site: ServedSite) -> None:
    with site.client() as client:
        page = client.get("/studies/half")
        hostile_page = client.get("/studies/hostile")
    assert page.status_code == 200
    assert 'href="/studies/half/report"' in page.text
    assert "not begun" in page.text
    assert hostile_page.status_code == 200
    assert "<script>" not in hostile_page.text
    assert not set("\u202e\x1b\x00") & set(hostile_page.text)


def test_a_study_in_tiers_shows_its_claims(site: ServedSite) -> None:
    with site.client() as client:
        pages = [client.get(f"/studies/{name}") for name in ("tiers", "unreported")]
        table = client.get("/studies/tiers/claims.csv")
        home = client.get("/")
    assert "5 claims on org/garden@v1" in home.text
    assert "0.012, not adjusted" in pages[0].text
    assert [page.status_code for page in (*pages, table)] == [200] * 3
    assert "no assay sensitivity" in pages[0].text
    for page in pages:
        assert "post_cot &gt; pre_cot" in page.text
        assert "at 2, 4 seeds" in page.text


def test_the_report_is_served_as_it_is(site: ServedSite) -> None:
    with site.client() as client:
        report = client.get("/studies/half/report")
        table = client.get("/studies/half/recipes.csv")
    policy = report.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script" not in policy
    assert "frame-ancestors 'none'" in policy
    assert report.text.startswith("<!doctype html>")
    assert table.headers["content-disposition"].startswith("attachment")
    assert table.text.startswith("student,")


@pytest.mark.parametrize(
    "file", ["variants.csv", "index.html", "..%2fSTUDY.yaml", "STUDY.yaml"]
)
def test_no_other_file_is_served(site: ServedSite, file: str) -> None:
    with site.client() as client:
        assert client.get(f"/studies/half/{file}").status_code == 404


@pytest.mark.slow
def test_both_pages_show_in_a_browser(chromium: Chromium, site: ServedSite) -> None:
    with chromium.visit(site.link) as visit:
        page = visit.open(f"{site.url}/studies/half")
        visit.check_accessible()
        visit.check_fits()
        page.click("text=Open the report")
        page.wait_for_url("**/report")
        assert page.evaluate("document.images[0].naturalWidth") > 100
        colour = "getComputedStyle(document.querySelector('.claim')).borderTopWidth"
        assert page.evaluate(colour) == "1px"
