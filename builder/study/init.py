"""STUDY.yaml for the design of arXiv 2406.14511 on any build, with its controls. Pure."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import yaml

from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.manifest import Manifest, SourceEntry
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.study.version_2 import StudyV2

MAX_ROWS = 1000
"""Default of the most rationales trained on."""
MAX_TEST_QUESTIONS, MAX_DEV_QUESTIONS = 3000, 500
"""Most questions that are held out from training."""
MIN_HELD_OUT = 200
"""Fewer questions than these are not held out if there is an evaluation split."""
SPARE_SHARE = 0.95
"""Share of the rationales that is counted on: those of held-out questions vary."""
OWN_ROWS_RATIO = 1.5
"""Rationales left, over those of a seed, from which on each seed draws its own."""
FREE_ANSWERS = 300
"""Test questions with options that are answered freely too."""
SEEDS = list(range(12))
LOOKS = [6, 12]
LEARNING_RATES = [5e-5, 1e-4, 3e-4]
HEADLINE = ("label_only", "pre_cot", "post_cot", "post_cot_shuffled_words")
LEAKS = ("post_cot_strip_target", "post_cot_strip_target_control")
KEYS = (
    ("post_cot_attributed_15", "post_cot_attributed_15_random"),
    ("post_cot_tfidf_15", "post_cot_random_15"),
)
"""Key words and their control: by a student's attributions if the build has them, else
by TF-IDF.
"""


def study_text(
    manifest: Manifest, source: str, rows: int | None, kind: QuestionKind
) -> str:
    """Return STUDY.yaml with its comments; `rows` None trains on 1,000, or half of all.

    `kind` is that of the build's questions. Raises ConfigError if the build lacks
    variants or questions to evaluate students on.
    """
    entries = manifest.variants.variants if manifest.variants else ()
    num_rows = {entry.name: entry.num_rows for entry in entries}
    missing = [name for name in HEADLINE if name not in num_rows]
    if missing:
        raise ConfigError(
            f"{source}: no variants {missing}. Derive the paper set with "
            f"`cotbuild variants {shell_quote(source)}`."
        )
    key, random = _keys(num_rows)
    variants = [one for one in (*HEADLINE, key, random, *LEAKS) if one in num_rows]
    available = min(num_rows[name] for name in variants)
    rows = rows or max(1, min(MAX_ROWS, available // 2))
    questions = choose_questions(manifest.source, source, rows, available)
    values: dict[str, Any] = {
        "format_version": 2,
        "name": f"{manifest.source.dataset}, rationales by {manifest.teacher}"[:200],
        "source": source,
        "dev": questions.dev,
        "test": questions.test,
        **_metrics(kind),
        "rows_per_seed": _rows_per_seed(rows, questions.rows_left),
        "looks": LOOKS,
        "hyperparameters": {
            "grid": {"lr": LEARNING_RATES},
            "variants": ["label_only", "post_cot", "pre_cot"],
            "seeds": [0, 1],
        },
        "tiers": _tiers(variants, key),
        "secondary": _secondary(variants, key, random),
        "gate": {"variant": "label_only", "standard_errors": 2.0},
        "train": {"epochs": 1.0},
        "stages": [
            {"name": "main", "variants": variants, "seeds": SEEDS, "rows": [rows]}
        ],
    }
    StudyV2.parse(values, source, ConfigError)
    return _commented(values)


def _keys(names: Collection[str]) -> tuple[str, str]:
    return next((pair for pair in KEYS if pair[0] in names), KEYS[-1])


def _metrics(kind: QuestionKind) -> dict[str, Any]:
    if kind in (QuestionKind.CHOICE, QuestionKind.YES_NO):
        return {
            "metric": "normalised",
            "secondary_metrics": ["target_probability"],
            "free_answers": FREE_ANSWERS,
        }
    return {"metric": "chrf2" if kind is QuestionKind.PROSE else "accuracy"}


# -- questions --------------------------------------------------------------------------


class EvaluationSets(NamedTuple):
    """The dev and the test questions, as STUDY.yaml declares them."""

    dev: dict[str, Any]
    test: dict[str, Any]
    rows_left: int
    """About how many rationales are left to train on."""


def choose_questions(
    entry: SourceEntry, source: str, rows: int, available: int
) -> EvaluationSets:
    """Hold out as many questions of the training split as can be spared.

    If that is few, evaluation splits are used. `available` is the number of rationales
    that a variant has at least. Raises ConfigError if there are no questions.
    """
    num_questions = entry.num_questions
    # A question that is held out takes so many rationales with it, on average.
    rows_each = max(available, 1) / max(num_questions, 1)
    spare_rows = SPARE_SHARE * available - rows
    spare = max(0, int(min(spare_rows / rows_each, num_questions / 2)))
    dev_count = min(MAX_DEV_QUESTIONS, spare // 5)
    test_count = min(MAX_TEST_QUESTIONS, spare - dev_count)
    splits = entry.eval_questions
    if test_count >= MIN_HELD_OUT or (not splits and dev_count >= 2):
        rows_left = int(available - rows_each * (dev_count + test_count))
        return EvaluationSets(
            dev=_held_out(entry.split, dev_count),
            test=_held_out(entry.split, test_count),
            rows_left=rows_left,
        )
    if not splits:
        raise ConfigError(
            f"{source}: no evaluation split to evaluate students on, and too few "
            "questions to hold some out. Build with --eval-splits dev."
        )
    return EvaluationSets(*_evaluation_splits(splits), rows_left=available)


def _rows_per_seed(rows: int, rows_left: int) -> str:
    """Return own if draws of two seeds would differ in a third of their rows or more."""
    return "own" if rows_left >= OWN_ROWS_RATIO * rows else "shared"


def _held_out(split: str, count: int) -> dict[str, Any]:
    return {"split": split, "unseen": True, "count": count, "by": "id_digest"}


def _evaluation_splits(
    splits: Mapping[str, int],
) -> tuple[dict[str, Any], dict[str, Any]]:
    if "validation" in splits and "test" in splits:
        return {"split": "validation"}, {"split": "test"}
    split, count = max(splits.items(), key=lambda item: item[1])
    first = min(MAX_DEV_QUESTIONS, count // 2)
    return {"split": split, "first": first}, {"split": split, "skip": first}


# -- claims -----------------------------------------------------------------------------


def _beats(name: str, says: str, a: str, b: str) -> dict[str, Any]:
    return {"name": name, "says": says, "claim": "beats", "a": a, "b": b}


def _keeps(name: str, says: str, a: str) -> dict[str, Any]:
    of = {"base": "label_only", "full": "post_cot", "share": 0.5}
    return {"name": name, "says": says, "claim": "keeps", "a": a, **of}


def _tiers(variants: Collection[str], key: str) -> list[dict[str, Any]]:
    """Return the paper's claims: what is gained, then what is enough for it."""
    first = [
        _beats(
            "after_beats_before",
            "Rationales after the label beat rationales before it.",
            "post_cot",
            "pre_cot",
        ),
        _beats(
            "rationales_help",
            "Rationales after the label beat no rationales.",
            "post_cot",
            "label_only",
        ),
    ]
    second = [
        _keeps(
            "coherence_not_needed",
            "Rationales with their words shuffled keep more than half of the gain.",
            "post_cot_shuffled_words",
        ),
        _keeps(
            "key_tokens_enough",
            "A few key words keep more than half of the gain.",
            key,
        ),
    ]
    return [
        {"name": "what helps", "claims": first},
        {
            "name": "what is enough",
            "opens_with": ["rationales_help"],
            "claims": [one for one in second if one["a"] in variants],
        },
    ]


def _secondary(
    variants: Collection[str], key: str, random: str
) -> list[dict[str, Any]]:
    claims = [
        _beats(
            "key_beats_random",
            "Key words beat as many random words of the same rationale.",
            key,
            random,
        ),
        _keeps(
            "leak_not_needed",
            "Rationales without the words that name the label keep more than half of "
            "the gain.",
            "post_cot_strip_target",
        ),
    ]
    return [
        one for one in claims if {one["a"], one.get("b", one["a"])} <= set(variants)
    ]


# -- text -------------------------------------------------------------------------------

_COMMENTS: Mapping[str, str] = {
    "format_version": "A study, run by `cotbuild study`. The first cell fixes all of it: what is\n"
    "added later is reported as exploratory.",
    "source": "Folder of a build, or a release: ORG/NAME@TAG.",
    "dev": "Gate and hyperparameters are decided on dev. Each cell evaluates the test\n"
    "questions once, after the gate. Unseen questions are held out from training.",
    "metric": "What decides the claims: accuracy (forced choice by log-likelihood), normalised\n"
    "(the same per character), free (the free greedy answer); of questions that share\n"
    "their options macro_f1, free_macro_f1; of prose chrf2, bleu, rouge_l.",
    "secondary_metrics": "Reported with an interval; they decide nothing.",
    "free_answers": "Test questions that are answered freely too; forced choices need none of it.",
    "rows_per_seed": "own: each seed draws its own rationales, the same for every variant, so\n"
    "that the claims are about more than one training set; shared: all the same ones.",
    "looks": "Numbers of seeds at which the claims are tested, with O'Brien-Fleming bounds.",
    "hyperparameters": "One setting for all variants, by the best mean on dev.",
    "tiers": "Claims by tier: beats; not_worse and equivalent, with a margin; keeps more than a\n"
    "share of a gain. Holm-adjusted over a tier; the next one opens only if it holds.",
    "secondary": "Claims outside the tiers, with uncorrected p-values.",
    "gate": "This variant must beat the untrained student on dev by that many standard\n"
    "errors, or no test question is evaluated.",
    "train": "Settings of `cotbuild train` that all cells share.",
    "stages": "Each stage is every variant × seed × rows × loss × student. The claims use the\n"
    "first stage's first student, rows and loss.",
}


def _commented(values: Mapping[str, Any]) -> str:
    lines = []
    for name, value in values.items():
        lines += (
            [f"# {line}" for line in _COMMENTS[name].split("\n")]
            if name in _COMMENTS
            else []
        )
        lines.append(_yaml({name: value}).rstrip())
    return "\n".join(lines) + "\n"


class _Plain(yaml.SafeDumper):
    """Writes a repeated list in full, where YAML would write an alias."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _yaml(value: Mapping[str, Any]) -> str:
    """Return YAML with lists and mappings of plain values on one line each."""
    flow = None if isinstance(next(iter(value.values())), (dict, list)) else False
    return yaml.dump(
        value,
        Dumper=_Plain,
        sort_keys=False,
        allow_unicode=True,
        width=200,
        default_flow_style=flow,
    )
