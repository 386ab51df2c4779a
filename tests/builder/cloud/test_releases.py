"""Releases on a store: published, pulled, verified; older ones stay."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.api import Build
from cotbuild.builder.cloud.snapshots import Snapshot, SnapshotStore
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.release.store import StoreTarget
from cotbuild.schemas.errors import ConfigError, PublishError
from tests.builder.cloud.conftest import new_place, use_server
from tests.support.commands import PROGRAM, invoke, published
from tests.support.fault_proxy import run_fault_proxy
from tests.support.http_teacher import free_port
from tests.support.object_stores import ObjectServer
from tests.support.waiting import HANG_S, wait_until


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("builds") / "build"
    invoke("generate", "--source", "bundled", "--teacher", "scripted", "--out", out)
    invoke("variants", out, "--only", "post_cot,label_only")
    return out


@pytest.fixture(params=["moto", pytest.param("localbucket", marks=pytest.mark.slow)])
def place(
    request: pytest.FixtureRequest,
    find_server: Callable[[str], ObjectServer],
    monkeypatch: pytest.MonkeyPatch,
) -> StoreUrl:
    server = use_server(find_server(request.param), monkeypatch)
    return new_place(server.scheme)


def test_a_release_goes_up_and_comes_back(
    build: Path, place: StoreUrl, tmp_path: Path
) -> None:
    plan = invoke("publish", build, place, "--tag", "v1", "--dry-run")
    assert "dry run: nothing was sent" in plan.stdout
    first = invoke("publish", build, place, "--tag", "v1")
    assert "read back and compared" in first.stdout
    assert f"next: cotbuild pull {place}@v1 DIR" in first.stdout
    again = invoke("publish", build, place, "--tag", "v1")
    assert f"nothing to publish: {place}@v1 is this release already" in again.stdout
    invoke("publish", build, place, "--tag", "v2", "--configs", "post_cot")
    assert "verified" in invoke("verify", f"{place}@v1").stdout
    invoke("pull", f"{place}@v1", tmp_path / "pulled")
    assert (tmp_path / "pulled" / "label_only").is_dir()
    invoke("pull", place, tmp_path / "newest")
    assert not (tmp_path / "newest" / "label_only").exists()
    original, pulled = published(build), published(tmp_path / "pulled")
    rows = {path for path in original if path.endswith(".parquet")}
    assert {path: pulled[path] for path in rows} == {
        path: original[path] for path in rows
    }


def test_a_tag_is_not_moved_unless_asked(build: Path, place: StoreUrl) -> None:
    invoke("publish", build, place, "--tag", "v1")
    taken = invoke(
        "publish", build, place, "--tag", "v1", "--configs", "post_cot", code=1
    )
    assert "names another release" in taken.output
    invoke(
        "publish", build, place, "--tag", "v1", "--configs", "post_cot", "--move-tag"
    )
    unknown = invoke("verify", f"{place}@v9", code=1)
    assert "no tag or commit 'v9'. Tags there: v1." in unknown.output


def test_of_two_publishers_one_is_told(place: StoreUrl, tmp_path: Path) -> None:
    local = tmp_path / "a"
    local.write_text("a")
    one, two = StoreTarget(place), StoreTarget(place)
    assert one.read_state().commit is None
    one.commit_files(None, {"a": local}, [], "", lambda *_: None)
    with pytest.raises(PublishError, match="someone published to it meanwhile"):
        two.commit_files(None, {"b": local}, [], "", lambda *_: None)


class TaggedMeanwhile(SnapshotStore):
    """Versions of which somebody tags the newest one right before one is published."""

    def __init__(self, target: StoreTarget, commit: str) -> None:
        super().__init__(target._blobs)
        self._target, self._commit = target, commit

    def publish(self, snapshot: Snapshot) -> bool:
        self._target.set_tag("v1", self._commit, move=False)
        return super().publish(snapshot)


def test_a_commit_goes_on_top_of_a_tag_that_came_meanwhile(
    place: StoreUrl, tmp_path: Path
) -> None:
    local = tmp_path / "a"
    local.write_text("a")
    one, two = StoreTarget(place), StoreTarget(place)
    first = one.commit_files(None, {"a": local}, [], "", lambda *_: None)
    two._snapshots = TaggedMeanwhile(one, first)
    second = two.commit_files(first, {"b": local}, [], "", lambda *_: None)
    state = one.read_state()
    assert (state.commit, state.tags) == (second, {"v1": first})
    assert sorted(state.files) == ["a", "b"]


def test_private_is_refused_where_a_bucket_decides(
    build: Path, place: StoreUrl
) -> None:
    refused = invoke("publish", build, place, "--private", code=2)
    assert f"{place}: --private" in refused.output
    with pytest.raises(ConfigError, match="who may read a bucket"):
        Build.open(build).publish(str(place), private=True, progress=False)


def test_a_release_is_not_published_over_a_build(
    build: Path,
    place: StoreUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    invoke("generate", "--source", "bundled", "--teacher", "scripted", "--out", place)
    refused = invoke("publish", build, place, code=1)
    assert "a build with its answers is there" in refused.output
    there = place._replace(prefix=place.prefix + "-released")
    invoke("publish", place, there, "--tag", "v1")
    assert "verified" in invoke("verify", there).stdout
    for words in (
        ("variants", there, "--only", "post_cot"),
        ("generate", "--source", "bundled", "--teacher", "scripted", "--out", there),
    ):
        refused = invoke(*words, code=1)
        assert f"{there}: a release is there" in refused.output
    assert "verified" in invoke("verify", f"{there}@v1").stdout


@pytest.mark.slow
def test_a_publish_that_is_killed_leaves_the_older_release_and_goes_on(
    build: Path,
    moto: ObjectServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = new_place()
    invoke("publish", build, place, "--configs", "post_cot")
    port = free_port()
    with run_fault_proxy(port, moto.port) as proxy:
        use_server(moto, monkeypatch, port)
        proxy.methods = frozenset({"PUT"})
        proxy.shares = {"slow": 1.0}
        process = subprocess.Popen([*PROGRAM, "publish", str(build), str(place)])
        wait_until(lambda: proxy.made["slow"] >= 2 or process.poll() is not None)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(HANG_S)
        proxy.shares = {}
        assert "verified" in invoke("verify", place).stdout
        newest = SnapshotStore(StoreTarget(place)._blobs).newest()
        assert newest is not None
        assert newest.number == 1
        invoke("publish", build, place)
        assert "verified" in invoke("verify", place).stdout


def test_bytes_that_differ_are_refused(
    build: Path, place: StoreUrl, tmp_path: Path
) -> None:
    invoke("publish", build, place)
    target = StoreTarget(place)
    newest = SnapshotStore(target._blobs).newest()
    assert newest is not None
    path = next(path for path in newest.files if path.endswith(".parquet"))
    target._blobs.write(f"{newest.folder}/{path}", b"x" * newest.files[path].num_bytes)
    for words in (("verify", place), ("pull", place, tmp_path / "pulled")):
        refused = invoke(*words, code=1)
        assert "as listed" in refused.output
        assert len(refused.stderr.splitlines()) <= 3
