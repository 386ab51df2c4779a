"""Open the source that a config names."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cotbuild.builder.build.recorded import recorded_commit
from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.sources.base import BadRow, KnownDataset, Row, RowReader
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.sources.files import (
    FileRows,
    may_be_file_name,
    open_rows,
    parallel_name,
    parse_parallel,
)
from cotbuild.builder.sources.provenance import load_resolved
from cotbuild.builder.sources.slices import parse_row_range
from cotbuild.builder.sources.source import Source
from cotbuild.builder.sources.splits import (
    canonical_split,
    find_split_file,
    infer_split,
)
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError

BUNDLED_SPLITS = ("train", "test")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def open_source(config: SourceConfig, store_dir: Path | None = None) -> Source:
    """Return the source that a config names.

    The name is looked up among the known datasets, then as a file or folder, then as a
    dataset on the Hub. Only the last makes a request, to resolve a branch or tag,
    unless the source.json in `store_dir` has its commit (see `remember_source`). Raises
    ConfigError, StoreError, and DataError if the Hub cannot be reached.
    """
    parse_row_range(config.rows)  # raises early
    name, path = config.name, Path(config.name)
    if not path.exists():
        _reject_file_options(config)
    is_known = name == "bundled" or name in KNOWN_DATASETS
    if not is_known and not path.exists() and _may_be_hub_id(name):
        return _open_hub(config, store_dir)
    _reject_hub_options(config)
    if name == "bundled":
        return _open_bundled(config)
    if name in KNOWN_DATASETS:
        return _open_known(config, KNOWN_DATASETS[name])
    if path.is_dir():
        return _open_folder(config, path)
    if path.exists():
        return _open_file(config, path.name)
    files = parse_parallel(name)
    if files is not None:
        return _open_file(config, parallel_name(files))
    known_names = ", ".join(["bundled", *KNOWN_DATASETS])
    raise ConfigError(
        f"source {name!r}: no such name or file. Pass one of {known_names}, a file, "
        "a folder, text files as in question=q.txt,target=a.txt, or a Hub id OWNER/NAME."
    )


def _may_be_hub_id(name: str) -> bool:
    """Return whether a name has the form owner/name and no data file's ending.

    data/train.jsonl is a missing file rather than a Hub id.
    """
    is_file_name = may_be_file_name(Path(name))
    return HUB_ID.fullmatch(name) is not None and not is_file_name


def _open_hub(config: SourceConfig, store_dir: Path | None) -> Source:
    from cotbuild.builder.sources.hub import HubRows

    hub_id, revision = config.name, config.revision or "main"
    if _COMMIT.fullmatch(revision):
        branch, commit = None, revision
    else:
        branch = f"{hub_id}@{revision}"
        known = None if store_dir is None else _known_commit(config, branch, store_dir)
        commit = known or resolve_revision(hub_id, revision)

    def open_split(name: str) -> RowReader:
        return HubRows(hub_id, config.config_name, name, commit)

    split = canonical_split(config.split or "train")
    return Source(
        config, hub_id, split, open_split, config.config_name, commit, branch=branch
    )


def _known_commit(config: SourceConfig, branch: str, store_dir: Path) -> str | None:
    """Return the commit that a branch had at first use, as store or build record it."""
    commit = load_resolved(store_dir).hub.get(branch)
    return commit or recorded_commit(store_dir.parent, config)


def resolve_revision(hub_id: str, revision: str, named_by: str = "--source") -> str:
    """Return the commit of a branch or tag; `named_by` is what a user corrects.

    Raises ConfigError if there is no such dataset or revision, and DataError if neither
    the Hub nor its local cache answers.
    """
    from cotbuild.builder.hub.commits import resolve_commit

    return resolve_commit(
        "dataset",
        hub_id,
        revision,
        no_repo=ConfigError(
            f"source {hub_id!r}: no such file, and no such dataset on the Hub, or it "
            f"is private or gated. Correct {named_by}, or set HF_TOKEN."
        ),
        no_revision=ConfigError(
            f"{hub_id}: it has no branch, tag or commit {revision!r}."
        ),
        no_answer=lambda why: DataError(
            f"{hub_id}: the Hub does not say which commit {revision!r} is: {why}. "
            "Check the connection, or pass --source-revision with a commit of 40 hex "
            "digits."
        ),
    )


def _open_bundled(config: SourceConfig) -> Source:
    _reject_mapping(config)

    def open_split(split: str) -> RowReader:
        _check_split("bundled", split, BUNDLED_SPLITS)
        return BundledRows(split)

    split = canonical_split(config.split or "train")
    _check_split("bundled", split, BUNDLED_SPLITS)
    return Source(config, "bundled", split, open_split)


class BundledRows(FileRows):
    """The rows of one split of the bundled question set, whose splits share a file."""

    def __init__(self, split: str) -> None:
        super().__init__(Path(__file__).with_name("bundled.jsonl"))
        self._split = split

    def __iter__(self) -> Iterator[Row | BadRow]:
        for row in super().__iter__():
            if isinstance(row, BadRow) or row.get("split") == self._split:
                yield row


def _open_known(config: SourceConfig, known: KnownDataset) -> Source:
    from cotbuild.builder.sources.hub import HubRows

    _reject_mapping(config)
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
    find_split_file(folder, split)  # raises early

    @cache
    def open_split(name: str) -> RowReader:
        file = find_split_file(folder, name)
        return FileRows(file, config.file_format, config.rows_under, config.header)

    return Source(config, folder.resolve().name, split, open_split)


def _open_file(config: SourceConfig, file_name: str) -> Source:
    """Return the source of one file, or of text files side by side, without a folder."""
    split = config.split or infer_split(Path(file_name))
    split = canonical_split(split)
    rows = open_rows(config.name, config.file_format, config.rows_under, config.header)

    def open_split(name: str) -> RowReader:
        if name != split:
            raise ConfigError(
                f"{file_name}: split {name!r} of a single file, which holds "
                f"{split!r}. Pass the folder with the files of all splits as the source."
            )
        return rows

    return Source(config, file_name, split, open_split)


def _check_split(name: str, split: str, splits: tuple[str, ...]) -> None:
    if split not in splits:
        raise ConfigError(
            f"{name}: no split {split!r}. Pass one of {', '.join(splits)} (dev is "
            "validation)."
        )


def _reject_mapping(config: SourceConfig) -> None:
    is_kind_set = config.kind is not None or config.target_is is not None
    if config.columns or config.labels or is_kind_set:
        raise ConfigError(
            f"{config.name}: --map, --kind, --target-is and --labels are not for a known "
            "dataset. Leave them out."
        )


def _reject_file_options(config: SourceConfig) -> None:
    """Raise ConfigError if how to read a file is given without one."""
    is_file_name = may_be_file_name(Path(config.name)) or parse_parallel(config.name)
    is_given = config.file_format or config.rows_under or config.header
    if is_given and not is_file_name:
        raise ConfigError(
            f"{config.name}: --as, --rows-under and --header are for files, and there is "
            "no such file. Leave them out, or correct --source."
        )


def _reject_hub_options(config: SourceConfig) -> None:
    """Raise ConfigError if a config or revision is given for a source that has none.

    Files have neither, and those of a known dataset are fixed.
    """
    options = {"config_name": config.config_name, "revision": config.revision}
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return
    known = KNOWN_DATASETS.get(config.name)
    remedy = f"pass {known.hub_id} as the source" if known else "leave them out"
    raise ConfigError(
        f"{Path(config.name).name}: {given} with a source that is not a Hub id; "
        f"{remedy}."
    )
