"""Transforms that keep the words that matter most by a measure, or as many random ones.
Pure.

Candidates: by scores, every word that a scored span overlaps, at each of its places. By
tfidf, question, options and list, which measure a word rather than a place, each
different word (`units.bare`) at its first place: fifteen key words are fifteen
different words. If fewer qualify than are requested, all of them are kept.

Measures: by scores, the sum of the scores of the spans that overlap the word, with
their signs. By tfidf, tf × ln(1 / df), with tf the number of times the word is in the
rationale and df the fraction of the build's rationales that have it; 0 for a word that
none has, which an earlier transform may make. By question, options and list, all words
that are in the question, in an option (without stop words) or in the file are equal.
Among equal words the earlier one comes first.

Without mentions, words that name an option (`leak.find_naming_words`) are not
candidates, nor are those under a span marked so. Words that would name one only once
they are side by side make room for the next ones.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import mul
from typing import Literal, NamedTuple

from cotbuild.builder.variants.draws import Draws
from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    TransformFn,
)
from cotbuild.builder.variants.transforms.controls import check_like, count_like
from cotbuild.builder.variants.transforms.leak import find_naming_words
from cotbuild.builder.variants.transforms.placed import Placed, PlacingTransform
from cotbuild.builder.variants.units import (
    STOP_WORDS,
    bare_forms,
    word_spans,
    words,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.transform import Sample, Top

Mentions = Literal["with", "without"]
WordScores = Mapping[int, float]
"""Score of each candidate by its position among the words, in that order."""

MAX_ROUNDS = 5
"""Times that words which name an option side by side make room for the next ones; after
that they are dropped.
"""


def top(transform: Top) -> PlacingTransform:
    """`cotbuild.schemas.transform.Top`: keep the `count` words with the highest score.

    Does not apply if the scores file has no row for the rationale.
    """

    def keep_top(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed | None:
        all_words = example.words_of(text)
        ranked: Sequence[int] | None
        if transform.by == "scores":
            scores = _score_by_spans(transform, text, example, corpus)
            ranked = None if scores is None else _rank(scores)
        else:
            ranked = _rank_words(transform, all_words, example, corpus)
        if ranked is None:
            return None
        kept = _choose_first(
            transform.count, ranked, all_words, example, transform.mentions
        )
        if transform.order == "text":
            kept.sort()
        return Placed.keep(all_words, kept)

    return PlacingTransform(keep_top, is_random=False)


def sample(transform: Sample, like: TransformFn | None = None) -> PlacingTransform:
    """`cotbuild.schemas.transform.Sample`: keep random words in their order.

    `like` is the function of the transform that the spec's `like` declares; it gets the
    same draws. Does not apply if that does not.
    """
    check_like(transform.like, like)

    def keep_random(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed | None:
        count = transform.count
        if like is not None:
            count = count_like(like, text, example, draws, corpus)
        if count is None:
            return None
        all_words = example.words_of(text)
        order = draws.order(len(all_words))
        kept = _choose_first(count, order, all_words, example, transform.mentions)
        return Placed.keep(all_words, sorted(kept))

    return PlacingTransform(keep_random)


def word_scores(
    places: Sequence[tuple[int, int]],
    spans: Sequence[tuple[int, int, float, bool]],
    mentions: Mentions,
) -> dict[int, float]:
    """Return the score of each word that a span overlaps, by its position.

    `places` are (start, end) of the words, `spans` (start, end, score, names an
    option), both in order of their starts and of their ends. A span over two words
    counts for both. Without `mentions`, words under a span that names an option are
    left out.
    """
    scores: dict[int, float] = {}
    first = 0
    for position, (start, end) in enumerate(places):
        while first < len(spans) and spans[first][1] <= start:
            first += 1
        last = first
        while last < len(spans) and spans[last][0] < end:
            last += 1
        overlapping = spans[first:last]
        names_option = any(option for _, _, _, option in overlapping)
        if overlapping and not (names_option and mentions == "without"):
            scores[position] = math.fsum(score for _, _, score, _ in overlapping)
    return scores


def _choose_first(
    count: int,
    ranked: Sequence[int],
    all_words: Sequence[str],
    example: RationaleExample,
    mentions: Mentions,
) -> list[int]:
    """Return the first `count` positions of `ranked`, best first.

    Without `mentions` they name no option, neither alone nor side by side.
    """
    if mentions == "with":
        return list(ranked[:count])
    naming = find_naming_words(all_words, example, "options")
    left = [position for position in ranked if position not in naming]
    for _ in range(MAX_ROUNDS):
        naming = _find_naming_side_by_side(left[:count], all_words, example)
        if not naming:
            return left[:count]
        left = [position for position in left if position not in naming]
    chosen = left[:count]
    naming = _find_naming_side_by_side(chosen, all_words, example)
    return [position for position in chosen if position not in naming]


def _find_naming_side_by_side(
    chosen: Sequence[int], all_words: Sequence[str], example: RationaleExample
) -> frozenset[int]:
    """Return those of the chosen positions whose words name an option when only the
    chosen words are left.
    """
    positions = sorted(chosen)
    words_left = [all_words[position] for position in positions]
    naming = find_naming_words(words_left, example, "options")
    return frozenset(positions[at] for at in naming)


# --- measures ---


class _Ranking(NamedTuple):
    """The positions of a rationale's words by score, and by which corpus."""

    corpus: BuildCorpus
    positions: Sequence[int]


def _rank(scores: WordScores) -> list[int]:
    """Return the positions, the highest score first; of equal ones the earlier first."""
    return sorted(scores, key=scores.__getitem__, reverse=True)


def _rank_words(
    transform: Top,
    all_words: list[str],
    example: RationaleExample,
    corpus: BuildCorpus,
) -> Sequence[int]:
    """Return the positions of the candidates by score, those of the rationale from
    memory: with and without mentions the ranking is the same.
    """
    if all_words is not example.words:
        return _rank(_score_by_word(transform, all_words, example, corpus))
    key = ("ranking", transform.by, transform.file)
    known: _Ranking | None = example.results.get(key)
    if known is None or known.corpus is not corpus:
        scores = _score_by_word(transform, all_words, example, corpus)
        known = example.results[key] = _Ranking(corpus, _rank(scores))
    return known.positions


def _score_by_spans(
    transform: Top, text: str, example: RationaleExample, corpus: BuildCorpus
) -> WordScores | None:
    """Return None if the scores file has no row for the rationale."""
    if text != example.rationale:
        raise ConfigError(
            f"question {example.question_id!r} sample {example.sample_index}: top by "
            "scores comes after a transform that changed the text, but scores refer to "
            "the original rationale. Make it the first transform."
        )
    spans = corpus.scores(str(transform.file), example)
    if spans is None:
        return None
    return word_scores(word_spans(text), spans, transform.mentions)


def _score_by_word(
    transform: Top,
    all_words: list[str],
    example: RationaleExample,
    corpus: BuildCorpus,
) -> WordScores:
    forms = example.forms_of(all_words)
    counts = Counter(forms)  # in the order of first places
    counts.pop("", None)
    places = zip(reversed(forms), reversed(range(len(forms))), strict=True)
    first_positions = dict(places)  # of a form that comes again, the first one stays
    if transform.by == "tfidf":
        positions = map(first_positions.__getitem__, counts)
        scores = map(mul, counts.values(), corpus.rarities(counts))
        return dict(zip(positions, scores, strict=True))
    qualifying = _find_qualifying(transform, example, corpus)
    return {first_positions[form]: 1.0 for form in counts if form in qualifying}


def _find_qualifying(
    transform: Top, example: RationaleExample, corpus: BuildCorpus
) -> frozenset[str]:
    """Return the words that qualify, as `units.bare` returns them."""
    if transform.by == "question":
        return _content_forms(example.question.text)
    if transform.by == "options":
        options = [choice.text for choice in example.question.choices]
        return _content_forms(" ".join(options))
    return corpus.listed(str(transform.file))


def _content_forms(text: str) -> frozenset[str]:
    return frozenset(bare_forms(words(text))) - STOP_WORDS
