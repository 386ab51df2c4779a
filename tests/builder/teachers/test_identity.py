"""Who a teacher is: what changes it, what does not, and what the store keeps of it."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.storage.cache import cache_dir, cached_sha256
from cotbuild.builder.teachers import open_teacher, teacher_identity, tokenizer_folder
from cotbuild.builder.teachers.identity import (
    TEACHER_JSON,
    IdentityCache,
    check_tokenizer,
    folder_digest,
    load_identity_cache,
    save_identity,
    save_identity_cache,
)
from cotbuild.builder.teachers.model_names import hub_commit, is_folder
from cotbuild.builder.teachers.vllm.weights import read_max_model_len
from cotbuild.schemas.completion import Message, Request, Sampling
from cotbuild.schemas.errors import (
    ConfigError,
    CotbuildError,
    StoreError,
    TeacherError,
)
from cotbuild.schemas.teacher_config import ScriptedConfig, TeacherConfig
from tests.support.http_teacher import serve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    files = {
        "config.json": '{"max_position_embeddings": 2048}',
        "tokenizer.json": "{}",
        "chat_template.jinja": "{{ x }}",
    }
    for name, text in {
        **files,
        "model.safetensors": "weights",
        "README.md": "read me",
    }.items():
        (folder / name).write_text(text)
    return folder


# -- scripted ------------------------------------------------------------------------------------------------------


def test_scripted_identity_is_its_dials(tmp_path: Path) -> None:
    def identity(**dials: float) -> str:
        return teacher_identity(
            TeacherConfig(model="scripted", scripted=ScriptedConfig(**dials)), tmp_path
        )

    assert identity() == identity()
    assert identity().startswith("scripted:")
    assert identity(length_frac=0.5) != identity()


# -- a folder ------------------------------------------------------------------------------------------------------


def edit(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (edit("model.safetensors", "Weights"), False),
        (edit("tokenizer.json", "{ }"), False),
        (edit("chat_template.jinja", "{{ y }}"), False),
        (edit("generation_config.json", "{}"), False),
        (lambda folder: (folder / "tokenizer.json").unlink(), False),
        (
            lambda folder: (folder / "tokenizer.json").rename(folder / "vocab.json"),
            False,
        ),
        (edit("README.md", "other"), True),
        (edit(".hidden.json", "{}"), True),
        (lambda folder: os.utime(folder / "model.safetensors", (1, 1)), True),
    ],
)
def test_folder_digest(
    model: Path, cache: Path, change: Callable[[Path], object], same: bool
) -> None:
    before = folder_digest(model, cache)
    change(model)
    assert (folder_digest(model, cache) == before) is same


def test_a_folder_may_move(model: Path, tmp_path: Path) -> None:
    def identity(folder: Path) -> str:
        return teacher_identity(TeacherConfig(model=str(folder)), tmp_path / "store")

    before = identity(model)
    assert before.startswith("local:")
    assert identity(Path(shutil.move(model, tmp_path / "moved"))) == before
    assert not (tmp_path / "store").exists()


def test_a_checksum_is_read_once(model: Path, cache: Path) -> None:
    path = model / "model.safetensors"
    before = cached_sha256(path, cache)
    stat = path.stat()
    path.write_text("WEIGHTS")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert cached_sha256(path, cache) == before  # same path, size and mtime: not read
    os.utime(path)
    assert cached_sha256(path, cache) != before


@pytest.mark.parametrize("note", ["", "[]", "{", '{"sha256": 5}', '{"sha256": "0"}'])
def test_a_broken_note_is_not_believed(model: Path, cache: Path, note: str) -> None:
    before = cached_sha256(model / "config.json", cache)
    [path] = (cache / "checksums").iterdir()
    path.write_text(note)
    assert cached_sha256(model / "config.json", cache) == before


def test_a_cache_that_cannot_be_written_only_costs_time(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert cached_sha256(
        model / "config.json", tmp_path / "file" / "cache"
    ) == cached_sha256(model / "config.json", tmp_path)


@pytest.mark.parametrize(
    "name", ["smol", "/no/such/folder", "./owner/name", "a/b/c", "", "../x"]
)
def test_neither_folder_nor_hub_id(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if name:
        with pytest.raises(
            ConfigError, match=r"neither a local directory nor a Hub id\. Pass"
        ):
            is_folder(name)


def test_a_folder_without_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        teacher_identity(TeacherConfig(model=str(tmp_path)), tmp_path)


# -- the Hub -------------------------------------------------------------------------------------------------------


def test_a_commit_needs_no_resolving(tmp_path: Path) -> None:
    identity = teacher_identity(
        TeacherConfig(model="owner/name", revision=COMMIT), tmp_path
    )
    assert identity == f"hub:owner/name@{COMMIT}"
    assert hub_commit(identity) == COMMIT


@pytest.mark.parametrize("revision", [None, "v1"])
def test_a_revision_is_resolved_once(tmp_path: Path, revision: str | None) -> None:
    config = TeacherConfig(model="owner/name", revision=revision)
    save_identity(config, f"hub:owner/name@{COMMIT}", tmp_path)
    assert teacher_identity(config, tmp_path) == f"hub:owner/name@{COMMIT}"


def test_the_hubs_cache_where_the_hub_is_out_of_reach(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from cotbuild.builder.teachers import teacher_identity;"
        "from cotbuild.schemas.teacher_config import TeacherConfig;"
        "print(teacher_identity(TeacherConfig(model='owner/name'), Path(sys.argv[1])))"
    )
    repo = tmp_path / "hub" / "models--owner--name"
    (repo / "snapshots" / COMMIT).mkdir(parents=True)
    (repo / "snapshots" / COMMIT / "config.json").write_text("{}")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    assert offline(script, tmp_path) == (0, f"hub:owner/name@{COMMIT}\n")
    code, words = offline(script.replace("owner/name", "owner/other"), tmp_path)
    assert code == 1
    assert (
        "TeacherError: teacher: the Hub cannot be reached for 'owner/other', and its cache has no copy"
        in words
    )


def offline(script: str, tmp_path: Path) -> tuple[int, str]:
    """In a process of its own: huggingface_hub reads HF_HUB_OFFLINE when it is
    imported.
    """

    paths = {
        "PYTHONPATH": str(Path(__file__).parents[2] / ".ns"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, **paths},
        capture_output=True,
        check=False,
        text=True,
    )
    return done.returncode, done.stdout or done.stderr


# -- endpoints -----------------------------------------------------------------------------------------------------


def sample(identity: str) -> Request:
    message = Message(role="user", content="Is it?")
    return Request(
        messages=(message,), teacher=identity, sampling=Sampling(max_tokens=8), seed=1
    )


def check(config: TeacherConfig, identity: str, store: Path) -> None:
    async def main() -> None:
        async with open_teacher(config, identity, store, print) as teacher:
            await teacher.check(sample(identity))

    asyncio.run(main())


def test_an_endpoint_is_known_by_name_revision_and_tokenizer(tmp_path: Path) -> None:
    with (
        serve() as server,
        serve(token_salt="other") as other,
        serve(tokenize_status=404) as silent,
    ):

        def identity(url: str, revision: str | None = None) -> str:
            return teacher_identity(
                TeacherConfig(model="fake", endpoints=(url,), revision=revision),
                tmp_path,
            )

        assert identity(server.url).startswith("endpoint:fake@unstated#")
        assert identity(server.url) == identity(server.url)
        assert identity(server.url, "v2").startswith("endpoint:fake@v2#")
        assert identity(other.url) != identity(server.url)
        assert identity(silent.url) == "endpoint:fake@unstated#untokenized"
    assert not (tmp_path / TEACHER_JSON).exists()  # nothing was asked


def test_an_endpoint_once_asked_is_known_without_it(tmp_path: Path) -> None:
    with serve() as server:
        config = TeacherConfig(model="fake", endpoints=(server.url,))
        identity = teacher_identity(config, tmp_path)
        check(config, identity, tmp_path)
    assert teacher_identity(config, tmp_path) == identity  # the server is gone
    moved = config.model_copy(update={"endpoints": ("http://localhost:9/v1",)})
    assert teacher_identity(moved, tmp_path) == identity
    with serve(token_salt="other") as server:
        config = TeacherConfig(model="fake", endpoints=(server.url,))
        with pytest.raises(
            TeacherError, match=r"its tokenizer is .*, at first use it was"
        ):
            check(config, teacher_identity(config, tmp_path), tmp_path)
        restated = TeacherConfig(model="fake", endpoints=(server.url,), revision="v2")
        check(restated, teacher_identity(restated, tmp_path), tmp_path)
    assert len(load_identity_cache(tmp_path).endpoints) == 2


def test_a_server_without_the_model_is_not_remembered(tmp_path: Path) -> None:
    with serve() as server:
        config = TeacherConfig(model="other", endpoints=(server.url,))
        with pytest.raises(CotbuildError):
            check(config, teacher_identity(config, tmp_path), tmp_path)
    assert not (tmp_path / TEACHER_JSON).exists()


def test_an_unreachable_new_endpoint_is_a_teacher_error(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match="Start the server, or correct"):
        teacher_identity(
            TeacherConfig(model="fake", endpoints=("http://127.0.0.1:9/v1",)), tmp_path
        )


@pytest.mark.parametrize(
    ("stored", "found", "fits"),
    [("a" * 64, "a" * 64, True), ("a" * 64, "b" * 64, False), ("a" * 64, None, False), ("untokenized", None, True),
     ("untokenized", "b" * 64, True)],
)  # fmt: skip
def test_check_tokenizer(stored: str, found: str | None, fits: bool) -> None:
    identity = f"endpoint:fake@unstated#{stored}"
    if fits:
        check_tokenizer(identity, found, "url")
    else:
        with pytest.raises(TeacherError, match="may write today's date: serve it with"):
            check_tokenizer(identity, found, "url")


# -- teacher.json --------------------------------------------------------------------------------------------------


def test_known_round_trip(tmp_path: Path) -> None:
    known = IdentityCache(hub={"o/n@main": COMMIT}, endpoints={"fake@é": "untokenized"})
    save_identity_cache(tmp_path / "new", known)
    assert load_identity_cache(tmp_path / "new") == known
    assert [path.name for path in (tmp_path / "new").iterdir()] == [TEACHER_JSON]


@pytest.mark.parametrize(
    ("text", "error"),
    [("", StoreError), ("[]", StoreError), ('{"format_version": 99}', StoreError), ("{}", StoreError),
     ('{"format_version": 1, "x": 1}', StoreError), ('{"format_version": 1, "hub": {"a": 1}}', StoreError)],
)  # fmt: skip
def test_broken_teacher_json(
    tmp_path: Path, text: str, error: type[CotbuildError]
) -> None:
    (tmp_path / TEACHER_JSON).write_text(text)
    with pytest.raises(error, match=TEACHER_JSON):
        load_identity_cache(tmp_path)


def test_first_use_is_kept(tmp_path: Path) -> None:
    config = TeacherConfig(model="fake", endpoints=("http://localhost:9/v1",))
    for tokens in "first", "second":
        save_identity(config, f"endpoint:fake@unstated#{tokens}", tmp_path)
    assert json.loads((tmp_path / TEACHER_JSON).read_text())["endpoints"] == {
        "fake@unstated": "first"
    }


# -- places --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [("/c", "/x", "/c"), ("", "/x", "/x/cotbuild"), ("", "", "/home/u/.cache/cotbuild"),
     ("", "relative", "/home/u/.cache/cotbuild")],
)  # fmt: skip
def test_cache_dir(
    own: str, xdg: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "COTBUILD_CACHE": own,
        "XDG_CACHE_HOME": xdg,
        "HOME": "/home/u",
    }.items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == Path(expected)


def test_a_relative_cache_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTBUILD_CACHE", "here")
    with pytest.raises(ConfigError, match="Set it to an absolute path"):
        cache_dir()


@pytest.mark.parametrize(
    ("text", "length"),
    [("{}", None), ('{"max_position_embeddings": 8192}', 8192), ('{"text_config": {"max_position_embeddings": 9}}', 9)],
)  # fmt: skip
def test_max_model_len(tmp_path: Path, text: str, length: int | None) -> None:
    (tmp_path / "config.json").write_text(text)
    assert read_max_model_len(tmp_path / "config.json") == length


@pytest.mark.parametrize("text", ["", "[1]"])
def test_max_model_len_of_a_broken_config(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match="not a config of transformers"):
        read_max_model_len(tmp_path / "config.json")


def test_tokenizer_folder(model: Path) -> None:
    assert tokenizer_folder(TeacherConfig(model=str(model))) == model
    assert tokenizer_folder(TeacherConfig(model="scripted")) is None
    assert (
        tokenizer_folder(TeacherConfig(model="x", endpoints=("http://localhost:9/v1",)))
        is None
    )
