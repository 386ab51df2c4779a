"""STUDY.yaml for the design of arXiv 2406.14511 on a build of one's own, with the
controls that it needs. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.study.declaration import Study

MOST_ROWS = 1000
HALF = 500
"""Most questions of dev where one split has to serve as test too."""
SEEDS, MORE_SEEDS = [0, 1, 2], [3, 4]
HEADLINE = ("label_only", "pre_cot", "post_cot", "post_cot_shuffled_words")
# Name, claim in words, variant, what it is compared to, kind of claim.
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
"""Key words and their control: by a student's attributions where the build has them,
else by TF-IDF.
"""


def study_text(manifest: Manifest, source: str, rows: int | None) -> str:
    """STUDY.yaml with its comments.

    Raises ConfigError where the build lacks what a study needs.
    """
    names = (
        {entry.name for entry in manifest.variants.variants}
        if manifest.variants
        else set()
    )
    if missing := [name for name in HEADLINE if name not in names]:
        raise ConfigError(
            f"{source}: no variants {missing}. Expected the paper set. Run `cotbuild variants {source}`."
        )
    key, random = _keys(names)
    claims = [_claim(one, key, random) for one in CLAIMS]
    values: dict[str, Any] = {
        "format_version": 1,
        "name": f"{manifest.source.dataset}, rationales by {manifest.teacher}"[:200],
        "source": source,
        **_questions(manifest, source),
        "metric": "accuracy",
        "margin": 2.0,
        "paired": False,
        "comparisons": [one for one in claims if {one["a"], one["b"]} <= names],
        "gate": {"variant": "label_only", "standard_errors": 2.0},
        "train": {"epochs": 2.0},
        "grid": {},
        "stages": _stages(
            names, key, random, rows or min(MOST_ROWS, _fewest(manifest))
        ),
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
    found = manifest.source.eval_questions
    if "validation" in found and "test" in found:
        return {"dev": {"split": "validation"}, "test": {"split": "test"}}
    if not found:
        raise ConfigError(
            f"{source}: no evaluation split. Expected one to ask students. Build with --eval-splits dev."
        )
    split, count = max(found.items(), key=lambda item: item[1])
    first = min(HALF, count // 2)
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
    "format_version": "A study. `cotbuild study` runs it; all but the stages is fixed by its first cell, and what is\n"
    "changed later is told in the report.",
    "source": "Folder of a build, or a release: ORG/NAME@TAG.",
    "dev": "Gate and grid are decided on dev. The test questions are asked once a cell, after the gate.",
    "metric": "What is compared: accuracy (forced choice by log-likelihood), normalised (a character), free.",
    "margin": "Points within which two variants count as equally good.",
    "paired": "Whether runs of one seed are set against each other; unpaired is the safer choice.",
    "comparisons": "The claims: a beats b, or a is as_good as b. Corrected together (Holm); others are exploratory.",
    "gate": "This variant must beat the untrained student on dev by so many standard errors, or nothing is asked of\n"
    "the test questions.",
    "train": "Settings of `cotbuild train` that all cells share; lr is 5e-5 where it is not given.",
    "grid": "Settings that every variant chooses for itself on dev, as in  lr: [5.0e-5, 1.0e-4]",
    "stages": "Each is every variant × seed × rows × loss × student, and ends in a report. The comparisons are made\n"
    "with the first stage's first student, rows and loss.",
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
    """Repeats a list that stands twice, where YAML has an alias for it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _yaml(value: Mapping[str, Any]) -> str:
    """Lists and mappings of plain values on one line each."""
    flow = None if isinstance(next(iter(value.values())), (dict, list)) else False
    return yaml.dump(
        value,
        Dumper=_Plain,
        sort_keys=False,
        allow_unicode=True,
        width=200,
        default_flow_style=flow,
    )
