"""Builds over HTTP: found by who may, read row by row, downloaded byte by byte."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.schemas.service.principal import Principal, Role
from tests.support.services import ServedService, served

GOLDEN = Path(__file__).parents[3] / "golden" / "builds"
BUILD = "row_version_3"
STUDY = Path(__file__).parents[4] / "docs" / "studies" / "palm-csqa"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedService]:
    root = tmp_path_factory.mktemp("root")
    with served(root) as service:
        alice = Principal(name="alice", role=Role.RUNNER)
        service.service.owners.claim(alice, "mine")
        for name in ("mine", "old"):
            shutil.copytree(GOLDEN / BUILD, root / name)
        yield service


@pytest.fixture(scope="module")
def people(service: ServedService) -> Iterator[dict[str, httpx.Client]]:
    roles = {"alice": Role.RUNNER, "bob": Role.RUNNER, "vera": Role.VIEWER}
    clients = {name: service.client(name, role) for name, role in roles.items()}
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def alice(people: dict[str, httpx.Client]) -> httpx.Client:
    return people["alice"]


@pytest.fixture(scope="module")
def build(service: ServedService) -> StoredBuild:
    return StoredBuild.open(service.service.settings.target("mine"))


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_list_has_what_one_may_read(people: dict[str, httpx.Client]) -> None:
    def names(name: str, **query: Any) -> list[str]:
        page = get(people[name], "/v1/builds", **query)
        return [entry["name"] for entry in page["entries"]]

    assert names("alice") == ["mine"]
    assert names("bob") == []
    assert names("vera") == ["mine", "old"]
    first = get(people["vera"], "/v1/builds", limit=1)
    assert first["next"] == "mine"
    assert names("vera", after="mine") == ["old"]
    assert names("vera", kind="study") == []


def test_what_one_may_not_read_is_not_there(
    people: dict[str, httpx.Client], build: StoredBuild
) -> None:
    path = build.manifest.files[0].path
    parts = [
        "",
        "/summary",
        "/answers",
        "/rows",
        "/facets",
        "/statistics",
        "/files",
        f"/files/{path}",
    ]
    for part in [*parts, "/files/manifest.json", "/questions/q1"]:
        hidden = people["bob"].get(f"/v1/builds/mine{part}")
        absent = people["bob"].get(f"/v1/builds/none{part}")
        assert hidden.status_code == absent.status_code == 404, part
        assert hidden.text.replace("mine", "none") == absent.text, part
        assert people["alice"].get(f"/v1/builds/old{part}").status_code == 404, part


def test_rows_are_found_by_filter_and_page(
    alice: httpx.Client, build: StoredBuild
) -> None:
    found: list[str] = []
    after = None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = get(alice, "/v1/builds/mine/rows", **query)
        found += [row["question_id"] for row in page["rows"]]
        after = page["next"]
        if after is None:
            break
    assert found == [row.question_id for row in build.rationales()]
    correct = get(alice, "/v1/builds/mine/rows", verdict="correct")
    assert correct["total"] == build.manifest.verdicts.get("correct", 0)
    facets = get(alice, "/v1/builds/mine/facets")
    assert facets["num_matches"] == build.manifest.num_planned
    statistics = get(alice, "/v1/builds/mine/statistics", verdict="correct")
    assert statistics["chars"]["unit"] == "chars"


def test_a_build_is_summed_up_and_its_answers_are_read_at_any_time(
    alice: httpx.Client, build: StoredBuild
) -> None:
    summary = get(alice, "/v1/builds/mine/summary")
    assert summary["num_rationales"] == build.manifest.num_planned
    live = get(alice, "/v1/builds/mine/answers", limit=1)
    assert (live["partial"], live["is_running"]) == (True, False)


@pytest.mark.parametrize(
    "query",
    [
        {"verdict": "nice"},
        {"nonsense": "1"},
        {"min_chars": "-1"},
        {"after": "x" * 200},
        {"after": "x"},
        {"config": "../x"},
        {"config": "none"},
        {"limit": "0"},
        {"limit": "101"},
        {"text": "\x00"},
    ],
)
def test_a_filter_that_is_none_is_refused(
    alice: httpx.Client, query: dict[str, str]
) -> None:
    response = alice.get("/v1/builds/mine/rows", params=query)
    assert response.status_code in (200, 422), response.text
    assert "text" in query or response.status_code == 422


def test_a_question_has_samples_and_variants(
    alice: httpx.Client, build: StoredBuild
) -> None:
    first = next(build.rationales())
    view = get(alice, f"/v1/builds/mine/questions/{first.question_id}")
    assert view["samples"][0]["row"]["question_id"] == first.question_id
    assert alice.get("/v1/builds/mine/questions/none").status_code == 404


def test_all_files_together_are_the_build(
    alice: httpx.Client, build: StoredBuild
) -> None:
    files = get(alice, "/v1/builds/mine/files")["files"]
    paths = {file["path"] for file in files}
    assert paths >= {"manifest.json", *(entry.path for entry in build.manifest.files)}
    for file in files:
        response = alice.get(file["link"])
        assert response.status_code == 200
        assert response.content == (build.folder / file["path"]).read_bytes()
        sha256 = hashlib.sha256(response.content).hexdigest()
        assert response.headers["etag"] == f'"{sha256}"'
        assert file["sha256"] in (None, sha256)
        known = {"if-none-match": response.headers["etag"]}
        assert alice.get(file["link"], headers=known).status_code == 304
        part = alice.get(
            file["link"],
            headers={"range": "bytes=5-9", "if-range": response.headers["etag"]},
        )
        assert (part.status_code, part.content) == (206, response.content[5:10])
        assert alice.head(file["link"]).headers["content-length"] == str(
            len(response.content)
        )


def test_a_file_that_was_changed_is_not_sent_as_the_one_named(
    service: ServedService, people: dict[str, httpx.Client], build: StoredBuild
) -> None:
    entry = build.manifest.files[0]
    path = service.service.settings.target("old") / entry.path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    response = people["vera"].get(f"/v1/builds/old/files/{entry.path}")
    assert (response.status_code, response.json()["code"]) == (409, "file_changed")


@pytest.mark.parametrize(
    "path",
    [
        "../old/manifest.json",
        "..%2fold%2fmanifest.json",
        "%2e%2e/old/manifest.json",
        "%252e%252e/old/manifest.json",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "manifest.json%00",
        "manifest.json/",
        "./manifest.json",
        ".answers/lock",
        ".answers/../manifest.json",
        "rationales/%5c..%5c..%5cmanifest.json",
        "linked.json",
        "%ff",
        "a" * 1_025,
        "",
    ],
)
def test_a_path_that_the_manifest_has_not_is_not_there(
    service: ServedService, alice: httpx.Client, path: str
) -> None:
    linked = service.service.settings.target("mine") / "linked.json"
    if not linked.is_symlink():
        linked.symlink_to("/etc/passwd")
    # In another way httpx would resolve the dots itself.
    target = f"/v1/builds/mine/files/{path}".encode()
    response = alice.get(service.url, extensions={"target": target})
    assert response.status_code in (404, 422)
    assert b"root:" not in response.content


def test_links_in_a_build_are_not_followed(
    service: ServedService, people: dict[str, httpx.Client], build: StoredBuild
) -> None:
    folder = service.service.settings.target("linked")
    shutil.copytree(build.folder, folder, symlinks=True)
    entry = build.manifest.files[0]
    (folder / entry.path).unlink()
    (folder / entry.path).symlink_to(build.folder / entry.path)
    response = people["vera"].get(f"/v1/builds/linked/files/{entry.path}")
    assert response.status_code == 422
    assert response.content[:4] != b"PAR1"
    for name in ("manifest.json", "build.json"):
        (folder / name).unlink()
        (folder / name).symlink_to("/etc/passwd")
        response = people["vera"].get(f"/v1/builds/linked/files/{name}")
        assert response.status_code in (404, 422), name
        assert b"root:" not in response.content
    shutil.rmtree(folder)


def test_evaluations_and_studies_are_of_their_kind(
    service: ServedService, people: dict[str, httpx.Client]
) -> None:
    study = service.service.settings.target("study")
    shutil.copytree(STUDY, study)
    vera, bob = people["vera"], people["bob"]
    listed = get(vera, "/v1/studies")["entries"]
    assert [entry["name"] for entry in listed] == ["study"]
    assert get(bob, "/v1/studies")["entries"] == []
    view = get(vera, "/v1/studies/study")
    assert view["study"]["name"]
    assert get(vera, "/v1/evaluations") == {"entries": [], "next": None}
    for path in ("/v1/evaluations/mine", "/v1/studies/mine", "/v1/builds/study"):
        assert vera.get(path).status_code == 404, path
    for path in ("/v1/studies/study", "/v1/studies/study/report"):
        assert bob.get(path).status_code == 404, path
    assert vera.get("/v1/studies/study/report").status_code in (200, 404)
