"""The words that matter most by some measure, and as many drawn at random. Pure.

Candidates. By scores every word that a scored span touches is one, wherever it stands.
By tfidf, question, options and list, which measure a word and not its place, each
different word (`units.bare`) is one, where it stands first: fifteen key words are
fifteen different words. Where fewer qualify than are asked for, all of them are kept.

Measures. scores: the sum of the scores of the spans that overlap the word, signs kept.
tfidf: tf × ln(1 / df), tf the times the word stands in the rationale, df the share of
the build's rationales that have it; a word that none has, as an earlier transform may
make it, gets 0. question, options, list: all that qualify alike, which are the words,
stop words apart, that stand in the question, in an option, in the file. Of equal words
the earlier goes first.

Without mentions, words that name an option (`leak.find_naming_words`) are no candidates, nor are
those that a span marks so. Words that would name one only once picked side by side make
room for the next.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    SeededDraws,
    TransformFn,
)
from cotbuild.builder.variants.transforms.controls import check_bound
from cotbuild.builder.variants.transforms.leak import find_naming_words
from cotbuild.builder.variants.transforms.units import (
    STOP_WORDS,
    bare,
    word_spans,
    words,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.transform import Sample, Top

Scored = Mapping[int, float]
"""Candidates: place among the words to score."""

ROUNDS = 5
"""Times that words picked side by side may name an option and make room for the next;
then they go for nothing.
"""


def top(transform: Top) -> TransformFn:
    """The best `count` words. None: the scores file has none for this rationale."""

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str | None:
        said = words(text)
        scores = _measured(transform, text, said, example, corpus)
        if scores is None:
            return None
        ranked = sorted(scores, key=lambda place: (-scores[place], place))
        picked = _first(transform.count, ranked, said, example, transform.mentions)
        return " ".join(
            said[place]
            for place in (sorted(picked) if transform.order == "text" else picked)
        )

    return apply


def sample(transform: Sample, leaves: TransformFn | None = None) -> TransformFn:
    """Random words in the order of the text: `count`, or as many as `leaves` leaves of
    it. None: where it is None.
    """
    check_bound(transform.like, leaves)

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str | None:
        count = transform.count
        if leaves is not None:
            model = leaves(text, example, draws, corpus)
            if model is None:
                return None
            count = len(words(model))
        said = words(text)
        picked = _first(
            count or 0, draws.order(len(said)), said, example, transform.mentions
        )
        return " ".join(said[place] for place in sorted(picked))

    return apply


def word_scores(
    places: Sequence[tuple[int, int]],
    spans: Sequence[tuple[int, int, float, bool]],
    mentions: Literal["with", "without"],
) -> dict[int, float]:
    """Score of each word, given as (start, end), that a span touches; both in order of
    their starts and of their ends.

    A span over two words counts for both. Without mentions, words under a span that
    names an option are left out.
    """
    scores, first = {}, 0
    for number, (start, end) in enumerate(places):
        while first < len(spans) and spans[first][1] <= start:
            first += 1
        last = first
        while last < len(spans) and spans[last][0] < end:
            last += 1
        over = spans[first:last]
        if over and not (mentions == "without" and any(option for *_, option in over)):
            scores[number] = math.fsum(score for _, _, score, _ in over)
    return scores


def _first(
    count: int,
    ranked: Sequence[int],
    said: Sequence[str],
    example: RationaleExample,
    mentions: Literal["with", "without"],
) -> list[int]:
    """The first `count` of `ranked`, best first; without mentions, those of them that
    name no option together.
    """
    if mentions == "with":
        return list(ranked[:count])
    named = find_naming_words(said, example, "options")
    left = [place for place in ranked if place not in named]
    for _ in range(ROUNDS):
        picked = left[:count]
        if not (together := _naming_among(picked, said, example)):
            return picked
        left = [place for place in left if place not in together]
    picked = left[:count]
    together = _naming_among(picked, said, example)
    return [place for place in picked if place not in together]


def _naming_among(
    picked: Sequence[int], said: Sequence[str], example: RationaleExample
) -> frozenset[int]:
    """Those of the picked words that name an option when they stand side by side, in
    the order of the text.
    """
    in_order = sorted(picked)
    return frozenset(
        in_order[at]
        for at in find_naming_words(
            [said[place] for place in in_order], example, "options"
        )
    )


# --- measures ---


def _measured(
    transform: Top,
    text: str,
    said: Sequence[str],
    example: RationaleExample,
    corpus: BuildCorpus,
) -> Scored | None:
    if transform.by == "scores":
        return _by_scores(transform, text, example, corpus)
    forms = [bare(word) for word in said]
    firsts = {form: place for place, form in reversed(list(enumerate(forms))) if form}
    if transform.by == "tfidf":
        counts = Counter(forms)
        return {
            place: counts[form] * _rarity(corpus.document_frac(form))
            for form, place in firsts.items()
        }
    wanted = _WANTED[transform.by](transform, example, corpus)
    return {place: 1.0 for form, place in firsts.items() if form in wanted}


def _rarity(frac: float) -> float:
    return math.log(1 / frac) if frac else 0.0


def _by_scores(
    transform: Top, text: str, example: RationaleExample, corpus: BuildCorpus
) -> Scored | None:
    if text != example.rationale:
        raise ConfigError(
            f"question {example.question_id!r} sample {example.sample_index}: top by scores after another transform. "
            "Expected it first: scores are for places in the rationale as it was."
        )
    spans = corpus.scores(str(transform.file), example)
    return (
        None
        if spans is None
        else word_scores(word_spans(text), spans, transform.mentions)
    )


def _forms(text: str) -> frozenset[str]:
    return frozenset(map(bare, words(text))) - STOP_WORDS


_WANTED: dict[str, Callable[[Top, RationaleExample, BuildCorpus], frozenset[str]]] = {
    "question": lambda _, example, __: _forms(example.question.text),
    "options": lambda _, example, __: _forms(
        " ".join(choice.text for choice in example.question.choices)
    ),
    "list": lambda transform, _, corpus: corpus.listed(str(transform.file)),
}
