"""A request for a job of every kind, as a client sends it."""

from typing import Any

from cotbuild.schemas.service.job import JobKind

DIGEST = "0123456789abcdef" * 4
_STUDY = {
    "name": "A small study",
    "source": "mine",
    "dev": {"split": "dev"},
    "test": {"split": "test"},
    "comparisons": [
        {
            "name": "post_beats_label",
            "says": "Rationales help.",
            "a": "post_cot",
            "b": "label_only",
            "claim": "beats",
        }
    ],
    "stages": [
        {
            "name": "main",
            "variants": ["post_cot", "label_only"],
            "seeds": [0],
            "rows": [4],
        }
    ],
}
_RECIPE = {
    "name": "mapping",
    "version": 1,
    "about": "Columns named on the command line.",
    "made_by": "people",
    "licence": "unknown",
    "join": "id",
    "columns": {"text": "explanation", "id": "id"},
    "answer": "last",
    "target_shown": False,
}

REQUESTS: dict[JobKind, dict[str, Any]] = {
    JobKind.GENERATE: {
        "kind": "generate",
        "target": "mine",
        "config": {
            "source": {"name": f"upload:{DIGEST}/questions.jsonl"},
            "teacher": {"model": "scripted"},
        },
        "budget": {"max_requests": 10},
        "labels": {"team": "blue"},
    },
    JobKind.IMPORT: {
        "kind": "import",
        "target": "mine",
        "config": {
            "source": {"name": f"upload:{DIGEST}/questions.jsonl"},
            "imported": {
                "files": [f"upload:{DIGEST}/explanations.csv"],
                "recipe": _RECIPE,
            },
        },
    },
    JobKind.VARIANTS: {
        "kind": "variants",
        "target": "mine",
        "variants": ["post_cot", "key_tokens"],
        "selection": {"share": 0.5, "verdicts": ["correct", "incorrect"]},
        "seed": 3,
        "files": {"scores": "target:run"},
    },
    JobKind.PUBLISH: {
        "kind": "publish",
        "target": "mine",
        "repo": "alice/mine",
        "tag": "v1.0.0",
        "private": True,
        "configs": ["post_cot"],
    },
    JobKind.TRAIN: {
        "kind": "train",
        "target": "run",
        "build": "mine",
        "config": {"variant": "post_cot", "epochs": 1.0, "seed": 2},
    },
    JobKind.EVALUATE: {
        "kind": "evaluate",
        "target": "results",
        "run": "run",
        "split": "dev",
        "limit": 5,
        "rationales_from": "writer",
    },
    JobKind.ATTRIBUTE: {
        "kind": "attribute",
        "target": "run",
        "build": "mine",
        "method": "integrated-gradients",
        "steps": 4,
        "max_error": 0.1,
    },
    JobKind.STUDY: {"kind": "study", "target": "study", "study": _STUDY},
}
