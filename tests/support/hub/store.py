"""What the small Hub keeps, in files: blobs by sha256, one JSON a commit, and refs
moved by rename.

ROOT/blobs/SHA256;
ROOT/repos/datasets/ORG/NAME/{repo.json,commits/ID.json,heads/main,tags/NAME}. Nothing
is held in memory, so that the server may be killed, and a test may put a repo there
with no server at all.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n*.png filter=lfs diff=lfs merge=lfs -text\n"
LFS_SUFFIXES = (".parquet", ".png")


class Blob(NamedTuple):
    """A file of a commit.

    `oid`: what git calls it, which of an LFS file is the id of its pointer.
    """

    sha256: str
    size: int
    oid: str
    lfs: bool


class Repo(NamedTuple):
    name: str
    """datasets/ORG/NAME or models/ORG/NAME."""
    private: bool = False
    gated: bool = False


class Stale(Exception):
    """The parent of a commit is not the newest commit."""


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """What git holds of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def write(path: Path, data: bytes) -> None:
    """Whole or not at all, and not lost in a crash of the server."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with hidden.open("wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    hidden.replace(path)


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root

    def blob(self, sha256: str) -> Path:
        return self.root / "blobs" / sha256

    def put(self, data: bytes, *, lfs: bool) -> Blob:
        sha256 = hashlib.sha256(data).hexdigest()
        write(self.blob(sha256), data)
        return Blob(
            sha256,
            len(data),
            git_blob(pointer(sha256, len(data)) if lfs else data),
            lfs,
        )

    # -- repos

    def repo(self, name: str) -> Repo | None:
        path = self._folder(name) / "repo.json"
        return Repo(name, **json.loads(path.read_text())) if path.is_file() else None

    def create(self, name: str, *, private: bool = False, gated: bool = False) -> None:
        """A repo, which begins with a commit of .gitattributes; also sets what a known
        one is.
        """
        known = self.repo(name)
        write(
            self._folder(name) / "repo.json",
            json.dumps({"private": private, "gated": gated}).encode(),
        )
        if known is None:
            self.commit(
                name,
                None,
                {".gitattributes": self.put(ATTRIBUTES, lfs=False)},
                "initial commit",
            )

    def push(
        self, name: str, files: Mapping[str, bytes], message: str = "pushed"
    ) -> str:
        """A commit on top of what is there, as somebody else would make it; the repo is
        created if need be.
        """
        if self.repo(name) is None:
            self.create(name)
        head = self.refs(name, "heads")["main"]
        new = {
            path: self.put(data, lfs=path.endswith(LFS_SUFFIXES))
            for path, data in files.items()
        }
        return self.commit(name, head, {**self.files(name, head), **new}, message)

    # -- commits

    def commit(
        self, name: str, parent: str | None, files: Mapping[str, Blob], message: str
    ) -> str:
        """The new newest commit, which holds just `files`; Stale unless `parent` is the
        newest. One at a time.
        """
        if self.refs(name, "heads").get("main") != parent:
            raise Stale
        body = json.dumps(
            {"parent": parent, "message": message, "files": dict(sorted(files.items()))}
        ).encode()
        commit = hashlib.sha1(body).hexdigest()
        write(self._folder(name) / "commits" / f"{commit}.json", body)
        write(self._folder(name) / "heads" / "main", commit.encode())
        return commit

    def info(self, name: str, commit: str) -> dict[str, Any]:
        """parent, message and files of a commit."""
        info: dict[str, Any] = json.loads(
            (self._folder(name) / "commits" / f"{commit}.json").read_text()
        )
        return info

    def files(self, name: str, commit: str) -> dict[str, Blob]:
        return {
            path: Blob(*fields)
            for path, fields in self.info(name, commit)["files"].items()
        }

    def read(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """All files of a revision with their bytes."""
        commit = self.resolve(name, revision)
        assert commit is not None, revision
        return {
            path: self.blob(blob.sha256).read_bytes()
            for path, blob in self.files(name, commit).items()
        }

    # -- refs

    def refs(self, name: str, kind: str) -> dict[str, str]:
        """Names to commits; `kind`: heads or tags."""
        folder = self._folder(name) / kind
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        return {
            unquote(path.name): path.read_text()
            for path in paths
            if not path.name.startswith(".")
        }

    def tag(self, name: str, tag: str, commit: str) -> None:
        write(self._folder(name) / "tags" / quote(tag, safe=""), commit.encode())

    def untag(self, name: str, tag: str) -> None:
        (self._folder(name) / "tags" / quote(tag, safe="")).unlink()

    def resolve(self, name: str, revision: str) -> str | None:
        """The commit that a branch, tag or commit means."""
        if found := {**self.refs(name, "tags"), **self.refs(name, "heads")}.get(
            revision
        ):
            return found
        return (
            revision
            if (self._folder(name) / "commits" / f"{revision}.json").is_file()
            else None
        )

    def _folder(self, name: str) -> Path:
        return self.root / "repos" / name
