"""Open the source that a config names."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cotbuild.builder.build.recorded import recorded_commit
from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.sources.base import (
    BadRow,
    KnownDataset,
    PublishedFolder,
    Row,
    RowReader,
)
from cotbuild.builder.sources.datasets import (
    KNOWN_DATASETS,
    find_known_dataset,
    maps_other_columns,
    open_known_folder,
)
from cotbuild.builder.sources.files import (
    FileRows,
    may_be_file_name,
    open_rows,
    parallel_name,
    parse_parallel,
)
from cotbuild.builder.sources.image_inputs import LoadsImages
from cotbuild.builder.sources.pictures import open_loader
from cotbuild.builder.sources.provenance import load_resolved
from cotbuild.builder.sources.read_columns import read_sample
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
_BUNDLED_FILE = Path(__file__).with_name("bundled.jsonl")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def open_source(
    config: SourceConfig,
    store_dir: Path | None = None,
    images: LoadsImages | None = None,
) -> Source:
    """Return the source that a config names.

    The name is looked up among the known datasets, then as a file or folder, then as a
    dataset on the Hub. Only the last makes a request, to resolve a branch or tag,
    unless the source.json in `store_dir` has its commit (see `remember_source`).
    `images` loads the pictures of rows; without it they are read and not kept. Raises
    ConfigError, StoreError, and DataError if the Hub cannot be reached.
    """
    source = _find_source(config, store_dir)
    source.images = open_loader(config) if images is None else images
    return source


def _find_source(config: SourceConfig, store_dir: Path | None) -> Source:
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
    if name in KNOWN_DATASETS and (KNOWN_DATASETS[name].hub_id or not path.exists()):
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
        return BundledRows(_BUNDLED_FILE, split)

    split = canonical_split(config.split or "train")
    _check_split("bundled", split, BUNDLED_SPLITS)
    return Source(config, "bundled", split, open_split)


class BundledRows(FileRows):
    """The rows of one split of a bundled question set, whose splits share a file."""

    def __init__(self, file: Path, split: str) -> None:
        super().__init__(file)
        self._split = split

    def __iter__(self) -> Iterator[Row | BadRow]:
        for row in super().__iter__():
            if isinstance(row, BadRow) or row.get("split") == self._split:
                yield row


def _open_known(config: SourceConfig, known: KnownDataset) -> Source:
    from cotbuild.builder.sources.hub import HubRows

    if maps_other_columns(known, config):
        _reject_mapping(config)
    split = canonical_split(config.split or "train")
    if known.file is not None:
        return _open_known_file(config, known, known.file, split)
    hub_id, revision = known.hub_id, known.revision
    if hub_id is None or revision is None:
        raise ConfigError(
            f"{known.name}: only its published files are read. Get them from "
            f"{known.published_at}, and pass the file or the folder as the source."
        )
    _check_split(known.name, split, known.splits)

    def open_split(name: str) -> RowReader:
        _check_split(known.name, name, known.splits)
        return HubRows(hub_id, known.config_name, name, revision)

    return Source(config, hub_id, split, open_split, known.config_name, revision, known)


def _open_known_file(
    config: SourceConfig, known: KnownDataset, file: Path, split: str
) -> Source:
    """Return the source of a dataset whose file comes with cotbuild."""
    _check_split(known.name, split, known.splits)

    def open_split(name: str) -> RowReader:
        _check_split(known.name, name, known.splits)
        return BundledRows(file, name)

    return Source(config, known.name, split, open_split, known=known)


def _open_folder(config: SourceConfig, folder: Path) -> Source:
    published = open_known_folder(folder, config.config_name)
    if published is not None:
        return _open_published(config, folder.resolve().name, published)
    split = canonical_split(config.split or "train")
    find_split_file(folder, split)  # raises early

    @cache
    def open_split(name: str) -> RowReader:
        file = find_split_file(folder, name)
        return FileRows(file, config.file_format, config.rows_under, config.header)

    return Source(config, folder.resolve().name, split, open_split)


def _open_published(
    config: SourceConfig, name: str, published: PublishedFolder
) -> Source:
    """Return the source of a folder in the layout of a known dataset."""
    splits = published.splits
    default = "train" if "train" in splits else splits[0]
    split = canonical_split(config.split or default)
    _check_split(name, split, splits)

    @cache
    def open_split(wanted: str) -> RowReader:
        _check_split(name, wanted, splits)
        return published.open_split(wanted)

    return Source(config, name, split, open_split, config.config_name)


def _open_file(config: SourceConfig, file_name: str) -> Source:
    """Return the source of one file, or of text files side by side, without a folder."""
    split = config.split or infer_split(Path(file_name))
    split = canonical_split(split)
    rows = open_rows(config.name, config.file_format, config.rows_under, config.header)

    def open_split(name: str) -> RowReader:
        if name != split:
            alias = " (dev is validation)" if name == "validation" else ""
            raise ConfigError(
                f"{file_name}: no split {name!r}{alias}, as it is a single file with the split "
                f"{split!r}. Pass a folder with one file per split as the source."
            )
        return rows

    return Source(config, file_name, split, open_split, config.config_name)


def _check_split(name: str, split: str, splits: tuple[str, ...]) -> None:
    if split not in splits:
        raise ConfigError(
            f"{name}: no split {split!r}. Pass one of {', '.join(splits)} (dev is "
            "validation)."
        )


def _reject_mapping(config: SourceConfig) -> None:
    is_kind_set = config.kind is not None or config.target_is is not None
    if config.columns or config.tags or config.labels or is_kind_set:
        raise ConfigError(
            f"{config.name}: --map, --tag, --kind, --target-is and --labels are not for a "
            "known dataset. Leave them out."
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

    Files have no revision, and those of some known datasets alone have configs; both are
    fixed for a known dataset on the Hub.
    """
    options = {"config_name": config.config_name, "revision": config.revision}
    if config.config_name is not None and _has_configs(config):
        del options["config_name"]
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return
    known = KNOWN_DATASETS.get(config.name)
    if known is not None and known.hub_id is None and not Path(config.name).exists():
        return  # opening it says that there are files alone
    hub_id = None if known is None else known.hub_id
    remedy = f"pass {hub_id} as the source" if hub_id else "leave them out"
    raise ConfigError(
        f"{Path(config.name).name}: {given} with a source that is not a Hub id; "
        f"{remedy}."
    )


def _has_configs(config: SourceConfig) -> bool:
    """Return whether a file or folder has the shape of a known dataset with configs.

    Raises ConfigError if it has no config of that name.
    """
    path = Path(config.name)
    if path.is_dir():
        return open_known_folder(path, config.config_name) is not None
    if not path.exists():
        return False
    rows = open_rows(config.name, config.file_format, config.rows_under, config.header)
    dataset = find_known_dataset(read_sample(rows)[0], config)
    return dataset is not None and dataset.config_names is not None
