"""Find what the columns of a source's splits mean, once for the content of each."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cotbuild.builder.sources.base import KnownDataset, Row, RowParser, RowReader
from cotbuild.builder.sources.datasets import find_known_dataset
from cotbuild.builder.sources.generic import make_row_parser
from cotbuild.builder.sources.read_columns import (
    UnderstoodColumns,
    read_columns,
    read_sample,
)
from cotbuild.builder.sources.reading import Reading
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError

DEFAULT_MAP_OPTION = "--map"
_DEFAULT_MAP_OPTION = re.compile(r"(?<![^\s(])--map(?=[ ,)])")


@dataclass
class SplitColumns:
    """What is known of the columns of one split."""

    sample: list[Row]
    """Its first readable rows, at least one."""
    dataset: KnownDataset | None
    """The known dataset whose shape they have, None if there is none."""
    understood: UnderstoodColumns | None = None
    """None until all rows are read."""


@dataclass
class SourceColumns:
    """The columns of all splits of a source that is not read as a known dataset.

    What was found is kept for as long as the content of a split stays the same: even
    the first rows of a JSON document take a pass over all of it, and those of a dataset
    on the Hub a request.
    """

    config: SourceConfig
    base_split: str
    """The configured split, whose columns decide for splits without targets."""
    open_split: Callable[[str], RowReader]
    map_option: str
    """The option of the command line that maps this source's columns."""
    _splits: dict[tuple[str, str], SplitColumns] = field(
        default_factory=dict, repr=False
    )
    """By split and checksum."""

    def find(self, rows: RowReader, split: str) -> SplitColumns:
        """Return what the first rows of a split show; raises DataError if none is."""
        key = (split, rows.checksum())
        if key not in self._splits:
            sample = read_sample(rows)
            dataset = find_known_dataset(sample[0], self.config)
            if dataset is not None:
                _check_config_name(dataset, sample[0], self.config, rows.location)
            self._splits[key] = SplitColumns(sample, dataset)
        return self._splits[key]

    def row_parser(self, rows: RowReader, split: str) -> RowParser:
        """Return the parser of a split's rows; raises what `understand` raises."""
        columns = self.find(rows, split)
        if columns.dataset is not None:
            left_out = self.config.columns
            return columns.dataset.row_parser(columns.sample[0], left_out)
        return make_row_parser(self.understand(columns, rows, split).reading)

    def understand(
        self, columns: SplitColumns, rows: RowReader, split: str
    ) -> UnderstoodColumns:
        """Return the reading of a split's columns, for which all its rows are read.

        Raises what `read_columns` raises.
        """
        if columns.understood is None:
            base = None if split == self.base_split else self._base_reading()
            with self._own_map_option():
                understood = read_columns(rows, columns.sample, self.config, base)
            line = self.name_map_option(understood.line)
            columns.understood = understood._replace(line=line)
        return columns.understood

    def name_map_option(self, text: str) -> str:
        """Return a text that tells how to map columns, with the option of this source."""
        return _DEFAULT_MAP_OPTION.sub(self.map_option, text)

    @contextmanager
    def _own_map_option(self) -> Iterator[None]:
        """Name the option of this source in the errors that tell how to map columns."""
        try:
            yield
        except (ConfigError, DataError) as error:
            if self.map_option == DEFAULT_MAP_OPTION:
                raise
            raise type(error)(self.name_map_option(str(error))) from error

    def _base_reading(self) -> Reading | None:
        """Return the reading of the configured split, None if it has none."""
        try:
            rows = self.open_split(self.base_split)
            columns = self.find(rows, self.base_split)
        except (ConfigError, DataError):
            return None
        if columns.dataset is not None:
            return None
        return self.understand(columns, rows, self.base_split).reading


def _check_config_name(
    dataset: KnownDataset, first: Row, config: SourceConfig, location: str
) -> None:
    """Raise ConfigError if a file can be read in several ways, and none is named."""
    if dataset.config_names is None:
        return
    names = dataset.config_names(first)
    if config.config_name not in names:
        given = "" if config.config_name is None else f", not {config.config_name!r}"
        raise ConfigError(
            f"{location}: its rows can be read as {' or '.join(names)}{given}. Pass "
            f"--config-name {names[0]}, or another."
        )
