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
from math import log
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.pairing import PairingRows, RationalePairing
from cotbuild.builder.variants.scores import ScoresFile
from cotbuild.builder.variants.units import bare_forms, words
from cotbuild.schemas.errors import ConfigError, DataError, StoreError

MAX_WORDS_BYTES = 64 << 20
"""Largest file of words."""


class CorpusText(NamedTuple):
    """A rationale as the corpus needs it, which is faster to read than an example."""

    question_id: str
    sample_index: int
    rationale: str
    target_text: str
    """See `RationaleExample.target_text`."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of `rationales`."""
        target = row["target"] or ""
        texts = (one["text"] for one in row["choices"] if one["label"] == target)
        return cls(
            row["question_id"],
            row["sample_index"],
            row["rationale"],
            next(texts, target),
        )


class LoadedCorpus:
    """The `BuildCorpus` of some rationales; a context manager.

    Worker processes may share it by fork, or use a pickled copy while it is open.
    """

    def __init__(
        self,
        examples: Iterable[RationaleExample | CorpusText],
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
                rows.add(example.question_id, example.sample_index, example.target_text)
            self._words.freeze()
            self._texts.flush()
            self._pairing = RationalePairing(rows)
        except BaseException:
            self.close()
            raise

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the files, which the other process reads when it needs them."""
        return self.__dict__ | {"_scores": {}, "_word_lists": {}}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the temporary file, and close scores files."""
        self._texts.close()
        for file in self._scores.values():
            file.close()

    def rarities(self, words: Iterable[str]) -> list[float]:
        return self._words.rarities(words)

    def words_at(self, points: Sequence[float], *, by_count: bool) -> list[str]:
        return self._words.at(points, by_count=by_count)

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
    found = frozenset(bare_forms(words(text))) - {""}
    if not found:
        raise DataError(f"{path}: no word in it. List words, separated by white space.")
    return found


class WordTable:
    """Counts of each word as it is written, and of the texts that have its bare form."""

    def __init__(self) -> None:
        self._num_texts = 0
        self._texts_with: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._rarities: dict[str, float] = {}
        """Those of the words that were asked for so far."""
        self._vocabulary: list[str] = []
        self._cumulative_counts = array("q")

    def add(self, text: str) -> None:
        """Count the words of a text."""
        text_words = words(text)
        self._num_texts += 1
        self._counts.update(text_words)
        self._texts_with.update(set(bare_forms(text_words)))

    def freeze(self) -> None:
        """Sort the vocabulary by code points, the same on every platform.

        Call it after the last `add` and before the first `at`.
        """
        self._vocabulary = sorted(self._counts)
        counts = (self._counts[word] for word in self._vocabulary)
        self._cumulative_counts = array("q", accumulate(counts))
        self._counts.clear()

    def rarities(self, words: Iterable[str]) -> list[float]:
        """See `BuildCorpus.rarities`."""
        known = self._rarities
        return [
            known[word] if word in known else self._compute_rarity(word)
            for word in words
        ]

    def _compute_rarity(self, word: str) -> float:
        num_with = self._texts_with.get(word, 0) if word else 0
        rarity = log(1 / (num_with / self._num_texts)) if num_with else 0.0
        if num_with:
            self._rarities[word] = rarity
        return rarity

    def at(self, points: Sequence[float], *, by_count: bool) -> list[str]:
        """See `BuildCorpus.words_at`. Raises DataError if there are no words."""
        vocabulary = self._vocabulary
        if points and not vocabulary:
            raise DataError(
                "the rationales have no word to draw. Leave out variants with the "
                "transform vocabulary."
            )
        if by_count:
            ends = self._cumulative_counts
            total = ends[-1]
            return [vocabulary[bisect_right(ends, int(at * total))] for at in points]
        size = len(vocabulary)
        return [vocabulary[int(at * size)] for at in points]


class TextTable:
    """Texts in a temporary file, by number; raises StoreError if there is no room."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._ends = array("q", [0])
        with self._explain_errors():
            # Closed by `close`.
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __getstate__(self) -> dict[str, Any]:
        # The file has no name of its own.
        path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        return self.__dict__ | {"_file": path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with self._explain_errors():
            self._file = Path(state["_file"]).open("rb")  # noqa: SIM115

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
