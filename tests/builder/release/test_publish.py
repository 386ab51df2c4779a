"""cotbuild publish, by the command line and the real client, to a folder and to a
real small Hub.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builder.release.conftest import REPO, Run, files_of
from tests.support.commands import invoke, published, rows
from tests.support.hub.running import SmallHub

COMMIT = f"^POST /api/datasets/{REPO}/commit/"
HUB_ID = f"datasets/{REPO}"


def parquet(build: Path) -> set[str]:
    return {path.relative_to(build).as_posix() for path in build.rglob("*.parquet")}


def generated(build: Path) -> set[str]:
    pictures = {f"figures/{name}.png" for name in ("verdicts", "lengths", "variants")}
    return {"manifest.json", "build.json", "README.md", *pictures, *parquet(build)}


def bytes_sent(hub: SmallHub) -> int:
    return sum(entry["num_bytes"] for entry in hub.requests("PUT /_lfs/"))


# -- the Hub -----------------------------------------------------------------------------------------------------------


def test_a_release_is_one_commit_and_a_tag_and_publishing_it_again_does_nothing(
    hub: SmallHub, at_hub: Run, build: Path
) -> None:
    words = ["publish", build, REPO, "--tag", "v1.0.0"]
    said = at_hub(*words, "--dry-run").stdout.splitlines()
    assert said[0] == "lab/x  tag v1.0.0  licence unknown"
    assert said[-1] == "dry run: nothing was sent"
    assert hub.store.repo(HUB_ID) is None

    said = at_hub(*words).stdout.splitlines()
    files = files_of(hub)
    assert files.keys() == {".gitattributes", *generated(build)}
    assert all(files[path] == (build / path).read_bytes() for path in parquet(build))
    head = hub.store.refs(HUB_ID, "heads")["main"]
    assert hub.store.refs(HUB_ID, "tags") == {"v1.0.0": head}
    first = hub.store.info(HUB_ID, head)["parent"]
    assert hub.store.info(HUB_ID, first)["message"] == "initial commit"
    manifest = json.loads(files["manifest.json"])
    assert manifest["run"] is None
    assert said[-3:] == [
        f"published {len(generated(build))} files and tag v1.0.0; read back and compared",
        f"lab/x@v1.0.0  commit {head[:12]}  fingerprint {manifest['fingerprint'][:16]}",
        'next: load_dataset("lab/x", "post_cot", revision="v1.0.0")',
    ]

    before = bytes_sent(hub)
    assert (
        at_hub(*words).stdout.splitlines()[-3]
        == "nothing to publish: lab/x@v1.0.0 is this release already"
    )
    # Also where somebody has put a file of their own beside it since.
    hub.store.push(HUB_ID, {"notes.txt": b"mine"})
    assert "nothing to publish" in at_hub(*words).stdout
    assert (bytes_sent(hub), hub.store.refs(HUB_ID, "tags")) == (
        before,
        {"v1.0.0": head},
    )


def test_only_what_differs_goes_up_and_what_is_no_longer_named_goes(
    hub: SmallHub, at_hub: Run, build: Path
) -> None:
    at_hub("publish", build, REPO, "--tag", "v1.0.0")
    hub.store.push(HUB_ID, {"notes.txt": b"mine", "label_only/extra.txt": b"mine too"})
    before, sent = files_of(hub), bytes_sent(hub)
    invoke("variants", build, "--only", "post_cot,pre_cot")
    done = at_hub("publish", build, REPO, "--tag", "v1.1.0")
    after = files_of(hub)
    assert after.keys() == {
        ".gitattributes",
        "notes.txt",
        "label_only/extra.txt",
        *generated(build),
    }
    new = {path for path in after if path.startswith("pre_cot/")}
    assert {path for path in after if after[path] != before.get(path)} == new | {
        "manifest.json", "README.md", "figures/variants.png",
    }  # fmt: skip
    assert {path for path in before if path not in after} == {
        p for p in before if p.startswith("label_only/t")
    }
    assert f"new       {len(new)} files" in done.stdout
    assert bytes_sent(hub) - sent == sum(
        len(after[path]) for path in new | {"figures/variants.png"}
    )
    assert files_of(hub, "v1.0.0") == {
        path: before[path] for path in files_of(hub, "v1.0.0")
    }


@pytest.mark.slow
def test_a_tag_is_never_moved_unless_that_is_asked_for(
    hub: SmallHub, at_hub: Run, build: Path
) -> None:
    at_hub("publish", build, REPO, "--tag", "v1")
    head, sent = hub.store.refs(HUB_ID, "heads")["main"], bytes_sent(hub)
    invoke("variants", build, "--only", "pre_cot")
    refused = at_hub("publish", build, REPO, "--tag", "v1", code=1)
    assert refused.stderr.splitlines()[-1] == (
        f"error: lab/x: tag 'v1' names another release, at commit {head[:12]}. "
        "Choose another --tag, or move it with --move-tag."
    )
    assert (hub.store.refs(HUB_ID, "heads")["main"], bytes_sent(hub)) == (head, sent)
    at_hub("publish", build, REPO, "--tag", "v1", "--move-tag")
    moved = hub.store.refs(HUB_ID, "heads")["main"]
    assert moved != head
    assert hub.store.refs(HUB_ID, "tags") == {"v1": moved}
    for tag in ("main", "a b", "deadbeef"):
        assert "--tag" in at_hub("publish", build, REPO, "--tag", tag, code=2).stderr


@pytest.mark.slow
def test_some_configs_alone_are_a_release_that_can_be_checked(
    hub: SmallHub, at_hub: Run, build: Path
) -> None:
    at_hub("publish", build, REPO, "--tag", "v1", "--configs", "label_only")
    names = {
        path.partition("/")[0] for path in files_of(hub) if path.endswith(".parquet")
    }
    assert names == {"rationales", "questions", "label_only"}
    assert "in 1 variants" in at_hub("verify", f"{REPO}@v1", "--all").stdout
    unknown = at_hub("publish", build, REPO, "--configs", "nope", code=2)
    assert "error: --configs: no config 'nope'. Choose from [" in unknown.stderr
    # The other variant comes along later, and goes again.
    at_hub("publish", build, REPO, "--tag", "v2")
    assert "in 2 variants" in at_hub("verify", f"{REPO}@v2", "--all").stdout


def test_a_file_of_somebody_elses_is_not_overwritten(
    hub: SmallHub, at_hub: Run, build: Path
) -> None:
    hub.store.push(HUB_ID, {"README.md": b"# mine", "build.json": b"{}"})
    refused = at_hub("publish", build, REPO, code=1)
    assert (
        "error: lab/x: 'build.json' exists and is not part of a release by cotbuild."
        in refused.stderr
    )
    assert files_of(hub)["build.json"] == b"{}"


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ({"on": COMMIT, "do": "sneak"}, "someone pushed to it meanwhile"),
        pytest.param(
            {
                "on": COMMIT,
                "do": "status",
                "status": 429,
                "headers": {"Retry-After": "900"},
            },
            "Run again in 900 s",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"on": COMMIT, "do": "status", "status": 500, "times": 99},
            "keeps failing (500)",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_goes_wrong_is_one_line_and_the_same_command_again_makes_it_whole(
    hub: SmallHub, at_hub: Run, build: Path, fault: dict[str, object], line: str
) -> None:
    words = ["publish", build, REPO, "--tag", "v1"]
    hub.dial(fault)
    refused = at_hub(*words, code=1)
    assert refused.stderr.splitlines()[-1].startswith("error: lab/x: ")
    assert line in refused.stderr.splitlines()[-1]
    assert hub.store.refs(HUB_ID, "tags") == {}
    sent = bytes_sent(hub)
    hub.dial()
    at_hub(*words)
    assert bytes_sent(hub) == sent
    assert generated(build) <= files_of(hub).keys()


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "drop", "after_bytes": 2000},
        pytest.param({"do": "status", "status": 500}, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_an_upload_that_breaks_off_or_fails_once_is_gone_over(
    hub: SmallHub, at_hub: Run, build: Path, fault: dict[str, object]
) -> None:
    hub.dial({"on": "^PUT /_lfs/", "nth": 3, **fault})
    at_hub("publish", build, REPO, "--tag", "v1")
    assert generated(build) <= files_of(hub).keys()


def test_without_a_login_or_the_right_to_write_it_is_one_line(
    hub: SmallHub, at_hub: Run, build: Path
) -> None:
    assert (
        "error: lab/x: not logged in to the Hub."
        in at_hub("publish", build, REPO, code=1, HF_TOKEN="").stderr
    )
    assert hub.store.repo(HUB_ID) is None


# -- a build that is not to be published -------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_incomplete_build_is_refused_or_marked(tmp_path: Path) -> None:
    build, target = tmp_path / "build", f"file:{tmp_path / 'release'}"
    refused = invoke("publish", build, target, code=1)
    assert (
        f"error: {build}: no manifest.json, so this is not a finished build."
        in refused.stderr
    )
    words = ("generate", "--teacher", "scripted", "--out", build, "--limit", "40")
    invoke(*words, "--set", "teacher.scripted.unavailable_frac=0.2", code=3)
    refused = invoke("publish", build, target, code=1)
    assert "of 40 rationales failed with errors that can be retried. Run the same" in (
        refused.stderr
    )
    assert not (tmp_path / "release").exists()
    invoke("publish", build, target, "--allow-partial")
    assert (
        "This release is incomplete" in (tmp_path / "release" / "README.md").read_text()
    )
    assert (
        "rationales: request keys and rows derived again"
        in invoke("verify", target).stdout
    )


def test_an_edited_build_is_refused_with_the_exact_fault_and_nothing_is_sent(
    build: Path, tmp_path: Path
) -> None:
    path = build / "post_cot" / "train-00000-of-00001.parquet"
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    for flags in ([], ["--allow-partial"]):
        refused = invoke(
            "publish", build, f"file:{tmp_path / 'release'}", *flags, code=1
        )
        assert f"error: {path}: sha256 is '" in refused.stderr
    assert not (tmp_path / "release").exists()


@pytest.mark.parametrize(
    ("folder", "relation"),
    [
        ("build", "is"),
        ("build/release", "lies inside"),
        ("link/release", "lies inside"),
        (".", "contains"),
        ("build/..", "contains"),
    ],
)
def test_a_release_is_not_written_into_or_around_its_build(
    folder: str, relation: str, build: Path
) -> None:
    (build.parent / "link").symlink_to(build)
    target = f"file:{build.parent / folder}"
    before = sorted(build.parent.rglob("*"))
    error = invoke("publish", build, target, code=2).stderr
    assert f"{target!r} {relation} the build {str(build)!r}" in error
    assert sorted(build.parent.rglob("*")) == before


# -- a folder ----------------------------------------------------------------------------------------------------------


def test_a_folder_takes_a_release_and_keeps_what_is_its_owners(
    build: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    words = ["publish", build, f"file:{folder}", "--tag"]
    invoke(*words, "v1")
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "notes.txt", ".release/lock", ".release/release.json", *generated(build),
    }  # fmt: skip
    assert "nothing to publish" in invoke(*words, "v1").stdout
    invoke("variants", build, "--only", "pre_cot")
    assert "tag 'v1' names another release" in invoke(*words, "v1", code=1).stderr
    invoke(*words, "v2")
    assert not (folder / "label_only").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert (
        "the state tagged 'v1' is no longer here"
        in invoke("verify", f"file:{folder}@v1", code=1).stderr
    )
    assert "verified." in invoke("verify", f"file:{folder}@v2").stdout


def test_a_file_that_stands_in_the_way_is_left_alone(
    build: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    refused = invoke("publish", build, f"file:{folder}", code=1)
    assert "'README.md' exists and is not part of a release" in refused.stderr
    assert (folder / "README.md").read_text() == "mine"


# -- whoever loads it --------------------------------------------------------------------------------------------------

LOAD = """
import json, sys
from datasets import load_dataset
found = {}
for streaming in (False, True):
    loaded = load_dataset("lab/x", "post_cot", revision="v1.0.0", streaming=streaming)
    found[str(streaming)] = {split: list(rows) for split, rows in loaded.items()}
assert not [name for name in sys.modules if name.startswith("cotbuild")]
print(json.dumps(found))
"""


def test_it_loads_with_datasets_alone(
    hub: SmallHub, at_hub: Run, build: Path, tmp_path: Path
) -> None:
    at_hub("publish", build, REPO, "--tag", "v1.0.0")
    env = {k: v for k, v in hub.env.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        capture_output=True,
        text=True,
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["False"] == found["True"]
    assert found["True"].keys() == {"train", "test"}
    assert sorted(map(str, found["True"]["train"] + found["True"]["test"])) == sorted(
        map(str, rows(build, "post_cot"))
    )
    assert list(found["True"]["train"][0]) == [
        "question_id", "sample_index", "task", "prompt", "completion", "choices", "target",
        "label_start", "label_end", "rationale_start", "rationale_end",
    ]  # fmt: skip


@pytest.mark.slow
def test_trl_trains_a_step_on_it(
    hub: SmallHub, at_hub: Run, build: Path, tmp_path: Path
) -> None:
    at_hub("publish", build, REPO)
    script = Path(__file__).parents[2] / "support" / "train_with_trl.py"
    env = {**hub.env, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, str(script), REPO, str(tmp_path / "out"), "post_cot"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=280, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["loss"] > 0


@pytest.mark.slow
def test_the_build_stays_as_it_was(finished: Path, build: Path, tmp_path: Path) -> None:
    invoke("publish", build, f"file:{tmp_path / 'release'}")
    assert published(build) == published(finished)
