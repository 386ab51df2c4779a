"""What transforms may know of the whole build: its words, the rationales of other
questions, files bound by name.

Built in one pass; nothing depends on the order of the rationales. In memory: the
different words, and 60 bytes a rationale. The texts lie in a temporary file that has no
name: it goes with the process, however that ends.
"""

import os
import tempfile
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.storage.keys import KEY
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import ScoresFile, row_key
from cotbuild.builder.variants.transforms.units import bare, words
from cotbuild.schemas.errors import ConfigError, DataError, StoreError

_CODE = np.dtype("<u8")


class LoadedCorpus:
    """The `Corpus` of these rationales; a context manager.

    `files` are the paths of the names that transforms use. `folder` takes the texts, as
    large as all rationales together; None: the system's temporary folder. Worker
    processes may share it by fork. Raises DataError where two rationales are the same
    sample of a question, StoreError where there is no room for the texts.
    """

    def __init__(
        self,
        examples: Iterable[RationaleExample],
        files: Mapping[str, Path],
        folder: Path | None = None,
    ) -> None:
        self._files = files
        self._words = WordTable()
        self._texts = TextTable(folder)
        self._scores: dict[str, ScoresFile] = {}
        self._lists: dict[str, frozenset[str]] = {}
        rows = _Rows()
        try:
            for example in examples:
                self._words.add(example.rationale)
                self._texts.add(example.rationale)
                rows.add(example)
            self._words.close()
            self._texts.flush()
            self._partners = RationalePairing(rows)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the texts' room, and close scores files."""
        self._texts.close()
        for file in self._scores.values():
            file.close()

    def document_frac(self, word: str) -> float:
        return self._words.document_frac(word)

    def word_at(self, point: float, *, by_count: bool) -> str:
        return self._words.at(point, by_count=by_count)

    def another(self, example: RationaleExample, label: str) -> str | None:
        place = self._partners.of(example, label)
        return None if place is None else self._texts[place]

    def scores(
        self, file: str, example: RationaleExample
    ) -> Sequence[tuple[int, int, float, bool]] | None:
        if file not in self._scores:
            self._scores[file] = ScoresFile(self._path(file))
        return self._scores[file].spans(example)

    def listed(self, file: str) -> frozenset[str]:
        if file not in self._lists:
            self._lists[file] = read_words(self._path(file))
        return self._lists[file]

    def _path(self, file: str) -> Path:
        if file not in self._files:
            raise ConfigError(f"file {file!r}: not given. Expected --file {file}=PATH.")
        return self._files[file]


def read_words(path: Path) -> frozenset[str]:
    """The words of a text file, white space between them, as `units.bare` gives them.

    Raises DataError.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}. Expected a text file of words.") from error
    found = frozenset(map(bare, words(text))) - {""}
    if not found:
        raise DataError(
            f"{path}: no word in it. Expected words, with white space between them."
        )
    return found


class WordTable:
    """How often each word stands, as it is written, and in how many texts its bare form
    does.
    """

    def __init__(self) -> None:
        self._num_texts = 0
        self._texts_with: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._different: list[str] = []
        self._ends = array("q")
        """Words up to and with each of the different ones."""

    def add(self, text: str) -> None:
        said = words(text)
        self._num_texts += 1
        self._counts.update(said)
        self._texts_with.update({bare(word) for word in set(said)} - {""})

    def close(self) -> None:
        """No more texts: put the words in order, by code points, the same on every
        platform.
        """
        self._different = sorted(self._counts)
        self._ends = array(
            "q", accumulate(self._counts[word] for word in self._different)
        )
        self._counts.clear()

    def document_frac(self, word: str) -> float:
        return (
            self._texts_with.get(word, 0) / self._num_texts if self._num_texts else 0.0
        )

    def at(self, point: float, *, by_count: bool) -> str:
        """Raises DataError where there are no words at all."""
        if not self._different:
            raise DataError(
                "vocabulary: the rationales have no word. Expected at least one."
            )
        if not by_count:
            return self._different[int(point * len(self._different))]
        return self._different[bisect_right(self._ends, int(point * self._ends[-1]))]


class TextTable:
    """Texts on disk, by number. Raises StoreError where there is no room."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._ends = array("q", [0])
        with self._room():
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by close)

    def add(self, text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        self._ends.append(self._ends[-1] + len(data))
        with self._room():
            self._file.write(data)

    def flush(self) -> None:
        with self._room():
            self._file.flush()

    def __getitem__(self, number: int) -> str:
        start, end = self._ends[number], self._ends[number + 1]
        # Not seek and read: forked workers share the file's position.
        return os.pread(self._file.fileno(), end - start, start).decode(
            "utf-8", "surrogatepass"
        )

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self._folder}: {error}. Expected room for the rationales."
            ) from error


class _Rows:
    """What partners are found by, as it comes."""

    def __init__(self) -> None:
        self.keys, self.questions, self.labels = bytearray(), bytearray(), bytearray()

    def add(self, example: RationaleExample) -> None:
        self.keys += row_key(example.question_id, example.sample_index)
        self.questions += _code(example.question_id)
        self.labels += _code(example.target_text)


def _code(text: str) -> bytes:
    """8 bytes that stand for a question or a label: among a million, two meet in 1 of
    30 million builds.
    """
    return sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]


class _Ring(NamedTuple):
    """Rationales with the label wanted, in the cyclic order of their keys."""

    size: int
    start: int
    """The one to be looked at first."""
    place: Callable[[int], int]
    """Place among all, by number in the ring."""


class RationalePairing:
    """Whose rationale stands in for another's.

    All rationales stand in a circle, in the order of their keys (`row_key`, a digest of
    question id and sample index). any, same: the next one in the circle that is of
    another question, and has the same label. other: rationales of two questions and two
    labels are paired and stand in for each other (`_paired`); the few left over, many
    only where most have one label, are spread evenly over all of other labels. So each
    rationale is used about once, wherever the labels allow it: the next one of another
    label would leave half of them unused where there are two labels.
    """

    def __init__(self, rows: _Rows) -> None:
        keys: NDArray[np.bytes_] = np.frombuffer(rows.keys, KEY)
        self._rows = np.argsort(keys, kind="stable")
        self._keys = keys[self._rows]
        if again := int(np.count_nonzero(self._keys[1:] == self._keys[:-1])):
            raise DataError(
                f"rationales: {again} with a question and sample_index met before. Expected different ones."
            )
        self._questions = np.frombuffer(rows.questions, _CODE)[self._rows]
        labels = np.frombuffer(rows.labels, _CODE)[self._rows]
        self._pairs = _paired(labels, self._questions)
        self._by_label = np.argsort(labels, kind="stable")
        """Places in the circle, those of one label together and in order."""
        self._labels = labels[self._by_label]

    def of(self, example: RationaleExample, label: str) -> int | None:
        """Number of the partner's text; `label`: any, same or other. None: there is
        none. O(log n + own samples).

        Raises KeyError where the example is none of the rationales.
        """
        own = self._place(example)
        if label == "other" and self._pairs[own] >= 0:
            return int(self._rows[self._pairs[own]])
        ring = self._ring(example, label, own)
        for step in range(ring.size):
            place = ring.place((ring.start + step) % ring.size)
            if self._questions[place] != self._questions[own]:
                return int(self._rows[place])
        return None

    def _place(self, example: RationaleExample) -> int:
        key = row_key(example.question_id, example.sample_index)
        place = int(np.searchsorted(self._keys, np.frombuffer(key, KEY))[0])
        if self._keys[place : place + 1].tobytes() != key:
            raise KeyError(
                f"question {example.question_id!r} sample {example.sample_index} is not in the corpus"
            )
        return place

    def _ring(self, example: RationaleExample, label: str, own: int) -> _Ring:
        if label == "any":
            return _Ring(len(self._keys), own + 1, lambda number: number)
        code = np.frombuffer(_code(example.target_text), _CODE)
        low, high = (
            int(np.searchsorted(self._labels, code, side=side)[0])
            for side in ("left", "right")
        )
        alike = self._by_label[low:high]
        rank = int(np.searchsorted(alike, own))
        if label == "same":
            return _Ring(len(alike), rank + 1, lambda number: int(alike[number]))
        size = len(self._keys) - len(alike)
        # Of the others the n-th stands behind n others and those alike that come before
        # it.
        ranks = range(len(alike))
        return _Ring(
            size,
            rank * size // len(alike),
            lambda number: (
                number + bisect_right(ranks, number, key=lambda at: int(alike[at]) - at)
            ),
        )


def _paired(
    labels: NDArray[np.uint64], questions: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Partners of another label and question, each other's; -1: left over.

    Those that wait for a partner have one label; the next of another label takes the
    last of them. So all that are left have one label, but for samples of a question
    that met each other.
    """
    pairs = np.full(len(labels), -1, np.int32)
    waiting: list[int] = []
    for place in range(len(labels)):
        if not waiting or labels[waiting[-1]] == labels[place]:
            waiting.append(place)
        elif questions[waiting[-1]] != questions[place]:
            other = waiting.pop()
            pairs[place], pairs[other] = other, place
    return pairs
