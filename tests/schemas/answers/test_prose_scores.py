"""Scores of prose: equal to those of the libraries, bounded, in any script."""

import pytest

from cotbuild.schemas.answers import prose_scores
from cotbuild.schemas.answers.prose_scores import (
    MAX_CHARS,
    MAX_WORDS,
    PROSE_METRICS,
    ProsePair,
    ProseScorer,
    open_scorer,
    prose_signature,
)
from cotbuild.schemas.answers.prose_words import Tokenizer
from cotbuild.schemas.errors import ConfigError
from tests.support.commands import DATA

sacrebleu_metrics = pytest.importorskip("sacrebleu.metrics")
rouge = pytest.importorskip("rouge_score.rouge_scorer")

PAIRS = [
    ProsePair("Der Hund läuft in den Park.", ("Der Hund rennt in den Park.",)),
    ProsePair("Es regnet.", ("Heute regnet es sehr stark.",)),
    ProsePair("", ("Nichts wurde gesagt.",)),
]
NTREX = DATA / "tasks" / "mt_ntrex"


@pytest.fixture(scope="module")
def scorer() -> ProseScorer:
    return open_scorer()


def test_a_text_scores_as_the_libraries_score_it(scorer: ProseScorer) -> None:
    hypothesis = "The dog ran into the big park."
    references = ["The dog runs into the park.", "A dog ran to the park!"]
    bleu = sacrebleu_metrics.BLEU(effective_order=True)
    chrf = sacrebleu_metrics.CHRF()
    rouge_l = rouge.RougeScorer(["rougeL"])
    f_measures = [
        rouge_l.score(one, hypothesis)["rougeL"].fmeasure for one in references
    ]
    assert scorer.score(hypothesis, references) == {
        "chrf2": pytest.approx(
            chrf.sentence_score(hypothesis, references).score, abs=1e-4
        ),
        "bleu": pytest.approx(
            bleu.sentence_score(hypothesis, references).score, abs=1e-4
        ),
        "rouge_l": pytest.approx(100 * max(f_measures), abs=1e-4),
    }
    signatures = (str(chrf.get_signature()), str(bleu.get_signature()))
    assert signatures == tuple(
        prose_signature(metric, "13a", 2, for_sentences=True)
        for metric in PROSE_METRICS[:2]
    )


def test_a_corpus_scores_as_sacrebleu_scores_it(scorer: ProseScorer) -> None:
    chrf, bleu, rouge_l = scorer.corpus_statistics(PAIRS)
    hypotheses = [pair.hypothesis for pair in PAIRS]
    references = [[pair.references[0] for pair in PAIRS]]
    for found, metric in (
        (chrf, sacrebleu_metrics.CHRF()),
        (bleu, sacrebleu_metrics.BLEU()),
    ):
        sums = [sum(column) for column in zip(*found.rows, strict=True)]
        expected = metric.corpus_score(hypotheses, references)
        assert scorer.corpus_score(found.metric, sums) == pytest.approx(expected.score)
        assert found.signature == str(metric.get_signature())
    means = [scorer.score(*pair)["rouge_l"] for pair in PAIRS]
    sums = [sum(column) for column in zip(*rouge_l.rows, strict=True)]
    assert scorer.corpus_score("rouge_l", sums) == pytest.approx(
        sum(means) / len(means), abs=1e-3
    )


def test_the_same_text_scores_100_and_none_scores_0(scorer: ProseScorer) -> None:
    for text in (
        "Guten Tag, liebe Welt!",
        "你好，世界。今天下雨。",
        "今日は雨が降ります。",
    ):
        assert set(scorer.score(text, [text]).values()) == {100.0}
        assert set(scorer.score("", [text]).values()) == {0.0}


@pytest.mark.parametrize(
    ("tokenizer", "reference"),
    [
        ("13a", "It rains."),
        ("13a", "12.5 %"),
        ("13a", "Идёт дождь."),
        ("zh", "今天下雨，GPT-4 也知道。"),
        ("char", "今日は雨が降ります。"),
        ("char", "วันนี้ฝนตก"),
        ("intl", "오늘은 비가 옵니다."),
    ],
)
def test_bleu_is_tokenized_by_the_script_of_the_references(
    scorer: ProseScorer, tokenizer: Tokenizer, reference: str
) -> None:
    expected = sacrebleu_metrics.BLEU(tokenize=tokenizer, effective_order=True)
    hypothesis = reference[: len(reference) // 2]
    score = scorer.score(hypothesis, [reference])["bleu"]
    assert score == pytest.approx(
        expected.sentence_score(hypothesis, [reference]).score, abs=1e-4
    )
    _, bleu, _ = scorer.corpus_statistics([ProsePair(hypothesis, (reference,))])
    assert f"|tok:{tokenizer}|" in bleu.signature


def test_a_corpus_has_one_tokenizer_and_says_how_many_references(
    scorer: ProseScorer,
) -> None:
    pairs = [
        ProsePair("雨", ("下雨",)),
        ProsePair("rain", ("It rains.", "Rain.")),
        ProsePair("sun", ("The sun.",)),
    ]
    chrf, bleu, rouge_l = scorer.corpus_statistics(pairs)
    assert "|tok:13a|" in bleu.signature
    assert {one.signature.partition("|")[0] for one in (chrf, bleu, rouge_l)} == {
        "nrefs:var"
    }
    assert [one.rows for one in scorer.corpus_statistics([])] == [[], [], []]


def test_a_long_text_is_scored_by_its_beginning(scorer: ProseScorer) -> None:
    word = "word "
    text = word * MAX_WORDS
    assert scorer.score(text + "other " * 10, [text])["rouge_l"] == 100.0
    whole = word * (MAX_CHARS // len(word))
    assert scorer.score(whole + "other", [whole])["chrf2"] == 100.0


def test_a_text_without_references_is_refused(scorer: ProseScorer) -> None:
    with pytest.raises(ValueError, match="none is given"):
        scorer.score("text", [])
    with pytest.raises(ValueError, match="none is given"):
        scorer.corpus_statistics([ProsePair("text", ())])


def test_a_missing_library_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prose_scores, "find_spec", lambda _: None)
    prose_scores.check_scorers.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install '\.\[prose\]'"):
        open_scorer()


@pytest.mark.needs_data
@pytest.mark.parametrize(("language", "tokenizer"), [("deu", "13a"), ("zho-CN", "zh")])
def test_real_references_score_as_sacrebleu_scores_them(
    scorer: ProseScorer, language: str, tokenizer: str
) -> None:
    path = NTREX / f"newstest2019-ref.{language}.txt"
    references = path.read_text(encoding="utf-8").splitlines()[:20]
    hypotheses = [text[::2] for text in references]
    chrf, bleu, _ = scorer.corpus_statistics(
        [
            ProsePair(hypothesis, (reference,))
            for hypothesis, reference in zip(hypotheses, references, strict=True)
        ]
    )
    for found, metric in (
        (chrf, sacrebleu_metrics.CHRF()),
        (bleu, sacrebleu_metrics.BLEU(tokenize=tokenizer)),
    ):
        sums = [sum(column) for column in zip(*found.rows, strict=True)]
        expected = metric.corpus_score(hypotheses, [references])
        assert scorer.corpus_score(found.metric, sums) == pytest.approx(expected.score)
        assert found.signature == str(metric.get_signature())
