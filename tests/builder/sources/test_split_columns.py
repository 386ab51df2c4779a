from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.source import Source
from cotbuild.schemas.config import SourceConfig


class CountedRows(FileRows):
    """The rows of a file, and how often they were read."""

    num_passes = 0

    def __iter__(self) -> Iterator[Row | BadRow]:
        self.num_passes += 1
        return super().__iter__()


def test_the_first_rows_are_read_once_while_a_file_stays_the_same(
    tmp_path: Path,
) -> None:
    path = tmp_path / "train.json"
    path.write_text('[{"question": "q", "answer": 1}]')
    rows = CountedRows(path)
    source = Source(SourceConfig(name="train"), "train", "train", lambda _: rows)
    for _ in range(2):
        assert [question.target for question in source.read("train")] == ["1"]
        assert source.identify_dataset("train") is None
        assert "target answer as number" in (source.read_as("train") or "")
    assert rows.num_passes == 4  # the first rows, all rows, and the questions twice
    path.write_text('[{"question": "q", "answer": "so"}]')
    assert [question.target for question in source.read("train")] == ["so"]
    assert "target answer as text" in (source.read_as("train") or "")
    assert rows.num_passes == 7
