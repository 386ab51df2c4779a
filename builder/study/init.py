"""STUDY.yaml for the design of arXiv 2406.14511 on any build, with its controls. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.study.declaration import Study

MAX_ROWS = 1000
"""Default of the most rationales trained on."""
MAX_DEV_QUESTIONS = 500
"""Maximum dev questions if one split serves as dev and test."""
SEEDS, MORE_SEEDS = [0, 1, 2], [3, 4]
HEADLINE = ("label_only", "pre_cot", "post_cot", "post_cot_shuffled_words")
# Name, claim in words, variant A, variant B, kind of claim.
CLAIMS = (
    (
        "rationales_help",
        "Rationales after the label beat no rationales.",
        "post_cot",
        "label_only",
        "beats",
    ),
    (
        "after_beats_before",
        "Rationales after the label beat rationales before it.",
        "post_cot",
        "pre_cot",
        "beats",
    ),
    (
        "coherence_not_needed",
        "Rationales with their words shuffled are as good as whole ones.",
        "post_cot_shuffled_words",
        "post_cot",
        "as_good",
    ),
    (
        "key_tokens_enough",
        "A few key words are as good as whole rationales.",
        "{key}",
        "post_cot",
        "as_good",
    ),
    (
        "key_beats_random",
        "Key words beat as many random words of the same rationale.",
        "{key}",
        "{random}",
        "beats",
    ),
    (
        "leak_not_needed",
        "Rationales without the words that name the label are as good as whole ones.",
        "post_cot_strip_target",
        "post_cot",
        "as_good",
    ),
)
KEYS = (
    ("post_cot_attributed_15", "post_cot_attributed_15_random"),
    ("post_cot_tfidf_15", "post_cot_random_15"),
)
"""Key words and their control: by a student's attributions if the build has them, else
by TF-IDF.
"""


def study_text(manifest: Manifest, source: str, rows: int | None) -> str:
    """Return STUDY.yaml with its comments; `rows` None trains on as many as there are.

    Raises ConfigError if the build lacks variants or evaluation questions.
    """
    entries = manifest.variants.variants if manifest.variants else ()
    names = {entry.name for entry in entries}
    missing = [name for name in HEADLINE if name not in names]
    if missing:
        raise ConfigError(
            f"{source}: no variants {missing}. Derive the paper set with "
            f"`cotbuild variants {shell_quote(source)}`."
        )
    key, random = _keys(names)
    claims = [_claim(one, key, random) for one in CLAIMS]
    values: dict[str, Any] = {
        "format_version": 1,
        "name": f"{manifest.source.dataset}, rationales by {manifest.teacher}"[:200],
        "source": source,
        **_questions(manifest, source),
        "metric": "chrf2" if manifest.verdicts.get(Verdict.SCORED) else "accuracy",
        "margin": 2.0,
        "paired": False,
        "comparisons": [one for one in claims if {one["a"], one["b"]} <= names],
        "gate": {"variant": "label_only", "standard_errors": 2.0},
        "train": {"epochs": 2.0},
        "grid": {},
        "stages": _stages(names, key, random, rows or min(MAX_ROWS, _fewest(manifest))),
    }
    Study.parse(values, source, ConfigError)
    return _commented(values)


def _keys(names: Iterable[str]) -> tuple[str, str]:
    return next((pair for pair in KEYS if pair[0] in names), KEYS[-1])


def _claim(claim: tuple[str, ...], key: str, random: str) -> dict[str, str]:
    name, says, a, b, kind = (
        part.replace("{key}", key).replace("{random}", random) for part in claim
    )
    return {"name": name, "says": says, "a": a, "b": b, "claim": kind}


def _fewest(manifest: Manifest) -> int:
    assert manifest.variants is not None, "checked before"
    return min(
        entry.num_rows for entry in manifest.variants.variants if entry.name in HEADLINE
    )


def _questions(manifest: Manifest, source: str) -> dict[str, Any]:
    num_questions = manifest.source.eval_questions
    if "validation" in num_questions and "test" in num_questions:
        return {"dev": {"split": "validation"}, "test": {"split": "test"}}
    if not num_questions:
        raise ConfigError(
            f"{source}: no evaluation split to evaluate students on. Build with "
            "--eval-splits dev."
        )
    split, count = max(num_questions.items(), key=lambda item: item[1])
    first = min(MAX_DEV_QUESTIONS, count // 2)
    return {
        "dev": {"split": split, "first": first},
        "test": {"split": split, "skip": first},
    }


def _stages(names: set[str], key: str, random: str, rows: int) -> list[dict[str, Any]]:
    def stage(name: str, variants: Iterable[str], seeds: list[int]) -> dict[str, Any]:
        return {
            "name": name,
            "variants": [one for one in variants if one in names],
            "seeds": seeds,
            "rows": [rows],
        }

    leaks = ("post_cot_strip_target", "post_cot_strip_target_control")
    found = [
        stage("headline", HEADLINE, SEEDS),
        stage("more seeds", HEADLINE, MORE_SEEDS),
        stage("key words", (key, random), SEEDS),
        stage("without leaks", leaks, SEEDS),
    ]
    return [one for one in found if one["variants"]]


_COMMENTS: Mapping[str, str] = {
    "format_version": "A study, run by `cotbuild study`. Everything but the stages is fixed by\n"
    "the first cell; later changes are listed in the report.",
    "source": "Folder of a build, or a release: ORG/NAME@TAG.",
    "dev": "Gate and grid are decided on dev. Each cell evaluates the test questions once,\n"
    "after the gate.",
    "metric": "What is compared: accuracy (forced choice by log-likelihood), normalised (the\n"
    "same per character), free (the free greedy answer); of questions that share their\n"
    "options macro_f1 (of the forced choices), free_macro_f1; of prose chrf2, bleu, rouge_l.",
    "margin": "Points within which two variants count as equivalent.",
    "paired": "Whether runs are paired by seed; unpaired is the safer choice.",
    "comparisons": "The claims: a beats b, or a is as_good as b. Holm-adjusted together; all\n"
    "others are exploratory.",
    "gate": "This variant must beat the untrained student on dev by that many standard\n"
    "errors, or no test question is evaluated.",
    "train": "Settings of `cotbuild train` that all cells share; the default of lr is 5e-5.",
    "grid": "Settings that each variant chooses for itself on dev, such as  lr: [5.0e-5, 1.0e-4]",
    "stages": "Each stage is every variant × seed × rows × loss × student, and ends in a\n"
    "report. The comparisons use the first stage's first student, rows and loss.",
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
