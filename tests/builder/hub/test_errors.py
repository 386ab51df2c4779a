"""One line for each thing that goes wrong at the Hub; names of repos and tags."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.hub.errors import HubCall, publish_error
from cotbuild.builder.hub.names import parse_repo_name, parse_tag
from cotbuild.builder.hub.target import RemoteFile
from cotbuild.schemas.errors import ConfigError
from tests.builder.hub.conftest import Ask, Refused
from tests.support.hub.running import ROOT, SmallHub
from tests.support.hub.server import READER, STRANGER

Call = dict[str, Any]
Fault = dict[str, Any]
STATE: Call = {"method": "read_state"}
CREATE: Call = {"method": "create", "private": False}
COMMIT: Call = {"method": "commit_files", "delete": [], "message": "one"}
FETCH: Call = {"method": "fetch_files", "paths": ["README.md"], "folder": "/nowhere"}
KEPT = "Files already uploaded are kept."

LINES: list[tuple[str, Call, Fault, str]] = [
    (
        "an unknown token",
        {**STATE, "token": "hf_nobody"},
        {},
        "the Hub rejects this token. Run `hf auth login`, or set HF_TOKEN.",
    ),
    (
        "a token without write access",
        {**COMMIT, "token": READER},
        {},
        "the Hub denies access: Forbidden: pass a token with write access to this repo. "
        "Use a token that can write to 'lab', or publish under your own name.",
    ),
    (
        "a token that cannot create the repo",
        {**CREATE, "token": STRANGER, "repo": "lab/new"},
        {},
        "the Hub denies access: You don't have the rights to create a dataset under the "
        "namespace lab. Use a token that can write to 'lab', or publish under your own "
        "name.",
    ),
    (
        "a gated repo",
        {**FETCH, "token": STRANGER, "repo": "lab/gated"},
        {},
        "this login has no access to the gated repo. Request access on its page on the "
        "Hub, log in with `hf auth login` or HF_TOKEN, and run again.",
    ),
    (
        "no such repo",
        {**STATE, "repo": "lab/none", "revision": "v1.0"},
        {},
        "no such dataset on the Hub, or it is private and this login cannot see it. "
        "Correct the name, or set HF_TOKEN.",
    ),
    (
        "no such revision",
        {**STATE, "revision": "v9.9"},
        {},
        "no revision 'v9.9'. Pass a branch, a tag or a commit, or leave it out for the "
        "newest.",
    ),
    (
        "no such file",
        {**FETCH, "paths": ["gone.txt"]},
        {},
        "no file 'gone.txt' in commit {commit}. The release is incomplete; publish it "
        "again, or use another revision.",
    ),
    (
        "a file that leads out of the folder",
        {**FETCH, "paths": ["../../etc/passwd"], "repo": "lab/evil"},
        {},
        "no file '../../etc/passwd' in commit {commit}. The release is incomplete; "
        "publish it again, or use another revision.",
    ),
    (
        "a rate limit that lasts too long",
        STATE,
        {
            "on": "/refs",
            "do": "status",
            "status": 429,
            "headers": {"Retry-After": "3600"},
        },
        "the rate limit of the Hub is reached. Run again in 3600 s.",
    ),
    (
        "a rate limit in the Hub's own header",
        STATE,
        {
            "on": "/refs",
            "do": "status",
            "status": 429,
            "headers": {"ratelimit": '"api";r=0;t=240'},
        },
        "the rate limit of the Hub is reached. Run again in 240 s.",
    ),
    (
        "a server that fails",
        STATE,
        {"on": "/refs", "do": "status", "status": 503, "times": 9},
        "the Hub keeps failing (503). Run again later.",
    ),
    (
        "a server that fails after uploads",
        COMMIT,
        {"on": "/commit/", "do": "status", "status": 503, "times": 9},
        f"the Hub keeps failing (503). Run again later. {KEPT}",
    ),
    (
        "a rate limit after uploads",
        COMMIT,
        {
            "on": "/commit/",
            "do": "status",
            "status": 429,
            "headers": {"Retry-After": "3600"},
        },
        f"the rate limit of the Hub is reached. Run again in 3600 s. {KEPT}",
    ),
    (
        "too large a commit",
        COMMIT,
        {"on": "/commit/", "do": "status", "status": 413, "error": "over 1 GB"},
        "too large for the Hub (413): over 1 GB. Publish fewer configs, or get more "
        "storage.",
    ),
    (
        "no room for an upload",
        COMMIT,
        {"on": "^PUT", "do": "status", "status": 507, "error": "no room"},
        "too large for the Hub (507): no room. Publish fewer configs, or get more "
        "storage.",
    ),
    (
        "a file over the quota",
        COMMIT,
        {
            "on": "/batch",
            "do": "lfs_error",
            "error": "storage limit reached, see https://hub.example/pay?sig=s3cret",
        },
        "the Hub rejects this: LFS batch API returned errors: Encountered error for file "
        "with OID {oid}: `storage limit reached, see https://…. Correct it and run again.",
    ),
    (
        "a card that is not valid YAML",
        {**COMMIT, "card": "---\nlicense: [\n---\n"},
        {},
        "the Hub rejects this: Invalid metadata in README.md. - the metadata is no YAML: "
        "while parsing a flow node ",
    ),
    (
        "a request that is rejected",
        COMMIT,
        {
            "on": "/commit/",
            "do": "status",
            "status": 400,
            "error": "by hf_s3cret at /home/ann/x",
        },
        "the Hub rejects this (400): by … at …. Correct it and run again.",
    ),
    (
        "a build that lost a file",
        {**COMMIT, "card": None},
        {},
        "'README.md' is missing from the build. Build again.",
    ),
]


@pytest.mark.parametrize(
    ("call", "fault", "line"), [row[1:] for row in LINES], ids=[row[0] for row in LINES]
)
def test_each_fault_is_one_line(
    hub: SmallHub, ask: Ask, tmp_path: Path, call: Call, fault: Fault, line: str
) -> None:
    call = dict(call)
    card, shard = tmp_path / "README.md", tmp_path / "a.parquet"
    shard.write_bytes(b"shard")
    if (text := call.pop("card", "---\nlicense: mit\n---\n")) is not None:
        card.write_text(text)
    repo = call.get("repo", "lab/x")
    commit = hub.store.push("datasets/lab/x", {"README.md": b"x"})
    if repo in ("lab/gated", "lab/evil"):
        commit = hub.store.push(
            f"datasets/{repo}", {"README.md": b"x", "../../etc/passwd": b"x"}
        )
        hub.store.create(f"datasets/{repo}", gated=repo == "lab/gated")
    if call["method"] == "commit_files":
        call |= {
            "parent": commit,
            "add": {"README.md": str(card), "a.parquet": str(shard)},
        }
    if call["method"] == "fetch_files":
        call["commit"] = commit
    hub.dial(*[fault] if fault else [])
    with pytest.raises(Refused) as refused:
        ask(call.pop("method"), **call)
    oid = hashlib.sha256(b"shard").hexdigest()
    expected = f"PublishError: {repo}: {line.format(commit=commit[:12], oid=oid)}"
    assert str(refused.value).startswith(expected)
    assert len(str(refused.value)) == len(expected) or "no YAML" in line
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    assert call.get("token", "hf_writer_of_lab") not in refused.value.traceback


def test_what_passes_is_waited_for(hub: SmallHub, ask: Ask) -> None:
    commit = hub.store.push("datasets/lab/x", {"README.md": b"x"})
    hub.dial(
        {"on": "/refs", "do": "status", "status": 429, "headers": {"Retry-After": "0"}},
        {"on": "/refs", "do": "status", "status": 500, "nth": 2},
    )
    told: dict[str, Any] = {}
    assert ask("read_state", told=told)[0] == commit
    assert told["said"] == [
        f"lab/x: the Hub is busy or unreachable; retrying in {wait} s."
        for wait in (0, 2)
    ]
    assert len(hub.requests("GET /api/datasets/lab/x/refs")) == 3


CODE = """
from cotbuild.builder.hub.repo import HubRepo
from cotbuild.schemas.errors import PublishError
try:
    HubRepo("lab/x").create(private=False)
except PublishError as error:
    print(error)
"""
PLACES: list[tuple[dict[str, str], str]] = [
    ({"HF_TOKEN": ""}, "lab/x: not logged in to the Hub. Run `hf auth login`, or set "),
    ({"HF_HUB_OFFLINE": "1"}, "lab/x: HF_HUB_OFFLINE is set. Unset it and run again."),
    (
        {"HF_ENDPOINT": "http://127.0.0.1:9"},
        "lab/x: the Hub cannot be reached (ConnectError). Check the network, the proxy "
        "and HF_ENDPOINT.\n",
    ),
]


@pytest.mark.parametrize(
    ("env", "line"), PLACES, ids=["no login", "offline", "no connection"]
)
def test_of_the_place_too(hub: SmallHub, env: dict[str, str], line: str) -> None:
    words = [sys.executable, "-c", CODE]
    done = subprocess.run(
        words,
        env={**hub.env, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(line)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


READ = """
from cotbuild.builder.release.fetch import find_release
from cotbuild.builder.release.open import open_release
from cotbuild.schemas.errors import PublishError
try:
    find_release(*open_release("{name}"))
except PublishError as error:
    print(error)
"""
ELSEWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("name", "env", "line"),
    [
        (
            "builds/nothing",
            ELSEWHERE,
            "builds/nothing: there is no such folder, and the Hub cannot be reached "
            "(ConnectError). Check the path, or the network, the proxy and HF_ENDPOINT.",
        ),
        (
            "builds/nothing@v1",
            ELSEWHERE,
            "builds/nothing: the Hub cannot be reached (ConnectError). Check the network, "
            "the proxy and HF_ENDPOINT.",
        ),
        (
            "builds/nothing",
            {"HF_HUB_OFFLINE": "1"},
            "builds/nothing: there is no such folder, and HF_HUB_OFFLINE is set. Check "
            "the path, or unset it and run again.",
        ),
        (
            "builds/nothing",
            {},
            "builds/nothing: there is no such folder, and no such dataset on the Hub, or "
            "it is private and this login cannot see it. Correct the name, or set "
            "HF_TOKEN.",
        ),
        (
            "tests/builder",  # a folder, and so not a mistyped one
            ELSEWHERE,
            "tests/builder: the Hub cannot be reached (ConnectError). Check the network, "
            "the proxy and HF_ENDPOINT.",
        ),
    ],
)
def test_a_name_to_read_may_be_a_mistyped_folder(
    hub: SmallHub, name: str, env: dict[str, str], line: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ.format(name=name)],
        env={**hub.env, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{line}\n", "")


def test_a_full_disk_names_no_path() -> None:
    line = str(
        publish_error(
            OSError(28, "No space left on device", "/home/ann/build/a.parquet"),
            HubCall("lab/x"),
        )
    )
    assert line.startswith(
        "lab/x: could not read or write a local file: No space left on device. "
    )
    assert "/home" not in line


@pytest.mark.parametrize(
    "text", ["lab/x", " lab/x ", "datasets/lab/x", "hf://datasets/lab/x", "lab/x/"]
)
def test_how_a_repo_is_written(text: str) -> None:
    assert parse_repo_name(text) == "lab/x"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a/b/c",
        "lab/a--b",
        "lab/..",
        "lab/x.git",
        "läb/x",
        "lab/x y",
        "lab/" + "x" * 97,
    ],
)
def test_what_is_no_repo(text: str) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^'.*' is not the name of a dataset on the Hub. Write OWNER/NAME",
    ):
        parse_repo_name(text)


@pytest.mark.parametrize("text", ["v1.0.0", "1.0", "v1.0.0-rc.1+b2", "2026_11_24"])
def test_tags(text: str) -> None:
    assert parse_tag(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-v",
        "v1..2",
        "v1.",
        "v.lock",
        "main",
        "HEAD",
        "a b",
        "a/b",
        "é",
        "c0ffee1",
        "v" * 97,
        "v\n",
    ],
)
def test_what_is_no_tag(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^--tag '.*' cannot be used as a tag. Use letters"
    ):
        parse_tag(text)


@given(data=st.binary(max_size=64), other=st.binary(max_size=64))
def test_a_file_is_told_by_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, other: bytes
) -> None:
    path = tmp_path_factory.mktemp("file") / "a"
    sha256 = RemoteFile(len(data), hashlib.sha256(data).hexdigest(), None)
    blob = RemoteFile(
        len(data), None, hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()
    )
    assert not sha256.matches(path)
    path.write_bytes(other)
    assert sha256.matches(path) is blob.matches(path) is (data == other)
