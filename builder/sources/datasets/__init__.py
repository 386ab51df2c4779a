"""The datasets that are known by name: they need no column mapping."""

from cotbuild.builder.sources.base import KnownDataset, Row
from cotbuild.builder.sources.datasets import (
    arc,
    commonsense_qa,
    gsm8k,
    openbookqa,
    quarel,
    strategyqa,
    svamp,
)
from cotbuild.schemas.config import SourceConfig

_DATASETS = (
    commonsense_qa.KNOWN,
    openbookqa.KNOWN,
    quarel.KNOWN,
    arc.CHALLENGE,
    arc.EASY,
    strategyqa.KNOWN,
    gsm8k.KNOWN,
    svamp.KNOWN,
)
KNOWN_DATASETS: dict[str, KnownDataset] = {
    dataset.name: dataset for dataset in _DATASETS
}


def find_known_dataset(first: Row, config: SourceConfig) -> KnownDataset | None:
    """Return the known dataset whose published shape a file's first row has.

    None if there is none, or if the user maps columns or sets another kind.
    """
    matching = (dataset for dataset in _DATASETS if dataset.matches(first))
    dataset = next(matching, None)
    if dataset is None or config.columns or config.labels or config.target_is:
        return None
    return dataset if config.kind in (None, dataset.kind) else None
