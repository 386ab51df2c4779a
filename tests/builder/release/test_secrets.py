"""Nothing of the machine that built it is in a release: no path, user, host, address or
token.
"""

import getpass
import json
import re
import socket
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.builder.release.conftest import REPO, Run, files_of
from tests.support.commands import cotbuild, invoke, write_questions
from tests.support.http_teacher import serve
from tests.support.hub.running import SmallHub
from tests.support.hub.server import USERS

OWN = "name: own\nversion: 1\nkind: choice\nabout: Ours.\nanswer: last\nuser: 'Q: $question $choices ?'\n"


def plain(path: Path) -> bytes:
    """A file's bytes; of parquet the rows and all metadata, of a picture what it says
    of itself.
    """
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return repr(picture.info).encode()
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pq.read_table(path)
    return repr(
        (table.to_pylist(), table.schema.metadata, pq.ParquetFile(path).metadata)
    ).encode()


def refuse(folder: Path, *secrets: str) -> None:
    host = re.compile(
        rb"(?<![\w-])" + re.escape(socket.gethostname().encode()) + rb"(?![\w-])"
    )
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert len(paths) > 5
    for path in paths:
        data = plain(path)
        assert not host.search(data), path
        found = [
            secret
            for secret in (*secrets, *USERS, f"/home/{getpass.getuser()}", "/tmp/")
            if secret.encode() in data
        ]
        assert not found, (path, found)


def test_paths_and_addresses_are_cut_to_names(
    hub: SmallHub, at_hub: Run, tmp_path: Path
) -> None:
    secret = tmp_path / "secret-folder"
    secret.mkdir()
    source = write_questions(
        secret / "q.jsonl", (f"Which of these {n} floats?" for n in range(8))
    )
    own = secret / "own.yaml"
    own.write_text(OWN)
    with serve() as server:
        words = ["--teacher", "fake", "--endpoint", server.url, "--template", own]
        words += ["--set", f"teacher.server.extra_args=[--download-dir, {secret}]"]
        at_hub("generate", "--source", source, *words, "--out", secret / "build")
        at_hub("variants", secret / "build", "--only", "post_cot")
        at_hub("publish", secret / "build", REPO, "--tag", "v1")
        address = f"127.0.0.1:{server.port}"
    folder = tmp_path / "published"
    for path, data in files_of(hub).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    refuse(folder, str(tmp_path), "secret-folder", address)
    config = json.loads((folder / "build.json").read_text())
    assert config["source"]["name"] == "q.jsonl"
    assert config["templates"] == ["own@1"]
    assert config["teacher"]["endpoints"] == ["http://endpoint.invalid/v1"]
    assert config["teacher"]["server"]["extra_args"] == []


@pytest.mark.slow
def test_so_are_the_files_of_an_import(tmp_path: Path) -> None:
    secret = tmp_path / "secret-folder"
    secret.mkdir()
    source = write_questions(
        secret / "q.jsonl", [f"Which of these {n} floats?" for n in range(4)]
    )
    texts = secret / "texts.jsonl"
    texts.write_text(
        "".join(
            json.dumps({"why": f"Wood {n} floats. The answer is (B)."}) + "\n"
            for n in range(4)
        )
    )
    order = secret / "order.jsonl"
    order.write_text("".join(json.dumps({"id": n}) + "\n" for n in range(4)))
    words = [
        "--map",
        "text=why",
        "--join",
        "order",
        "--made-by",
        "people",
        "--licence",
        "mit",
    ]
    invoke("import", texts, "--source", source, *words, "--out", secret / "build")
    cotbuild("publish", secret / "build", f"file:{tmp_path / 'release'}")
    refuse(tmp_path / "release", str(tmp_path), "secret-folder")
    config = json.loads((tmp_path / "release" / "build.json").read_text())
    assert config["imported"]["files"] == ["texts.jsonl"]


@pytest.mark.slow
def test_a_teacher_served_under_a_path_is_refused(tmp_path: Path) -> None:
    source = write_questions(tmp_path / "q.jsonl", ["Which floats?", "Which sinks?"])
    with serve(models=["/home/ann/model"]) as server:
        words = ["--teacher", "/home/ann/model", "--endpoint", server.url]
        cotbuild("generate", "--source", source, *words, "--out", tmp_path / "build")
    refused = cotbuild(
        "publish", tmp_path / "build", f"file:{tmp_path / 'release'}", code=1
    )
    assert "error: teacher '/home/ann/model'" in refused.stderr
    assert "Serve it under another name" in refused.stderr
