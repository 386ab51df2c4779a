"""Which source a config names."""

import re
from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.sources.base import BadRow, Row, RowReader
from cotbuild.builder.sources.files import READERS, FileRows
from cotbuild.builder.sources.known import KnownDataset
from cotbuild.builder.sources.registry import KNOWN
from cotbuild.builder.sources.resolved import load_resolved, save_resolved
from cotbuild.builder.sources.slices import row_range
from cotbuild.builder.sources.source import Source
from cotbuild.builder.sources.splits import (
    canonical_split,
    file_of_split,
    split_of_file,
)
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError

BUNDLED_SPLITS = ("train", "test")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def open_source(config: SourceConfig, store_dir: Path | None = None) -> Source:
    """The source a config names: a known name, else a file or folder of that name, else
    a dataset on the Hub.

    Only the last asks the Hub: what its branch or tag means now, unless `store_dir`
    remembers what it meant before (see `remember_source`). Raises ConfigError,
    DataError where the Hub cannot be reached, StoreError.
    """
    row_range(config.rows)
    name, path = config.name, Path(config.name)
    if name not in ("bundled", *KNOWN) and not path.exists() and _may_be_hub_id(name):
        return _open_hub(config, store_dir)
    _refuse_coordinates(config)
    if name == "bundled":
        return _open_bundled(config)
    if name in KNOWN:
        return _open_known(config, KNOWN[name])
    if path.is_dir():
        return _open_folder(config, path)
    if path.exists():
        return _open_file(config, path)
    raise ConfigError(
        f"source {name!r}: no such name or file. Pass one of {', '.join(['bundled', *KNOWN])}, a file, a folder, "
        "or a Hub id OWNER/NAME."
    )


def remember_source(source: Source, store_dir: Path) -> None:
    """Write down what the Hub said of a dataset given by its id, so that every later
    run of this store finds the same.

    That is the commit of a branch or tag, and the licence, unless the Hub is out of
    reach. Raises StoreError.
    """
    if source.known is not None or source.revision is None:
        return
    resolved = load_resolved(store_dir)
    hub, licences = dict(resolved.hub), dict(resolved.licences)
    if source.branch is not None:
        hub.setdefault(source.branch, source.revision)
    at = f"{source.dataset}@{source.revision}"
    if at not in licences and (said := _hub_licence(source)) is not None:
        licences[at] = said
    if (hub, licences) != (resolved.hub, resolved.licences):
        save_resolved(
            store_dir, resolved.model_copy(update={"hub": hub, "licences": licences})
        )


def _hub_licence(source: Source) -> str | None:
    """What the dataset's card says; empty: nothing. None: the Hub is out of reach."""
    from cotbuild.builder.sources.hub import hub_facts

    assert source.revision is not None
    facts = hub_facts(source.dataset, source.config_name, source.revision)
    return None if facts is None else facts.licence


def _may_be_hub_id(name: str) -> bool:
    """Whether a name that is no file has the form owner/name; data/train.jsonl is a
    file that is not there.
    """
    return (
        HUB_ID.fullmatch(name) is not None and Path(name).suffix.lower() not in READERS
    )


def _open_hub(config: SourceConfig, store_dir: Path | None) -> Source:
    from cotbuild.builder.sources.hub import HubRows

    hub_id, revision = config.name, config.revision or "main"
    branch = None if _COMMIT.fullmatch(revision) else f"{hub_id}@{revision}"
    stored = (
        None
        if branch is None or store_dir is None
        else load_resolved(store_dir).hub.get(branch)
    )
    commit = stored or (_resolved(hub_id, revision) if branch else revision)

    def open_split(name: str) -> RowReader:
        return HubRows(hub_id, config.config_name, name, commit)

    split = canonical_split(config.split or "train")
    return Source(
        config, hub_id, split, open_split, config.config_name, commit, branch=branch
    )


def _resolved(hub_id: str, revision: str) -> str:
    """The commit; ConfigError where there is no such dataset or revision, DataError
    where nobody can tell.
    """
    from cotbuild.builder.hub.commits import resolve_commit

    return resolve_commit(
        "dataset",
        hub_id,
        revision,
        no_repo=ConfigError(
            f"source {hub_id!r}: no such file, and no such dataset on the Hub, or it is private or gated. "
            "Correct --source, or set HF_TOKEN."
        ),
        no_revision=ConfigError(
            f"{hub_id}: it has no branch, tag or commit {revision!r}."
        ),
        no_answer=lambda why: DataError(
            f"{hub_id}: the Hub does not say which commit {revision!r} is: {why}. Check the "
            "connection, or pass --source-revision with a commit of 40 hex digits."
        ),
    )


def _open_bundled(config: SourceConfig) -> Source:
    _refuse_mapping(config)

    def open_split(split: str) -> RowReader:
        _check_split("bundled", split, BUNDLED_SPLITS)
        return BundledRows(split)

    split = canonical_split(config.split or "train")
    _check_split("bundled", split, BUNDLED_SPLITS)
    return Source(config, "bundled", split, open_split)


class BundledRows(FileRows):
    """One split of the bundled question set, which is one file."""

    def __init__(self, split: str) -> None:
        super().__init__(Path(__file__).with_name("bundled.jsonl"))
        self._split = split

    def __iter__(self) -> Iterator[Row | BadRow]:
        return (
            row
            for row in super().__iter__()
            if isinstance(row, BadRow) or row.get("split") == self._split
        )


def _open_known(config: SourceConfig, known: KnownDataset) -> Source:
    from cotbuild.builder.sources.hub import HubRows

    _refuse_mapping(config)
    split = canonical_split(config.split or "train")
    _check_split(known.name, split, known.splits)

    def open_split(name: str) -> RowReader:
        _check_split(known.name, name, known.splits)
        return HubRows(known.hub_id, known.config_name, name, known.revision)

    return Source(
        config,
        known.hub_id,
        split,
        open_split,
        known.config_name,
        known.revision,
        known,
    )


def _open_folder(config: SourceConfig, folder: Path) -> Source:
    split = canonical_split(config.split or "train")
    file_of_split(folder, split)
    return Source(
        config,
        folder.resolve().name,
        split,
        lambda name: FileRows(file_of_split(folder, name)),
    )


def _open_file(config: SourceConfig, path: Path) -> Source:
    split = canonical_split(config.split) if config.split else split_of_file(path)

    def open_split(name: str) -> RowReader:
        if name != split:
            raise ConfigError(
                f"{path.name}: split {name!r} of a single file, which holds {split!r}. "
                "Pass the folder with the files of all splits as the source."
            )
        return FileRows(path)

    return Source(config, path.name, split, open_split)


def _check_split(name: str, split: str, splits: tuple[str, ...]) -> None:
    if split not in splits:
        raise ConfigError(
            f"{name}: no split {split!r}. Pass one of {', '.join(splits)} (dev is validation)."
        )


def _refuse_mapping(config: SourceConfig) -> None:
    if config.columns or config.kind is not None:
        raise ConfigError(
            f"{config.name}: --map and --kind are not for a known dataset. Leave them out."
        )


def _refuse_coordinates(config: SourceConfig) -> None:
    """config_name and revision say nothing about a file, and a known dataset's are
    fixed.
    """
    given = {"config_name": config.config_name, "revision": config.revision}
    said = {field: value for field, value in given.items() if value is not None}
    if said:
        known = KNOWN.get(config.name)
        instead = f"pass {known.hub_id} as the source" if known else "leave them out"
        raise ConfigError(
            f"{Path(config.name).name}: {said} with a source that is not a Hub id; {instead}."
        )
