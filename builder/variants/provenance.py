"""Where each word of a variant's rationale comes from: the row is derived again by the
transforms that made it, and they say which units they kept, moved, masked or replaced.
Pure, but for the tokenizer file of a variant that moves pieces.

Deriving a row needs the whole build: TF-IDF counts all rationales, a swap looks for
another question. Here the row itself answers what a transform asks of the build: its
words are those that were drawn, listed or had the highest TF-IDF. What is derived so is
compared with the row, and only an equal text counts.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.transforms.placed import Placed, find_units
from cotbuild.builder.variants.units import bare, word_spans, words
from cotbuild.schemas.transform import Top


class Fragment(NamedTuple):
    """A part of a variant's rationale, and where it stood in the original one."""

    text: str
    start: int | None = None
    """Index in the original of its first character; None if it is from elsewhere."""
    end: int | None = None

    def is_verbatim(self, original: str) -> bool:
        """Whether it is a part of the original as it was written there."""
        return self.start is not None and original[self.start : self.end] == self.text


def trace_rationale(
    compiled: CompiledVariant, example: RationaleExample, seed: int, derived: str
) -> list[Fragment] | None:
    """Return the fragments of `derived`, a rationale that a variant made of another.

    Joined they are `derived`. None if deriving it without the build gives another text,
    or where the words stood depends on a scores file. Raises ConfigError as transforms
    do.
    """
    corpus = _RowCorpus(example, derived)
    steps = compiled.place(example, seed, corpus)
    if steps is None or (corpus.is_unsure and _needs_scores(compiled)):
        return None
    fragments = [Fragment(example.rationale, 0, len(example.rationale))]
    for placed in steps:
        fragments = list(_follow(fragments, placed))
    fragments = _strip(fragments)
    text = "".join(fragment.text for fragment in fragments)
    return fragments if text == derived else None


def _needs_scores(compiled: CompiledVariant) -> bool:
    """Whether a file decides which words are kept, and not only how many."""
    transforms = compiled.spec.transforms
    return any(isinstance(one, Top) and one.by == "scores" for one in transforms)


def _follow(fragments: Sequence[Fragment], placed: Placed) -> Iterator[Fragment]:
    """Yield the fragments of the text after a transform, from those before it."""
    text = "".join(fragment.text for fragment in fragments)
    places = list(find_units(text, placed.before))
    cutter = _Cutter(fragments)
    for number, unit in enumerate(placed.units):
        if number and placed.joint:
            yield Fragment(placed.joint)
        position = placed.positions[number]
        if position is None:
            yield Fragment(unit)
            continue
        start, end = places[position]
        parts = cutter.cut(start, end)
        if placed.before[position] == unit:
            yield from parts
        else:
            yield _replace(parts, unit)


def _replace(parts: Sequence[Fragment], unit: str) -> Fragment:
    """Return a unit that stands in the place of others."""
    starts = [part.start for part in parts if part.start is not None]
    ends = [part.end for part in parts if part.end is not None]
    return Fragment(unit, min(starts), max(ends)) if starts else Fragment(unit)


class _Cutter:
    """Cuts a range of characters out of a text of fragments."""

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        self._fragments = [fragment for fragment in fragments if fragment.text]
        self._starts: list[int] = []
        at = 0
        for fragment in self._fragments:
            self._starts.append(at)
            at += len(fragment.text)

    def cut(self, start: int, end: int) -> list[Fragment]:
        """Return the fragments between two characters."""
        parts = []
        number = max(0, bisect_right(self._starts, start) - 1)
        while number < len(self._starts) and self._starts[number] < end:
            first = self._starts[number]
            part = _cut_fragment(
                self._fragments[number], max(0, start - first), end - first
            )
            parts.append(part)
            number += 1
        return parts


def _cut_fragment(fragment: Fragment, start: int, end: int) -> Fragment:
    text = fragment.text[start:end]
    if fragment.start is None or fragment.end is None or text == fragment.text:
        return fragment._replace(text=text)
    if fragment.end - fragment.start != len(fragment.text):
        return fragment._replace(text=text)  # a symbol: all of it stands for the word
    first = fragment.start + start
    return Fragment(text, first, first + len(text))


def _strip(fragments: list[Fragment]) -> list[Fragment]:
    """Remove white space at the ends, as `CompiledVariant.derive` does."""
    text = "".join(fragment.text for fragment in fragments)
    start = len(text) - len(text.lstrip())
    return _Cutter(fragments).cut(start, start + len(text.strip()))


class _RowCorpus:
    """The `BuildCorpus` as far as one derived rationale shows it."""

    def __init__(self, example: RationaleExample, derived: str) -> None:
        self._derived = derived
        self._words = words(derived)
        self._num_drawn = 0
        self.is_unsure = False
        """Whether a scores file was asked for, and a word could stand in two places."""
        counts = Counter(bare(word) for word in words(example.rationale))
        # The score of a word is its number in the rationale times its rarity: these
        # have scores that fall to 1, the others 0.
        self._rarities = {
            bare(word): score / counts[bare(word)]
            for word, score in reversed(self._scored_words())
            if counts[bare(word)]
        }

    def _scored_words(self) -> list[tuple[str, float]]:
        """Return the row's words with scores that keep their order, from 2 to 1."""
        num_words = len(self._words)
        return [(word, 2 - at / num_words) for at, word in enumerate(self._words)]

    def rarities(self, words: Iterable[str]) -> list[float]:
        return [self._rarities.get(word, 0.0) for word in words]

    def words_at(self, points: Sequence[float], *, by_count: bool) -> list[str]:  # noqa: ARG002
        first = self._num_drawn
        self._num_drawn += len(points)
        drawn = self._words[first : self._num_drawn]
        return [*drawn, *[""] * (len(points) - len(drawn))]

    def another(self, example: RationaleExample, label: str) -> str | None:  # noqa: ARG002
        return self._derived

    def scores(
        self,
        file: str,  # noqa: ARG002
        example: RationaleExample,
    ) -> Sequence[tuple[int, int, float, bool]]:
        # Spans over the first places of the row's words.
        places: dict[str, list[tuple[int, int]]] = {}
        for word, place in zip(
            words(example.rationale), word_spans(example.rationale), strict=True
        ):
            places.setdefault(word, []).append(place)
        wanted = Counter(self._words)
        self.is_unsure |= any(
            len(places.get(word, ())) != wanted[word] for word in wanted
        )
        spans = []
        for word, score in self._scored_words():
            if places.get(word):
                start, end = places[word].pop(0)
                spans.append((start, end, score, False))
        return sorted(spans)

    def listed(self, file: str) -> frozenset[str]:  # noqa: ARG002
        return frozenset(map(bare, self._words)) - {""}
