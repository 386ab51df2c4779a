"""Score prose against references: chrF2 and BLEU by sacrebleu, ROUGE-L by rouge-score.

All scores are on a scale from 0 to 100. Both libraries are optional (the extra `prose`)
and are imported by the first text that is scored. A metric is described by a signature in the form
of sacrebleu's, which names all that its value depends on besides the texts.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Protocol

from cotbuild.schemas.answers.prose_words import (
    Tokenizer,
    find_corpus_tokenizer,
    find_tokenizer,
    split_words,
)
from cotbuild.schemas.errors import ConfigError

ProseMetric = Literal["chrf2", "bleu", "rouge_l"]
PROSE_METRICS: tuple[ProseMetric, ...] = ("chrf2", "bleu", "rouge_l")
"""The metrics, in the order in which scores are reported."""

MAX_CHARS = 20_000
"""Characters of a text that are scored; what follows them is ignored."""
MAX_WORDS = 1_000
"""Words of a text that ROUGE-L compares, since its time grows with their square."""
SCORE_DIGITS = 4
"""Decimals of the score of a text."""
_PACKAGES = {"sacrebleu": "sacrebleu", "rouge_score": "rouge-score"}
"""The package of each module."""


class ProsePair(NamedTuple):
    """A text to score, and what it is scored against."""

    hypothesis: str
    """The text; empty where none was given, which scores 0."""
    references: tuple[str, ...]
    """At least one."""


class CorpusStatistics(NamedTuple):
    """What one metric's score of a corpus is computed from."""

    metric: ProseMetric
    signature: str
    rows: list[list[float]]
    """The statistics of each pair, all of one length. The score of any resampled corpus
    is `ProseScorer.corpus_score` of the sums of its rows.
    """


class _Scored(Protocol):
    score: float


class _SacrebleuMetric(Protocol):
    """What is used of sacrebleu's metrics. Its own significance tests use the same."""

    def _extract_corpus_statistics(
        self, hypotheses: Sequence[str], references: Any
    ) -> list[list[int]]: ...

    def _aggregate_and_compute(self, stats: list[list[int]]) -> _Scored: ...

    def _compute_score_from_stats(self, stats: list[int]) -> _Scored: ...


class ProseScorer:
    """The three metrics, for a text and for a corpus.

    The first text that is scored imports the libraries, which takes seconds; it raises
    ConfigError if one is not installed.
    """

    @cached_property
    def _chrf(self) -> _SacrebleuMetric:
        check_scorers()
        from sacrebleu.metrics.chrf import CHRF

        chrf: _SacrebleuMetric = CHRF()
        return chrf

    @cached_property
    def _rouge(self) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        return RougeScorer(["rougeL"])

    def score(
        self, hypothesis: str, references: Sequence[str]
    ) -> dict[ProseMetric, float]:
        """Return the scores of one text, in the order of PROSE_METRICS.

        BLEU is that of a sentence, with effective order, and is tokenized as
        `find_tokenizer` says. Raises ValueError if there are no references.
        """
        pair = _cut(ProsePair(hypothesis, tuple(references)))
        bleu = _open_bleu(find_tokenizer(pair.references), for_sentences=True)
        scores: dict[ProseMetric, float] = {
            "chrf2": _score_text(self._chrf, pair),
            "bleu": _score_text(bleu, pair),
            "rouge_l": 100 * self._best_rouge(pair),
        }
        return {metric: round(value, SCORE_DIGITS) for metric, value in scores.items()}

    def corpus_statistics(
        self, pairs: Sequence[ProsePair]
    ) -> tuple[CorpusStatistics, ...]:
        """Return the statistics of a corpus by each metric, in the order of PROSE_METRICS.

        BLEU has one tokenizer for the corpus, that of most of its pairs. Raises
        ValueError if a pair has no references.
        """
        pairs = [_cut(pair) for pair in pairs]
        tokenizer = find_corpus_tokenizer(pair.references for pair in pairs)
        bleu = _open_bleu(tokenizer, for_sentences=False)
        rows: dict[ProseMetric, list[list[float]]] = {
            "chrf2": [_statistics(self._chrf, pair) for pair in pairs],
            "bleu": [_statistics(bleu, pair) for pair in pairs],
            "rouge_l": [[self._best_rouge(pair), 1.0] for pair in pairs],
        }
        numbers = {len(pair.references) for pair in pairs}
        num_references = numbers.pop() if len(numbers) == 1 else None
        signatures = {
            metric: prose_signature(
                metric, tokenizer, num_references, for_sentences=False
            )
            for metric in PROSE_METRICS
        }
        return tuple(
            CorpusStatistics(metric, signatures[metric], rows[metric])
            for metric in PROSE_METRICS
        )

    def corpus_score(self, metric: ProseMetric, sums: Sequence[float]) -> float:
        """Return the score of a corpus from the sums of its statistics, not rounded.

        ROUGE-L is the mean over its texts. A corpus without texts scores 0.
        """
        if metric == "rouge_l":
            total, num_texts = sums
            return 100 * total / num_texts if num_texts else 0.0
        counts = [int(count) for count in sums]
        if metric == "chrf2":
            return self._chrf._compute_score_from_stats(counts).score
        # The tokens are counted already, so any tokenizer does.
        bleu = _open_bleu("13a", for_sentences=False)
        return bleu._compute_score_from_stats(counts).score

    def _best_rouge(self, pair: ProsePair) -> float:
        """Return the highest F-measure of ROUGE-L over the references, from 0 to 1."""
        hypothesis = split_words(pair.hypothesis)[:MAX_WORDS]
        f_measures = [
            self._rouge_f(hypothesis, split_words(reference)[:MAX_WORDS])
            for reference in pair.references
        ]
        return max(f_measures)

    def _rouge_f(self, hypothesis: Sequence[str], reference: Sequence[str]) -> float:
        """Return the F-measure of ROUGE-L between two lists of words.

        rouge-score keeps nothing of a text but a-z and 0-9. So each word is given as a
        number, which makes no difference to English text.
        """
        numbers: dict[str, int] = {}
        texts = [
            " ".join(str(numbers.setdefault(word, len(numbers))) for word in words)
            for words in (reference, hypothesis)
        ]
        f_measure: float = self._rouge.score(*texts)["rougeL"].fmeasure
        return f_measure


@cache
def prose_scorer() -> ProseScorer:
    """Return the scorer of this process."""
    return ProseScorer()


def open_scorer() -> ProseScorer:
    """Return the scorer of this process; raises ConfigError as `check_scorers` does."""
    check_scorers()
    return prose_scorer()


@cache
def check_scorers() -> None:
    """Raise ConfigError if sacrebleu or rouge-score is not installed."""
    for module, package in _PACKAGES.items():
        if find_spec(module) is None:
            raise ConfigError(
                f"answers in prose need the extra 'prose': {package} is not installed. "
                "Run in a checkout of cotbuild: pip install '.[prose]'"
            )


def installed_scorers() -> str | None:
    """Return both packages with their versions; None if one is not installed.

    Such as `sacrebleu 2.6.0, rouge-score 0.1.2`.
    """
    try:
        return ", ".join(f"{name} {version(name)}" for name in _PACKAGES.values())
    except PackageNotFoundError:
        return None


def prose_signature(
    metric: ProseMetric,
    tokenizer: Tokenizer,
    num_references: int | None,
    *,
    for_sentences: bool,
) -> str:
    """Return the signature of a metric as sacrebleu writes it: its settings and version."""
    settings = prose_settings(
        metric, tokenizer, num_references, for_sentences=for_sentences
    )
    if metric == "rouge_l":
        return f"{settings}|rouge-score:{version('rouge-score')}"
    return f"{settings}|version:{version('sacrebleu')}"


def prose_settings(
    metric: ProseMetric,
    tokenizer: Tokenizer,
    num_references: int | None,
    *,
    for_sentences: bool,
) -> str:
    """Return the settings of a metric in the form of sacrebleu's signatures.

    `num_references` is the number of references of every text; None if it varies. The
    tokenizer and `for_sentences` make a difference to BLEU alone.
    """
    references = "var" if num_references is None else num_references
    fields: tuple[str, ...]
    if metric == "chrf2":
        fields = ("case:mixed", "eff:yes", "nc:6", "nw:0", "space:no")
    elif metric == "bleu":
        effective = "yes" if for_sentences else "no"
        fields = ("case:mixed", f"eff:{effective}", f"tok:{tokenizer}", "smooth:exp")
    else:
        fields = ("case:lower", "stem:no", "tok:words")
    return "|".join((f"nrefs:{references}", *fields))


@cache
def _open_bleu(tokenizer: Tokenizer, *, for_sentences: bool) -> _SacrebleuMetric:
    from sacrebleu.metrics.bleu import BLEU

    # `force` keeps it from logging about texts that end in " .".
    bleu: _SacrebleuMetric = BLEU(
        tokenize=tokenizer, effective_order=for_sentences, force=True
    )
    return bleu


def _cut(pair: ProsePair) -> ProsePair:
    """Return a pair as it is scored; raises ValueError if it has no references."""
    if not pair.references:
        raise ValueError("a text is scored against references: none is given")
    references = tuple(reference[:MAX_CHARS] for reference in pair.references)
    return ProsePair(pair.hypothesis[:MAX_CHARS], references)


def _statistics(metric: _SacrebleuMetric, pair: ProsePair) -> list[float]:
    return list(map(float, _extract_statistics(metric, pair)))


def _score_text(metric: _SacrebleuMetric, pair: ProsePair) -> float:
    return metric._compute_score_from_stats(_extract_statistics(metric, pair)).score


def _extract_statistics(metric: _SacrebleuMetric, pair: ProsePair) -> list[int]:
    references = [[reference] for reference in pair.references]
    (counts,) = metric._extract_corpus_statistics([pair.hypothesis], references)
    _forget_texts(metric)
    return counts


def _forget_texts(metric: _SacrebleuMetric) -> None:
    """Empty the caches of a tokenizer, which keep 65,536 texts of any length."""
    tokenizer = getattr(metric, "tokenizer", None)
    for one in (tokenizer, getattr(tokenizer, "_post_tokenizer", None)):
        clear = getattr(type(one).__call__, "cache_clear", None)
        if clear is not None:
            clear()
