"""The datasets that are known by name: they need no column mapping."""

from pathlib import Path

from cotbuild.builder.sources.base import KnownDataset, PublishedFolder, Row
from cotbuild.builder.sources.datasets import (
    alma,
    arc,
    bundled_tasks,
    commonsense_qa,
    esnli,
    gsm8k,
    ntrex,
    openbookqa,
    quarel,
    scienceqa,
    sentiment_reasoning,
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
    esnli.KNOWN,
    sentiment_reasoning.KNOWN,
    scienceqa.KNOWN,
    ntrex.KNOWN,
    alma.KNOWN,
    bundled_tasks.KNOWN,
)
KNOWN_DATASETS: dict[str, KnownDataset] = {
    dataset.name: dataset for dataset in _DATASETS
}


def find_known_dataset(first: Row, config: SourceConfig) -> KnownDataset | None:
    """Return the known dataset whose published shape a file's first row has.

    None if there is none, or if the user maps columns or sets another kind. An input of
    the dataset that is mapped to no column is left out.
    """
    matching = (dataset for dataset in _DATASETS if dataset.matches(first))
    dataset = next(matching, None)
    if dataset is None or config.tags or config.labels or config.target_is:
        return None
    if maps_other_columns(dataset, config):
        return None
    return dataset if config.kind in (None, dataset.kind) else None


def maps_other_columns(dataset: KnownDataset, config: SourceConfig) -> bool:
    """Return whether columns are mapped in another way than to leave out inputs."""
    return any(
        column or name not in dataset.input_names
        for name, column in config.columns.items()
    )


def open_known_folder(folder: Path, config_name: str | None) -> PublishedFolder | None:
    """Return the files in a folder that has the layout of a known dataset.

    None if it has that of none. Raises ConfigError if there is no such config.
    """
    for dataset in _DATASETS:
        opened = dataset.open_folder and dataset.open_folder(folder, config_name)
        if opened is not None:
            return opened
    return None
