"""Releases that somebody altered after they were published: reading one changes and
reaches nothing here.
"""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cotbuild.builder.cli.args import build_config
from cotbuild.builder.release.folder import FolderTarget
from cotbuild.builder.storage.places import safe_place
from cotbuild.schemas.errors import ConfigError, PublishError
from cotbuild.schemas.manifest import TemplateEntry
from cotbuild.schemas.teacher_config import ServerConfig
from tests.support.commands import invoke, rows
from tests.support.http_teacher import serve

JSON = dict[str, Any]
Edit = Callable[[JSON], object]


@pytest.fixture(scope="session")
def published_once(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of `finished` in a folder. Not to be written to: see `release`."""
    folder = tmp_path_factory.mktemp("published") / "release"
    invoke("publish", finished, f"file:{folder}", "--tag", "v1")
    return folder


@pytest.fixture
def release(published_once: Path, tmp_path: Path) -> Path:
    """A copy that a test alters."""
    return Path(shutil.copytree(published_once, tmp_path / "release"))


def edit_json(path: Path, edit: Edit) -> None:
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def contents(folder: Path) -> dict[str, bytes | str]:
    """Every file and link below a folder, by path."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = str(path.readlink())
        elif path.is_file():
            found[str(path)] = path.read_bytes()
    return found


# -- pending.json ------------------------------------------------------------------------------------------------------


def put_pending(release: Path, add: list[str], delete: list[str]) -> None:
    """Leave a decided commit; what it adds waits in incoming/, by whatever path leads
    there.
    """
    incoming = release / ".release" / "incoming"
    incoming.mkdir(parents=True)
    for path in add:
        (incoming / path).parent.mkdir(parents=True, exist_ok=True)
        (incoming / path).write_text("OWNED")
    pending = {"format_version": 1, "add": add, "delete": delete}
    (release / ".release" / "pending.json").write_text(json.dumps(pending))


def readers(finished: Path, release: Path, out: Path) -> Iterator[list[object]]:
    target = f"file:{release}"
    yield ["verify", target]
    yield ["pull", target, out]
    yield ["publish", finished, target, "--dry-run"]


def silent(done: int, total: int) -> None:
    """No progress."""


def test_no_command_but_publish_carries_out_a_pending_commit(
    finished: Path, release: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put_pending(release, ["../../outside/over.txt"], [str(outside / "mine.txt")])
    for name in ("mine.txt", "over.txt"):
        (outside / name).write_text("mine")
    before = contents(tmp_path)
    for words in readers(finished, release, tmp_path / "out"):
        refused = invoke(*words, code=1).stderr.splitlines()
        assert refused[-1].startswith(
            f"error: file:{release}: a publish to this folder was interrupted"
        ), words
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    assert contents(tmp_path) == before
    refused = invoke("publish", finished, f"file:{release}", code=1).stderr.splitlines()
    assert refused[-1].startswith(f"error: file:{release}: unsafe file name ")
    assert contents(outside) == {
        str(outside / name): b"mine" for name in ("mine.txt", "over.txt")
    }


@pytest.mark.parametrize(
    ("add", "delete"),
    [
        ([], ["OUTSIDE/mine.txt"]),
        ([], ["../outside/mine.txt"]),
        (["../../outside/mine.txt"], []),
        (["sub/../../outside/mine.txt"], []),
        ([".release/release.json"], []),
        ([], ["linked/mine.txt"]),
        (["linked/mine.txt"], []),
        ([], ["notes.txt"]),
        (["notes.txt"], []),
    ],
)
def test_a_pending_commit_touches_nothing_outside_the_release(
    release: Path, tmp_path: Path, add: list[str], delete: list[str]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put_pending(
        release, add, [path.replace("OUTSIDE", str(outside)) for path in delete]
    )
    (outside / "mine.txt").write_text("mine")
    (release / "linked").symlink_to(outside)
    (release / "notes.txt").write_text("mine")
    before, target = contents(tmp_path), FolderTarget(release)
    with pytest.raises(PublishError, match="a publish to this folder was interrupted"):
        target.read_state()
    assert contents(tmp_path) == before
    with pytest.raises(PublishError):
        target.finish_interrupted()
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "place", [".release", ".release/incoming", ".release/lock", "post_cot"]
)
def test_a_publish_does_not_write_through_a_link(
    finished: Path, tmp_path: Path, place: str
) -> None:
    release, outside = tmp_path / "release", tmp_path / "outside"
    outside.mkdir()
    (release / place).parent.mkdir(parents=True)
    (release / place).symlink_to(outside)
    name = "post_cot/train-00000-of-00001.parquet"
    with pytest.raises(PublishError, match=r"not a directory|not a regular file"):
        FolderTarget(release).commit_files(
            None, {name: finished / name}, [], "", silent
        )
    assert contents(outside) == {}


def test_a_publish_that_was_interrupted_says_so_to_readers_and_is_finished_by_the_same_command(
    build: Path, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("variants", build, "--only", "post_cot,pre_cot")
    target = FolderTarget(release)
    state = target.read_state()
    add = {
        path.relative_to(build).as_posix(): path
        for path in sorted((build / "pre_cot").iterdir())
    }

    class KilledError(Exception):
        pass

    def kill(_: FolderTarget, __: str) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(FolderTarget, "_install", kill)
        with pytest.raises(KilledError):
            target.commit_files(state.commit, add, [], "", silent)
    with pytest.raises(PublishError, match="a publish to this folder was interrupted"):
        target.read_state()
    before = contents(release)
    assert "was interrupted" in invoke("verify", f"file:{release}", code=1).stderr
    assert contents(release) == before
    invoke("publish", build, f"file:{release}", "--tag", "v2")
    assert "verified." in invoke("verify", f"file:{release}@v2").stdout
    assert not (release / ".release" / "incoming").exists()


# -- files that are none -----------------------------------------------------------------------------------------------


def put_pipe(place: Path) -> None:
    os.mkfifo(place)


def put_link(place: Path) -> None:
    place.symlink_to("/etc/hostname")


@pytest.mark.parametrize("put", [put_pipe, put_link])
def test_what_is_no_regular_file_is_not_read(
    release: Path, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    picture = release / "figures" / "lengths.png"
    picture.unlink()
    put(picture)
    for words in (
        ["verify", f"file:{release}"],
        ["pull", f"file:{release}", tmp_path / "out"],
    ):
        assert (
            "'figures/lengths.png' is not a regular file"
            in invoke(*words, code=1).stderr
        )


def test_a_place_in_a_release_lies_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "really"
    folder.mkdir()
    (tmp_path / "folder").symlink_to(folder)
    assert (
        safe_place(tmp_path / "folder", "a/b", "x", PublishError)
        == tmp_path / "folder" / "a" / "b"
    ), "its own link is its owner's"
    (folder / "a").write_text("")
    with pytest.raises(PublishError, match="'a' in 'a/b' is not a directory"):
        safe_place(folder, "a/b", "x", PublishError)
    for path in ("a\0b", "./a", "a//b", "/a"):
        with pytest.raises(PublishError, match="unsafe file name"):
            safe_place(folder, path, "x", PublishError)


# -- templates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["/a/own@1", "../../own@1", "own@1/../x@1", ".own@1", "own", "own@1\n", "own@01"],
)
def test_a_template_is_called_by_a_plain_name(name: str) -> None:
    assert TemplateEntry(template="own_2@10", fingerprint="f").template == "own_2@10"
    with pytest.raises(ValidationError, match="should match pattern"):
        TemplateEntry(template=name, fingerprint="f")


def test_a_template_is_written_only_inside_the_pulled_build(
    release: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "own.yaml").write_text("mine")
    edit_json(
        release / "manifest.json",
        lambda m: m["templates"][0].update(template=str(outside / "own")),
    )
    for words in (
        ["verify", f"file:{release}"],
        ["pull", f"file:{release}", tmp_path / "out"],
    ):
        assert "templates.0.template is " in invoke(*words, code=1).stderr
    assert contents(outside) == {str(outside / "own.yaml"): b"mine"}
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_template_that_does_not_have_its_fingerprint_is_not_pulled(
    release: Path, tmp_path: Path
) -> None:
    edit_json(
        release / "manifest.json",
        lambda manifest: manifest["templates"][0]["content"].update(system="Be wrong."),
    )
    refused = invoke("pull", f"file:{release}", tmp_path / "out", code=1).stderr
    assert (
        "manifest.json: template choice_few_shot@1: its content has fingerprint "
        in refused
    )
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert not (tmp_path / "out" / ".answers" / "templates").exists()


# -- build.json --------------------------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        yield sock


def journals(out: Path) -> dict[str, bytes | str]:
    return {
        path: data
        for path, data in contents(out / ".answers").items()
        if path.endswith(".journal")
    }


def nobody_came(listener: socket.socket) -> bool:
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


def hostile_teacher(url: str) -> JSON:
    server = {"extra_args": ["--trust-remote-code", "--middleware", "evil.mod"]}
    return {
        "model": "/home/you/model",
        "endpoints": [url],
        "revision": "r",
        "server": server,
        "recorded": "other",
    }


def test_a_pulled_configuration_reaches_starts_and_reads_nothing(
    finished: Path,
    release: Path,
    tmp_path: Path,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

    def alter(config: JSON) -> None:
        config["teacher"].update(hostile_teacher(url))
        config["source"]["name"] = "/home/you/questions"
        config["source"]["fetch_images"] = True

    edit_json(release / "build.json", alter)
    out = tmp_path / "out"
    said = invoke("pull", f"file:{release}", out)
    cut = (
        "source.name, source.fetch_images, teacher.model, teacher.endpoints, "
        "teacher.server"
    )
    assert (
        f"{out}/build.json: settings of the publisher's machine were left out: how to reach the teacher, {cut}"
        in said.stderr
    )
    text = (out / "build.json").read_text()
    assert not [word for word in ("127.0.0.1", "evil", "/home/you") if word in text]
    manifest, config = (
        json.loads((out / name).read_text()) for name in ("manifest.json", "build.json")
    )
    assert config["teacher"]["recorded"] == manifest["teacher"]
    assert config["teacher"]["endpoints"] == []

    again = [
        "generate",
        "--config",
        out / "build.json",
        "--source",
        finished.parent,
        "--out",
        out,
        "--allow-unscored",
    ]
    assert (
        "no open requests: no server would be started"
        in invoke(*again, "--dry-run").stdout
    )
    assert invoke(*again).stdout.startswith("no open requests, no server started")
    assert rows(out) == rows(finished)
    before = journals(out)
    for more in (["--samples", "2"], ["--samples", "2", "--dry-run"], ["--fresh"]):
        stopped = invoke(*again, *more, code=2).stderr.splitlines()
        assert stopped[-1].startswith(
            "error: teacher: requests are left to ask, and 'model' came with a pulled release"
        )
        assert "--teacher MODEL" in stopped[-1]
        assert "--endpoint URL" in stopped[-1]
    assert journals(out) == before
    assert nobody_came(listener)


def test_a_configuration_beside_a_release_is_received_like_a_pulled_one(
    release: Path,
) -> None:
    config = release / "build.json"
    edit_json(
        config, lambda c: c["teacher"].update(hostile_teacher("http://x.test/v1"))
    )
    said: list[str] = []
    received = build_config(config, {}, say=said.append)
    identity = json.loads((release / "manifest.json").read_text())["teacher"]
    teacher = received.teacher
    assert (teacher.model, teacher.recorded) == ("model", identity)
    assert (teacher.endpoints, teacher.server) == ((), ServerConfig())
    assert said == [
        f"{config}: settings of the publisher's machine were left out: how to reach the "
        "teacher, teacher.model, teacher.endpoints, teacher.server"
    ]
    (release / "manifest.json").unlink()
    with pytest.raises(
        ConfigError, match=r"a release that has no whole manifest\.json"
    ):
        build_config(config, {})


def test_a_configuration_of_ones_own_build_keeps_its_settings(
    finished: Path, tmp_path: Path
) -> None:
    build = Path(shutil.copytree(finished, tmp_path / "build"))
    url = "http://127.0.0.1:1/v1"
    edit_json(build / "build.json", lambda c: c["teacher"].update(endpoints=[url]))
    assert build_config(build / "build.json", {}).teacher.endpoints == (url,)


def test_a_teacher_that_is_named_takes_the_place_of_the_recorded_one(
    finished: Path, release: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    invoke("pull", f"file:{release}", out)
    again = [
        "generate",
        "--config",
        out / "build.json",
        "--source",
        finished.parent,
        "--out",
        out,
        "--samples",
        "2",
        "--allow-unscored",
    ]
    # Named once more it is the same teacher, by its dials: what it answered stands.
    assert (
        "60 requests: 30 already answered"
        in invoke(*again, "--teacher", "scripted", "--dry-run").stdout
    )
    assert (
        "60 requests: 30 already answered"
        in invoke(*again, "--set", "teacher.model=scripted").stderr
    )
    assert "recorded" not in json.loads((out / "build.json").read_text())["teacher"]


def test_a_build_of_an_endpoint_comes_back_and_goes_out_as_it_was(
    finished: Path, tmp_path: Path
) -> None:
    build, folder, out, again = (
        tmp_path / name for name in ("build", "release", "out", "again")
    )
    source = finished.parent / "train.jsonl"
    with serve() as server:
        invoke(
            "generate",
            "--source",
            source,
            "--teacher",
            "fake",
            "--endpoint",
            server.url,
            "--out",
            build,
        )
        invoke("publish", build, f"file:{folder}")
        invoke("pull", f"file:{folder}", out)
        invoke("publish", out, f"file:{again}")
        for name in ("build.json", "manifest.json"):
            assert (again / name).read_bytes() == (folder / name).read_bytes()
        words = [
            "generate",
            "--config",
            out / "build.json",
            "--source",
            source,
            "--out",
            out,
            "--samples",
            "2",
        ]
        asked = server.stats()["requests"]
        invoke(*words, "--endpoint", server.url)
        assert server.stats()["requests"] == 2 * asked
