"""The licence and the Hub commit of a source, and the source.json that records them.

Each store has one source.json. It keeps what the branches and tags of Hub datasets
pointed to at first use, and the licences on their cards, so that later runs of the
store read the same data and need no Hub for it.
"""

from pathlib import Path

from pydantic import Field

from cotbuild.builder.sources.source import Source
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import read_record, write_record
from cotbuild.schemas.record import FORMAT_VERSION, Record

SOURCE_JSON = "source.json"
BUNDLED_LICENCE = "Apache-2.0"


class ResolvedSource(Record):
    """The content of source.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    hub: dict[str, str] = Field(
        default={},
        description="repo@revision as configured to the commit it resolved to.",
    )
    licences: dict[str, str] = Field(
        default={},
        description="repo@commit to the licence on its card, empty if there is none.",
    )


def load_resolved(store_dir: Path) -> ResolvedSource:
    """Read source.json; return an empty record if there is none.

    Raises StoreError if the file cannot be read.
    """
    remedy = "Delete the file to resolve the sources again."
    path = store_dir / SOURCE_JSON
    resolved = read_record(path, ResolvedSource, remedy=remedy, error=StoreError)
    return resolved or ResolvedSource()


def remember_source(source: Source, store_dir: Path) -> None:
    """Record the commit and licence of a dataset given by its Hub id in source.json.

    The licence is left out if the Hub cannot be reached. An existing entry is kept.
    Raises StoreError.
    """
    if source.known is not None or source.revision is None:
        return
    resolved = load_resolved(store_dir)
    hub, licences = dict(resolved.hub), dict(resolved.licences)
    if source.branch is not None:
        hub.setdefault(source.branch, source.revision)
    commit_ref = f"{source.dataset}@{source.revision}"
    if commit_ref not in licences:
        licence = _fetch_licence(source.dataset, source.config_name, source.revision)
        if licence is not None:
            licences[commit_ref] = licence
    updated = resolved.model_copy(update={"hub": hub, "licences": licences})
    if updated != resolved:
        write_record(store_dir / SOURCE_JSON, updated)


def _fetch_licence(hub_id: str, config_name: str | None, revision: str) -> str | None:
    """Return the licence on the dataset's card, empty if the card states none.

    None if the Hub cannot be reached.
    """
    from cotbuild.builder.sources.hub import fetch_hub_facts

    facts = fetch_hub_facts(hub_id, config_name, revision)
    return None if facts is None else facts.licence


def stated_licence(source: Source, store_dir: Path | None = None) -> str | None:
    """Return the stated licence of a source, None if it states none.

    The licence of a dataset on the Hub is read from the source.json in `store_dir`; no
    request is made. A file in the published shape of a known dataset gets that
    dataset's licence with the proviso that it is a copy. Raises StoreError.
    """
    if source.dataset == "bundled":
        return BUNDLED_LICENCE
    if source.known is not None:
        return source.known.licence
    if source.revision is not None:
        if store_dir is None:
            return None
        licences = load_resolved(store_dir).licences
        return licences.get(f"{source.dataset}@{source.revision}") or None
    dataset = source.identify_dataset(source.split)
    if dataset is None or dataset.licence == "unknown":
        return None
    return f"that of {dataset.name}, if it is a copy: {dataset.licence}"


def hub_id(source: Source) -> str | None:
    """Return the Hub id of a source, None for files and the bundled set."""
    return None if source.revision is None else source.dataset
