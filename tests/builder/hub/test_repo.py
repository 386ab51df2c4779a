"""HubRepo as a target: what it does to a repo, by the real client, on a real small Hub."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.hub.target import RemoteState
from tests.builder.hub.conftest import Ask, Refused
from tests.support.hub.running import ROOT, SmallHub
from tests.support.hub.server import READER, STRANGER

Files = dict[str, Path]
Get = Any
PUT, COMMIT = "PUT /_lfs/", "POST /api/datasets/lab/x/commit/"


def begun(state: Get, *, private: bool = False) -> str:
    """The commit that the Hub begins lab/x with."""
    commit: str | None = state("create", private=private).commit
    assert commit is not None
    return commit


def test_a_release_goes_up_and_comes_back(
    hub: SmallHub, ask: Ask, state: Get, release: Files, tmp_path: Path
) -> None:
    assert state() == RemoteState(None, {}, {})
    parent = begun(state)
    assert list(state().files) == [".gitattributes"]
    told: dict[str, Any] = {}
    add = {**release, "old.txt": release["manifest.json"]}
    first = ask(
        "commit_files", parent=parent, add=add, delete=[], message="one", told=told
    )
    total = sum(path.stat().st_size for path in add.values())
    assert told["progress"] == [[0, total], [total, total]]
    there = state()
    assert there.commit == first
    assert set(there.files) == {".gitattributes", *add}
    assert all(there.files[path].matches(local) for path, local in add.items())
    assert (
        there.files["README.md"].sha256,
        there.files["post_cot/test.parquet"].git_blob,
    ) == (None, None)

    ask("set_tag", name="v1.0.0", commit=first, move=False)
    release["manifest.json"].write_text('{"two": 2}')
    second = ask(
        "commit_files", parent=first, add=release, delete=["old.txt"], message="two"
    )
    assert state() == (second, state(revision="main").files, {"v1.0.0": first})
    assert "old.txt" not in state().files
    assert state(revision="v1.0.0") == (first, there.files, {"v1.0.0": first})
    assert hub.store.info("datasets/lab/x", second)["message"] == "two"

    folder = tmp_path / "back"
    ask("fetch_files", paths=list(release), commit=second, folder=folder, told=told)
    assert {path: (folder / path).read_bytes() for path in release} == {
        path: local.read_bytes() for path, local in release.items()
    }
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "manifest.json",
        "post_cot",
    ]
    total = sum(path.stat().st_size for path in release.values())
    assert told["progress"][-1] == [total, total]


def test_what_the_hub_has_is_not_sent_again(
    hub: SmallHub, ask: Ask, state: Get, release: Files
) -> None:
    parent = begun(state)
    hub.dial({"on": "^" + COMMIT, "do": "status", "status": 400, "error": "not today"})
    commit = {"parent": parent, "add": release, "delete": [], "message": "one"}
    with pytest.raises(Refused, match="not today"):
        ask("commit_files", **commit)
    sent = hub.requests(PUT)
    in_parts, whole = (
        release[f"post_cot/{split}.parquet"].stat().st_size
        for split in ("train", "test")
    )
    assert sorted(entry["num_bytes"] for entry in sent) == sorted(
        [50_000] * (in_parts // 50_000) + [in_parts % 50_000, whole]
    )
    done = ask("commit_files", **commit)
    assert hub.requests(PUT) == sent
    assert set(state().files) == {".gitattributes", *release}
    # Nor is there another commit where nothing differs.
    assert ask("commit_files", **{**commit, "parent": done}) == done


def test_an_upload_that_breaks_off_is_sent_again(
    hub: SmallHub, ask: Ask, state: Get, release: Files
) -> None:
    parent = begun(state)
    hub.dial(
        {"on": "^PUT", "nth": 2, "do": "drop", "after_bytes": 10_000},
        {"on": "^PUT", "nth": 4, "do": "status", "status": 500},
    )
    commit = ask("commit_files", parent=parent, add=release, delete=[], message="one")
    sent = [entry["path"] for entry in hub.requests(PUT)]
    assert len(sent) == len(set(sent)) + 2
    assert state().commit == commit
    assert hub.store.read("datasets/lab/x").keys() == {".gitattributes", *release}


def test_files_that_stand_there_whole_are_not_fetched(
    hub: SmallHub, ask: Ask, release: Files, tmp_path: Path
) -> None:
    commit = hub.store.push(
        "datasets/lab/x", {path: local.read_bytes() for path, local in release.items()}
    )
    folder = tmp_path / "back"
    # No answer at first to one of them, of which the client asks again.
    hub.dial({"on": "^GET .*/train.parquet", "do": "drop"})
    ask("fetch_files", paths=list(release), commit=commit, folder=folder)
    hub.dial()
    fetched = hub.requests("GET /datasets/lab/x/resolve/")
    (folder / "README.md").write_text("edited by somebody, at the same commit")
    (folder / "post_cot/test.parquet").unlink()
    ask("fetch_files", paths=list(release), commit=commit, folder=folder)
    again = hub.requests("GET /datasets/lab/x/resolve/")[len(fetched) :]
    assert [entry["path"].rpartition("/")[2] for entry in again] == [
        "README.md",
        "test.parquet",
    ]
    assert all(
        (folder / path).read_bytes() == local.read_bytes()
        for path, local in release.items()
    )


def test_a_push_in_between_is_noticed(
    hub: SmallHub, ask: Ask, state: Get, release: Files
) -> None:
    parent = begun(state)
    commit = {"parent": parent, "add": release, "delete": [], "message": "one"}
    hub.dial({"on": "^" + COMMIT, "do": "sneak"})
    with pytest.raises(
        Refused,
        match=r"^PublishError: lab/x: someone pushed to it meanwhile, and nothing was over",
    ):
        ask("commit_files", **commit)
    assert set(hub.store.read("datasets/lab/x")) == {".gitattributes", "sneaked.txt"}
    sent = hub.requests(PUT)
    with pytest.raises(
        Refused,
        match=rf"someone pushed to it meanwhile: the newest commit is .* no longer {parent[:12]}",
    ):
        ask("commit_files", **commit)
    with pytest.raises(Refused, match="no longer none"):
        ask("commit_files", **{**commit, "parent": None})
    assert hub.requests(PUT) == sent
    ask("commit_files", **{**commit, "parent": state().commit})
    assert set(state().files) == {".gitattributes", "sneaked.txt", *release}


def test_a_commit_whose_answer_was_lost_is_ours(
    hub: SmallHub, ask: Ask, state: Get, release: Files
) -> None:
    parent = begun(state)
    hub.dial({"on": "^" + COMMIT, "do": "drop", "late": True})
    commit = ask("commit_files", parent=parent, add=release, delete=[], message="one")
    assert commit == state().commit
    assert hub.store.info("datasets/lab/x", commit)["parent"] == parent


def test_tags(hub: SmallHub, ask: Ask, state: Get) -> None:
    first = hub.store.push("datasets/lab/x", {"a.txt": b"a"})
    second = hub.store.push("datasets/lab/x", {"a.txt": b"b"})
    ask("set_tag", name="v1.0", commit=first, move=False)
    ask("set_tag", name="v1.0", commit=first, move=False)
    with pytest.raises(
        Refused,
        match=rf"lab/x: tag 'v1.0' is already at commit {first[:12]}. .* --move-tag",
    ):
        ask("set_tag", name="v1.0", commit=second, move=False)
    assert state().tags == {"v1.0": first}
    ask("set_tag", name="v1.0", commit=second, move=True)
    # The answer to this one is lost: that it exists, the second time, is no fault.
    hub.dial({"on": "^POST .*/tag/", "do": "drop", "late": True})
    ask("set_tag", name="v1.1", commit=first, move=False)
    assert state().tags == {"v1.0": second, "v1.1": first}


def test_private_repos(hub: SmallHub, ask: Ask, state: Get) -> None:
    commit = begun(state, private=True)
    assert state(token=READER).commit == commit
    assert state(token=STRANGER) == RemoteState(None, {}, {})
    with pytest.raises(
        Refused, match="lab/x: no such dataset on the Hub, or it is private"
    ):
        ask(
            "fetch_files",
            paths=[".gitattributes"],
            commit=commit,
            folder="nowhere",
            token=STRANGER,
        )
    # To create it again changes nothing.
    assert state("create", private=False).commit == commit
    assert hub.store.repo("datasets/lab/x") == ("datasets/lab/x", True, False)


def test_a_hub_that_was_killed_goes_on(
    hub: SmallHub, ask: Ask, state: Get, release: Files
) -> None:
    parent = begun(state)
    hub.kill()
    hub.start()
    commit = ask("commit_files", parent=parent, add=release, delete=[], message="one")
    hub.kill()
    hub.start()
    assert state().commit == commit
    assert (
        hub.store.read("datasets/lab/x")["README.md"]
        == release["README.md"].read_bytes()
    )


COMMITS = """
import sys
from pathlib import Path
from cotbuild.builder.hub.repo import HubRepo
repo, add = HubRepo("lab/x"), {path: Path(local) for path, local in zip(sys.argv[1::2], sys.argv[2::2])}
print(repo.commit_files(repo.create(private=False).commit, add, [], "one", lambda done, total: None))
"""
KILLS: list[tuple[str, dict[str, Any]]] = [
    ("in the middle of an upload", {"on": "^PUT", "nth": 3, "after_bytes": 1000}),
    ("after the commit, before its answer", {"on": "^" + COMMIT, "late": True}),
]


def test_killed_at_any_time_a_rerun_makes_it_whole(
    hub: SmallHub, release: Files, tmp_path: Path
) -> None:
    words = [
        sys.executable,
        "-c",
        COMMITS,
        *(str(word) for file in release.items() for word in file),
    ]
    for n, (when, fault) in enumerate(KILLS):
        release["post_cot/train.parquet"].write_bytes(bytes([n]) * 200_000)
        hub.store.create("datasets/lab/x")
        before = hub.store.read("datasets/lab/x")
        pid_file = tmp_path / f"pid{n}"
        hub.dial({"do": "kill", "pid_file": str(pid_file), **fault})
        with subprocess.Popen(
            words, env=hub.env, cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            pid_file.write_text(str(process.pid))
        assert process.returncode == -9, when
        whole = {
            ".gitattributes": before[".gitattributes"],
            **{p: f.read_bytes() for p, f in release.items()},
        }
        assert hub.store.read("datasets/lab/x") == (
            whole if fault.get("late") else before
        ), when
        rerun = subprocess.run(
            words, env=hub.env, cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert rerun.stdout.strip() == hub.store.resolve("datasets/lab/x", "main"), when
        assert hub.store.read("datasets/lab/x") == whole, when


def test_a_tag_loads_with_nothing_but_datasets(hub: SmallHub, release: Files) -> None:
    hub.store.create("datasets/lab/x", private=True)
    commit = hub.store.push(
        "datasets/lab/x", {path: local.read_bytes() for path, local in release.items()}
    )
    hub.store.tag("datasets/lab/x", "v1.0.0", commit)
    hub.store.push("datasets/lab/x", {"README.md": b"---\nconfigs: []\n---\n"})
    code = """
import datasets
for streaming in (False, True):
    loaded = datasets.load_dataset("lab/x", "post_cot", revision="v1.0.0", streaming=streaming)
    print({split: [len(list(rows)), next(iter(rows))] for split, rows in loaded.items()})
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=hub.env,
        capture_output=True,
        text=True,
        check=True,
    )
    row = {"prompt": "0 cups?"}
    assert (
        done.stdout.splitlines()
        == [str({"train": [20_000, row], "test": [3, row]})] * 2
    )
