"""What is known of a source's licence, and of its place on the Hub."""

from pathlib import Path

from cotbuild.builder.sources.resolved import load_resolved
from cotbuild.builder.sources.source import Source

BUNDLED_LICENCE = "Apache-2.0"


def stated_licence(source: Source, store_dir: Path | None = None) -> str | None:
    """The licence as stated; None: nobody says. Asks no Hub: what its card says is
    remembered in `store_dir`.

    A file says none itself; one in the shape of a known dataset has that one's, if it
    is a copy. Raises StoreError.
    """
    if source.dataset == "bundled":
        return BUNDLED_LICENCE
    if source.known is not None:
        return source.known.licence
    if source.revision is not None:
        said = {} if store_dir is None else load_resolved(store_dir).licences
        return said.get(f"{source.dataset}@{source.revision}") or None
    known = source.shape(source.open_split(source.split))
    return (
        None
        if known is None
        else f"that of {known.name}, if it is a copy: {known.licence}"
    )


def hub_id(source: Source) -> str | None:
    """The dataset on the Hub; None: a file, or the bundled set."""
    return None if source.revision is None else source.dataset
