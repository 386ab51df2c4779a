"""How the small Hub answers: replies, refusals, and the pure parts of its pages."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.support.hub.store import Blob, git_blob


class Reply(NamedTuple):
    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012


class Refused(Exception):
    def __init__(self, status: int, error: str, code: str = "") -> None:
        headers = {"X-Error-Message": error, **({"X-Error-Code": code} if code else {})}
        self.reply = Reply(status, json.dumps({"error": error}).encode(), headers)


def of_json(
    body: object, status: int = 200, headers: dict[str, str] | None = None
) -> Reply:
    return Reply(
        status,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **(headers or {})},
    )


def card_faults(metadata: dict[str, Any]) -> Iterable[str]:
    """What the Hub would refuse of a card: its own check has more to say, and this of
    what we write.
    """
    if not isinstance(metadata.get("license", ""), str | list):
        yield '"license" must be a string or a list'
    configs = metadata.get("configs", [])
    if not isinstance(configs, list) or not all(
        isinstance(config, dict) for config in configs
    ):
        yield '"configs" must be a list of mappings'
    elif not all(isinstance(config.get("config_name"), str) for config in configs):
        yield '"configs[].config_name" must be a string'
    for key in ("tags", "task_categories", "size_categories"):
        if not isinstance(metadata.get(key, []), list):
            yield f'"{key}" must be a list'


def entries(
    files: dict[str, Blob], prefix: str, *, recursive: bool
) -> list[dict[str, Any]]:
    """Of a folder: its files, and the folders that they stand in."""
    found: dict[str, dict[str, Any]] = {}
    for path, blob in files.items():
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            name = prefix + "/".join(parts[:depth])
            found[name] = {
                "type": "directory",
                "path": name,
                "size": 0,
                "oid": git_blob(name.encode()),
            }
        if recursive or len(parts) == 1:
            lfs = (
                {"lfs": {"oid": blob.sha256, "size": blob.size, "pointerSize": 130}}
                if blob.lfs
                else {}
            )
            found[path] = {
                "type": "file",
                "path": path,
                "size": blob.size,
                "oid": blob.oid,
                **lfs,
            }
    return [found[name] for name in sorted(found)]


def ranged(data: bytes, wanted: str | None, headers: dict[str, str]) -> Reply:
    """All, or one range of bytes: `A-B`, `A-` or `-N`."""
    if wanted is None:
        return Reply(200, data, headers)
    begin, _, end = wanted.removeprefix("bytes=").partition("-")
    first = int(begin) if begin else max(len(data) - int(end), 0)
    last = min(int(end), len(data) - 1) if begin and end else len(data) - 1
    if first > last:
        return Reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
    return Reply(
        206,
        data[first : last + 1],
        {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"},
    )
