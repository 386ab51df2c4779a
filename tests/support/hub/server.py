"""A small real Hub: what huggingface_hub and datasets ask of one, on loopback.

`python -m tests.support.hub.server --root FOLDER --port-file FILE [--dial JSON] [--part
BYTES] [--page ENTRIES]`. It writes its port to FILE, a line of JSON a request to
FOLDER/requests.jsonl, and takes a new dial at POST /_dial. Its answers are those of the
Hub where a client tells them apart: states, codes and headers.
"""

import argparse
import base64
import fnmatch
import hashlib
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.support.hub.answers import (
    Refused,
    Reply,
    card_faults,
    entries,
    of_json,
    ranged,
)
from tests.support.hub.dial import Dial, Fault
from tests.support.hub.store import (
    LFS_SUFFIXES,
    Blob,
    Repo,
    Stale,
    Store,
    git_blob,
    pointer,
    write,
)

WRITER, READER, STRANGER = "hf_writer_of_lab", "hf_reader_of_lab", "hf_stranger"
"""Tokens: the first may write in lab and as ann, the second may read there, the third
is somebody else's.
"""
USERS = {WRITER: ("ann", "write"), READER: ("ann", "read"), STRANGER: ("eve", "write")}
SPACES = {"ann": {"ann", "lab"}, "eve": {"eve"}}
SIGNATURE = "s3cret"
"""Of the addresses that uploads go to: as good as a token, for a while."""
LARGE_BYTES = 1_000_000
"""From here a file is an LFS file whatever it is called. 10 MB on the Hub."""


class Hub(ThreadingHTTPServer):
    """The state that its handlers share."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, root: Path, dial: Dial, part_bytes: int, page_entries: int
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store, self.dial, self.part_bytes, self.page_entries = (
            Store(root),
            dial,
            part_bytes,
            page_entries,
        )
        self.writing = threading.Lock()
        self.log = os.open(
            root / "requests.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    # -- one request

    def handle_request(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        size = int(self.headers.get("Content-Length") or 0)
        entry = {
            "method": self.command,
            "path": self.path,
            "token": bool(token),
            "num_bytes": size,
        }
        os.write(self.server.log, json.dumps(entry).encode() + b"\n")
        fault = (
            None
            if self.path == "/_dial"
            else self.server.dial.fault(f"{self.command} {self.path}")
        )
        ends = fault is not None and fault.do in ("drop", "kill")
        if fault and ends and not fault.late:
            self.rfile.read(min(fault.after_bytes, size))
            return self.end(fault)
        self.body = self.rfile.read(size) if size else self.chunked()
        reply = self.reply(token, fault)
        return self.end(fault) if fault and ends else self.send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request

    def end(self, fault: Fault) -> None:
        fault.strike()
        self.close_connection = True

    def chunked(self) -> bytes:
        parts: list[bytes] = []
        while self.headers.get("Transfer-Encoding") == "chunked" and (
            size := int(self.rfile.readline(), 16)
        ):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        if parts:
            self.rfile.readline()
        return b"".join(parts)

    def reply(self, token: str, fault: Fault | None) -> Reply:
        try:
            if fault and fault.do == "status":
                return of_json({"error": fault.error}, fault.status, fault.headers)
            if token and token not in USERS:
                raise Refused(401, "Invalid credentials in Authorization header")
            return self.route(token, fault)
        except Refused as refused:
            return refused.reply

    def send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {
            "Content-Length": str(len(reply.body)),
            **reply.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None: ...

    # -- where it goes

    def route(self, token: str, fault: Fault | None) -> Reply:
        path, method = urlsplit(self.path).path, self.command
        if found := re.fullmatch(r"/_lfs/([0-9a-f]{64})(?:/(\w+))?", path):
            return self.lfs_part(found[1], found[2])
        if simple := {
            "/_dial": self.set_dial,
            "/api/whoami-v2": lambda: self.whoami(token),
            "/api/repos/create": lambda: self.create(token),
            "/api/validate-yaml": self.validate_yaml,
        }.get(path):
            return simple()
        if found := re.fullmatch(
            r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path
        ):
            return self.batch(self.repo(found[1], found[2], token, writes=True), fault)
        if found := re.fullmatch(
            r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path
        ):
            return self.resolve(
                self.repo(found[1], found[2], token, opens=True), found[3], found[4]
            )
        if found := re.fullmatch(
            r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(\w+)(?:/([^/]+)(?:/(.+))?)?)?",
            path,
        ):
            kind, name, what, revision, rest = found.groups()
            writes = what in ("preupload", "commit", "tag") and method != "GET"
            repo = self.repo(kind, name, token, writes=writes)
            return self.of_repo(
                repo, what, unquote(revision or "main"), unquote(rest or ""), fault
            )
        raise Refused(404, "no such page")

    def of_repo(
        self,
        repo: Repo,
        what: str | None,
        revision: str,
        rest: str,
        fault: Fault | None,
    ) -> Reply:
        if what == "refs":
            return self.refs(repo)
        if what == "tag" and self.command == "DELETE":
            return self.untag(repo, revision)
        commit = self.commit_of(repo, revision)
        match what:
            case None | "revision":
                return self.info(repo, commit)
            case "tree":
                return self.tree(repo, commit, rest)
            case "preupload":
                return self.preupload(repo, commit)
            case "tag":
                return self.tag(repo, commit)
            case "commit":
                return self.commit(repo, fault)
        raise Refused(404, "no such page")

    def repo(
        self,
        kind: str | None,
        name: str,
        token: str,
        *,
        writes: bool = False,
        opens: bool = False,
    ) -> Repo:
        """The repo, unless the token may not see it, write it or, where it is gated,
        open its files.
        """
        repo = self.server.store.repo(
            f"{(kind or 'models').strip('/')}/{unquote(name)}"
        )
        user, role = USERS.get(token, ("", ""))
        member = unquote(name).partition("/")[0] in SPACES.get(user, ())
        if repo is None or (repo.private and not member):
            raise Refused(404 if token else 401, "Repository not found", "RepoNotFound")
        if opens and repo.gated and not member:
            raise Refused(
                403 if token else 401, f"Access to {name} is restricted", "GatedRepo"
            )
        if writes and not token:
            raise Refused(401, "Invalid username or password.")
        if writes and not (member and role == "write"):
            raise Refused(403, "Forbidden: pass a token with write access to this repo")
        return repo

    def commit_of(self, repo: Repo, revision: str) -> str:
        if commit := self.server.store.resolve(repo.name, revision):
            return commit
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    # -- pages without a repo

    def set_dial(self) -> Reply:
        self.server.dial.set(json.loads(self.body))
        return of_json({})

    def whoami(self, token: str) -> Reply:
        if not token:
            raise Refused(401, "Invalid username or password.")
        user, role = USERS[token]
        orgs = [
            {"type": "org", "name": space} for space in sorted(SPACES[user] - {user})
        ]
        return of_json(
            {
                "type": "user",
                "name": user,
                "orgs": orgs,
                "auth": {"accessToken": {"role": role}},
            }
        )

    def create(self, token: str) -> Reply:
        asked = json.loads(self.body)
        user, role = USERS.get(token, ("", ""))
        space, kind = (
            asked.get("organization") or user,
            asked.get("type", "model") + "s",
        )
        if not token:
            raise Refused(401, "Invalid username or password.")
        if role != "write" or space not in SPACES[user]:
            raise Refused(
                403,
                f"You don't have the rights to create a {asked.get('type')} under the namespace {space}",
            )
        name = f"{kind}/{space}/{asked['name']}"
        body = {"url": f"{self.server.url}/{name.removeprefix('models/')}"}
        with self.server.writing:
            if self.server.store.repo(name):
                return of_json({**body, "error": "You already created this repo"}, 409)
            self.server.store.create(name, private=asked.get("visibility") == "private")
        return of_json(body)

    def validate_yaml(self) -> Reply:
        content, errors, warnings = json.loads(self.body)["content"], [], []
        found = re.match(r"---\r?\n(.*?)\r?\n---(\r?\n|$)", content, re.DOTALL)
        try:
            metadata = yaml.safe_load(found[1]) if found else None
            if metadata is None:
                warnings.append(
                    {"message": "empty or missing yaml metadata in repo card"}
                )
            elif not isinstance(metadata, dict):
                errors.append({"message": "the metadata is not a mapping"})
            else:
                errors.extend({"message": fault} for fault in card_faults(metadata))
        except yaml.YAMLError as error:
            errors.append({"message": f"the metadata is no YAML: {error}"})
        return of_json({"errors": errors, "warnings": warnings}, 400 if errors else 200)

    # -- large files

    def batch(self, repo: Repo, fault: Fault | None) -> Reply:
        asked = json.loads(self.body)
        refused = fault.error if fault and fault.do == "lfs_error" else None
        objects = [
            self.action(thing["oid"], thing["size"], refused)
            for thing in asked["objects"]
        ]
        return of_json({"transfer": "basic", "objects": objects, "repo": repo.name})

    def action(self, oid: str, size: int, refused: str | None) -> dict[str, Any]:
        """How to send an object, to addresses that are signed as elsewhere; with no
        action where it is there.
        """
        known = {"oid": oid, "size": size}
        if refused is not None:
            return {**known, "error": {"code": 403, "message": refused}}
        if self.server.store.blob(oid).is_file():
            return known
        href, step = f"{self.server.url}/_lfs/{oid}", self.server.part_bytes
        upload: dict[str, Any] = {"href": f"{href}?signature={SIGNATURE}"}
        if step and size > step:
            parts = {
                str(n + 1): f"{href}/{n + 1:05}?signature={SIGNATURE}"
                for n in range(-(-size // step))
            }
            upload = {
                "href": f"{href}/complete",
                "header": {"chunk_size": str(step), **parts},
            }
        return {
            **known,
            "actions": {"upload": upload, "verify": {"href": f"{href}/verify"}},
        }

    def lfs_part(self, oid: str, what: str | None) -> Reply:
        """A whole object, a part of one, the word that all parts were sent, or the
        question whether it arrived.
        """
        store = self.server.store
        parts = store.root / "parts" / oid
        if what == "verify":
            path, size = store.blob(oid), json.loads(self.body)["size"]
            return of_json(
                {}, 200 if path.is_file() and path.stat().st_size == size else 422
            )
        if what and what != "complete":
            write(parts / what, self.body)
            return Reply(
                200, headers={"ETag": f'"{hashlib.md5(self.body).hexdigest()}"'}
            )
        data = (
            b"".join(path.read_bytes() for path in sorted(parts.iterdir()))
            if what
            else self.body
        )
        if hashlib.sha256(data).hexdigest() != oid:
            raise Refused(400, "XAmzContentSHA256Mismatch")
        write(store.blob(oid), data)
        return of_json({})

    def preupload(self, repo: Repo, commit: str) -> Reply:
        asked, store = json.loads(self.body), self.server.store
        there = store.files(repo.name, commit)
        ignores = (
            store.blob(there[".gitignore"].sha256).read_text()
            if ".gitignore" in there
            else ""
        )
        rules = asked.get("gitIgnore", ignores).split()
        files = []
        for file in asked["files"]:
            path, blob = file["path"], there.get(file["path"])
            lfs = path.endswith(LFS_SUFFIXES) or file["size"] >= LARGE_BYTES
            oid = {"oid": blob.sha256 if blob.lfs else blob.oid} if blob else {}
            ignored = any(fnmatch.fnmatch(path, rule) for rule in rules)
            files.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if lfs else "regular",
                    "shouldIgnore": ignored,
                    **oid,
                }
            )
        return of_json({"files": files})

    # -- commits and tags

    def commit(self, repo: Repo, fault: Fault | None) -> Reply:
        header, *operations = [json.loads(line) for line in self.body.splitlines()]
        store = self.server.store
        with self.server.writing:
            if fault and fault.do == "sneak":
                store.push(repo.name, {"sneaked.txt": b"by another"}, "sneaked in")
            head = self.commit_of(repo, "main")
            files = store.files(repo.name, head)
            for operation in operations:
                self.apply(operation["key"], operation["value"], files)
            try:
                value = header["value"]
                commit = store.commit(
                    repo.name, value.get("parentCommit", head), files, value["summary"]
                )
            except Stale:
                raise Refused(
                    412, "A commit has happened since. Please refresh and try again."
                ) from None
        return of_json(
            {
                "success": True,
                "commitOid": commit,
                "commitUrl": f"{self.server.url}/{repo.name}/commit/{commit}",
            }
        )

    def apply(self, key: str, value: dict[str, Any], files: dict[str, Blob]) -> None:
        store, path = self.server.store, value["path"]
        if key == "file":
            files[path] = store.put(base64.b64decode(value["content"]), lfs=False)
        elif key == "lfsFile":
            oid, size = value["oid"], value["size"]
            if not store.blob(oid).is_file():
                raise Refused(400, f"the LFS object of {path} was not uploaded")
            files[path] = Blob(oid, size, git_blob(pointer(oid, size)), lfs=True)
        elif key == "deletedFile":
            if files.pop(path, None) is None:
                raise Refused(
                    404, "A file with this name doesn't exist", "EntryNotFound"
                )
        else:
            raise Refused(400, f"unknown operation {key}")

    def tag(self, repo: Repo, commit: str) -> Reply:
        tag = json.loads(self.body)["tag"]
        with self.server.writing:
            if tag in self.server.store.refs(repo.name, "tags"):
                raise Refused(409, f"Tag {tag} already exists")
            self.server.store.tag(repo.name, tag, commit)
        return of_json({})

    def untag(self, repo: Repo, tag: str) -> Reply:
        if tag not in self.server.store.refs(repo.name, "tags"):
            raise Refused(404, f"Tag {tag} does not exist", "RevisionNotFound")
        self.server.store.untag(repo.name, tag)
        return of_json({})

    # -- reading

    def refs(self, repo: Repo) -> Reply:
        kinds = {
            "heads": self.server.store.refs(repo.name, "heads"),
            "tags": self.server.store.refs(repo.name, "tags"),
        }
        found = {
            kind: [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
                for name, commit in refs.items()
            ]
            for kind, refs in kinds.items()
        }
        return of_json(
            {"branches": found["heads"], "tags": found["tags"], "converts": []}
        )

    def info(self, repo: Repo, commit: str) -> Reply:
        files = self.server.store.files(repo.name, commit)
        card: dict[str, object] = {}
        if "README.md" in files:
            text = self.server.store.blob(files["README.md"].sha256).read_text()
            card = (
                yaml.safe_load(text.split("---")[1]) if text.startswith("---") else {}
            )
        name = repo.name.partition("/")[2]
        known = {
            "id": name,
            "sha": commit,
            "private": repo.private,
            "gated": "manual" if repo.gated else False,
        }
        return of_json(
            {
                **known,
                "siblings": [{"rfilename": path} for path in files],
                "tags": [],
                "cardData": card,
            }
        )

    def tree(self, repo: Repo, commit: str, folder: str) -> Reply:
        query = {
            key: values[0]
            for key, values in parse_qs(urlsplit(self.path).query).items()
        }
        files, prefix = (
            self.server.store.files(repo.name, commit),
            folder and folder + "/",
        )
        found = entries(
            files, prefix, recursive=query.get("recursive", "").lower() == "true"
        )
        if folder and not found:
            raise Refused(404, f"{folder} does not exist", "EntryNotFound")
        first = int(query.get("cursor", "0"))
        last = first + self.server.page_entries
        path = f"{self.server.url}{urlsplit(self.path).path}?recursive={query.get('recursive', 'false')}"
        links = (
            {"Link": f'<{path}&cursor={last}>; rel="next"'} if last < len(found) else {}
        )
        return of_json(found[first:last], headers=links)

    def resolve(self, repo: Repo, revision: str, path: str) -> Reply:
        commit = self.commit_of(repo, unquote(revision))
        blob = self.server.store.files(repo.name, commit).get(unquote(path))
        headers = {"X-Repo-Commit": commit}
        if blob is None:
            refused = Refused(404, "Entry not found", "EntryNotFound").reply
            return refused._replace(headers={**refused.headers, **headers})
        data = self.server.store.blob(blob.sha256).read_bytes()
        headers |= {
            "ETag": f'"{blob.sha256 if blob.lfs else blob.oid}"',
            "Accept-Ranges": "bytes",
        }
        if blob.lfs:
            headers |= {
                "X-Linked-Size": str(blob.size),
                "X-Linked-Etag": f'"{blob.sha256}"',
            }
        return ranged(data, self.headers.get("Range"), headers)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--dial", type=json.loads, default=[])
    parser.add_argument(
        "--part",
        type=int,
        default=0,
        help="LFS files over so many bytes are sent in such parts",
    )
    parser.add_argument(
        "--page", type=int, default=1000, help="entries of a tree in one answer"
    )
    args = parser.parse_args()
    args.root.mkdir(parents=True, exist_ok=True)
    hub = Hub(args.root, Dial(args.dial), args.part, args.page)
    write(args.port_file, str(hub.server_address[1]).encode())
    hub.serve_forever()


if __name__ == "__main__":
    main()
