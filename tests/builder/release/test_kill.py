"""kill -9 while a release is published: it is as before or whole, and the same command
again makes it whole.
"""

import random
import subprocess
import time
from pathlib import Path

import pytest

from cotbuild.builder.build.directory import read_manifest
from cotbuild.schemas.files import file_sha256
from tests.builder.release.conftest import REPO, Run
from tests.support.commands import PROGRAM, cotbuild, invoke, start
from tests.support.hub.running import SmallHub
from tests.support.waiting import HANG_S

HUB_ID = f"datasets/{REPO}"
AT: list[tuple[str, int, bool]] = [
    (r"^POST /api/repos/create", 1, False),
    (r"^POST /api/repos/create", 1, True),
    (r"/preupload/", 1, False),
    (r"^POST .*/objects/batch", 1, False),
    (r"^PUT /_lfs/", 1, False),
    (r"^PUT /_lfs/", 4, True),
    (rf"^POST /api/{HUB_ID}/commit/", 1, False),
    (rf"^POST /api/{HUB_ID}/commit/", 1, True),
    (rf"^GET /{HUB_ID}/resolve/", 3, False),
    (rf"^POST /api/{HUB_ID}/tag/", 1, False),
    (rf"^POST /api/{HUB_ID}/tag/", 1, True),
]
FAST = {7}


def states(hub: SmallHub) -> list[set[str]]:
    """The files of every commit that was ever the newest, oldest first."""
    found, commit = (
        [],
        hub.store.refs(HUB_ID, "heads").get("main") if hub.store.repo(HUB_ID) else None,
    )
    while commit is not None:
        found.append(set(hub.store.files(HUB_ID, commit)))
        commit = hub.store.info(HUB_ID, commit)["parent"]
    return found[::-1]


@pytest.mark.parametrize(
    ("on", "nth", "late"),
    [
        pytest.param(*at, marks=[] if n in FAST else pytest.mark.slow)
        for n, at in enumerate(AT)
    ],
)
def test_killed_at_a_request_and_run_again_it_is_whole(
    hub: SmallHub,
    at_hub: Run,
    build: Path,
    tmp_path: Path,
    on: str,
    nth: int,
    late: bool,
) -> None:
    words = ["publish", str(build), REPO, "--tag", "v1.0.0"]
    pid = tmp_path / "pid"
    hub.dial({"on": on, "do": "kill", "nth": nth, "late": late, "pid_file": str(pid)})
    process = subprocess.Popen(
        [*PROGRAM, *words],
        env=hub.env,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    pid.write_text(str(process.pid))
    assert process.wait(HANG_S) == -9
    hub.dial()
    at_hub(*words)
    beginning, *later = states(hub)
    assert beginning == {".gitattributes"}
    assert len(later) == 1, "one commit, whole, whatever was killed"
    manifest = read_manifest(build)
    assert manifest is not None
    assert {entry.path for entry in manifest.files} <= later[0]
    assert hub.store.refs(HUB_ID, "tags") == {
        "v1.0.0": hub.store.refs(HUB_ID, "heads")["main"]
    }
    at_hub("verify", f"{REPO}@v1.0.0")


def is_whole(folder: Path) -> bool:
    """Whether a manifest stands there; then every file it names does, as it says."""
    manifest = read_manifest(folder)
    for entry in manifest.files if manifest else []:
        assert file_sha256(folder / entry.path) == entry.sha256
    return manifest is not None


@pytest.mark.parametrize(
    "kills",
    [pytest.param(4, marks=pytest.mark.slow), pytest.param(12, marks=pytest.mark.soak)],
)
def test_a_folder_is_as_before_or_whole_whenever_it_is_killed(
    build: Path, tmp_path: Path, kills: int
) -> None:
    random.seed(kills)
    folder, target = tmp_path / "release", f"file:{tmp_path / 'release'}"
    cotbuild("publish", build, target, "--tag", "v0")
    begin = time.monotonic()
    cotbuild("publish", build, target)
    took_s = time.monotonic() - begin
    for number in range(kills):
        invoke(
            "variants",
            build,
            "--only",
            "post_cot,pre_cot" if number % 2 == 0 else "post_cot,label_only",
        )
        with start("publish", build, target, "--tag", f"v1.{number}") as process:
            time.sleep(took_s * random.uniform(0.6, 1.1))
            process.kill()
        is_whole(folder)
        cotbuild("publish", build, target, "--tag", f"v1.{number}")
        assert is_whole(folder)
        assert not (folder / ".release" / "incoming").exists()
    assert "verified." in invoke("verify", f"{target}@v1.{kills - 1}").stdout
