"""The rationales of a build as transforms look them up: their words, the rationales of
other questions, and the files that variants refer to.

It is built in one pass and does not depend on the order of the rationales. Memory is
that of the different words and 60 bytes a rationale. The texts are in an unnamed
temporary file, which disappears with the process however it ends.
"""

import os
import tempfile
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import IO, Self

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.pairing import PairingRows, RationalePairing
from cotbuild.builder.variants.scores import ScoresFile
from cotbuild.builder.variants.transforms.units import bare, words
from cotbuild.schemas.errors import ConfigError, DataError, StoreError

MAX_WORDS_BYTES = 64 << 20
"""Largest file of words."""


class LoadedCorpus:
    """The `BuildCorpus` of some rationales; a context manager.

    Worker processes may share it by fork.
    """

    def __init__(
        self,
        examples: Iterable[RationaleExample],
        files: Mapping[str, Path],
        folder: Path | None = None,
    ) -> None:
        """Read all rationales.

        `files` maps the file names that specs use to paths. The temporary file goes to
        `folder`, by default the system's temporary folder, and is as large as all
        rationales together. Raises DataError if two rationales are the same sample of a
        question, StoreError if there is no room for the texts.
        """
        self._files = files
        self._words = WordTable()
        self._texts = TextTable(folder)
        self._scores: dict[str, ScoresFile] = {}
        self._word_lists: dict[str, frozenset[str]] = {}
        rows = PairingRows()
        try:
            for example in examples:
                self._words.add(example.rationale)
                self._texts.add(example.rationale)
                rows.add(example)
            self._words.freeze()
            self._texts.flush()
            self._pairing = RationalePairing(rows)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the temporary file, and close scores files."""
        self._texts.close()
        for file in self._scores.values():
            file.close()

    def document_frac(self, word: str) -> float:
        return self._words.document_frac(word)

    def word_at(self, point: float, *, by_count: bool) -> str:
        return self._words.at(point, by_count=by_count)

    def another(self, example: RationaleExample, label: str) -> str | None:
        row = self._pairing.find(example, label)
        return None if row is None else self._texts[row]

    def scores(
        self, file: str, example: RationaleExample
    ) -> Sequence[tuple[int, int, float, bool]] | None:
        if file not in self._scores:
            self._scores[file] = ScoresFile(self._path(file))
        return self._scores[file].spans(example)

    def listed(self, file: str) -> frozenset[str]:
        if file not in self._word_lists:
            self._word_lists[file] = read_words(self._path(file))
        return self._word_lists[file]

    def _path(self, file: str) -> Path:
        if file not in self._files:
            raise ConfigError(f"file {file!r}: not given. Pass --file {file}=PATH.")
        return self._files[file]


def read_words(path: Path) -> frozenset[str]:
    """Read the words of a text file, separated by white space, as `units.bare` returns
    them.

    Raises DataError if it cannot be read or has no word.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_WORDS_BYTES + 1)
        if len(data) > MAX_WORDS_BYTES:
            raise DataError(
                f"{path}: larger than {MAX_WORDS_BYTES >> 20} MiB. List fewer words."
            )
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}.") from error
    found = frozenset(map(bare, words(text))) - {""}
    if not found:
        raise DataError(f"{path}: no word in it. List words, separated by white space.")
    return found


class WordTable:
    """Counts of each word as it is written, and of the texts that have its bare form."""

    def __init__(self) -> None:
        self._num_texts = 0
        self._texts_with: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._vocabulary: list[str] = []
        self._cumulative_counts = array("q")

    def add(self, text: str) -> None:
        """Count the words of a text."""
        text_words = words(text)
        self._num_texts += 1
        self._counts.update(text_words)
        self._texts_with.update({bare(word) for word in set(text_words)} - {""})

    def freeze(self) -> None:
        """Sort the vocabulary by code points, the same on every platform.

        Call it after the last `add` and before the first `at`.
        """
        self._vocabulary = sorted(self._counts)
        counts = (self._counts[word] for word in self._vocabulary)
        self._cumulative_counts = array("q", accumulate(counts))
        self._counts.clear()

    def document_frac(self, word: str) -> float:
        """See `BuildCorpus.document_frac`."""
        if not self._num_texts:
            return 0.0
        return self._texts_with.get(word, 0) / self._num_texts

    def at(self, point: float, *, by_count: bool) -> str:
        """See `BuildCorpus.word_at`. Raises DataError if there are no words."""
        if not self._vocabulary:
            raise DataError(
                "the rationales have no word to draw. Leave out variants with the "
                "transform vocabulary."
            )
        if by_count:
            nth = int(point * self._cumulative_counts[-1])
            return self._vocabulary[bisect_right(self._cumulative_counts, nth)]
        return self._vocabulary[int(point * len(self._vocabulary))]


class TextTable:
    """Texts in a temporary file, by number; raises StoreError if there is no room."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._ends = array("q", [0])
        with self._explain_errors():
            # Closed by `close`.
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def add(self, text: str) -> None:
        """Append a text; its number is that of the texts before it."""
        data = text.encode("utf-8", "surrogatepass")
        self._ends.append(self._ends[-1] + len(data))
        with self._explain_errors():
            self._file.write(data)

    def flush(self) -> None:
        """Make all texts readable."""
        with self._explain_errors():
            self._file.flush()

    def __getitem__(self, number: int) -> str:
        start, end = self._ends[number], self._ends[number + 1]
        # Not seek and read: forked workers share the position in the file.
        data = os.pread(self._file.fileno(), end - start, start)
        return data.decode("utf-8", "surrogatepass")

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self._folder}: could not write the rationales to a temporary file "
                f"({error}). Free some space, or set TMPDIR to another folder."
            ) from error
