"""Rows of samples_*.jsonl as lm-evaluation-harness writes them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

Sample = dict[str, object]

OPTIONS = (" bank", " river", " a very long road")


def choice_sample(
    doc_id: int, log_likelihoods: Iterable[float], **changes: object
) -> Sample:
    """A question with three options, whose first one is the target."""
    scores = list(log_likelihoods)
    per_char = [
        score / len(option.strip())
        for score, option in zip(scores, OPTIONS, strict=True)
    ]
    sample: Sample = {
        "doc_id": doc_id,
        "doc": {"id": f"q{doc_id}", "question": "Where is money?"},
        "target": "0",
        "arguments": {
            f"gen_args_{number}": {"arg_0": "Where is money?", "arg_1": option}
            for number, option in enumerate(OPTIONS)
        },
        "resps": [[[str(score), "False"]] for score in scores],
        "filtered_resps": [[str(score), "False"] for score in scores],
        "filter": "none",
        "metrics": ["acc", "acc_norm", "f1"],
        "doc_hash": f"hash of {doc_id}",
        "prompt_hash": "0",
        "target_hash": "0",
        "acc": float(scores.index(max(scores)) == 0),
        "acc_norm": float(per_char.index(max(per_char)) == 0),
        "f1": [0, scores.index(max(scores))],
    }
    return sample | changes


def text_sample(
    doc_id: int, answer: str, filter_name: str, **changes: object
) -> Sample:
    """A question answered by a generated text; the target is 5."""
    sample: Sample = {
        "doc_id": doc_id,
        "doc": {"question": "2 + 3?"},
        "target": "5",
        "arguments": {"gen_args_0": {"arg_0": "2 + 3?", "arg_1": {"until": ["\n"]}}},
        "resps": [[f"It is {answer}."]],
        "filtered_resps": [answer],
        "filter": filter_name,
        "metrics": ["exact_match"],
        "doc_hash": f"hash of {doc_id}",
        "exact_match": float(answer == "5"),
    }
    return sample | changes


def write_samples(path: Path, samples: Iterable[Mapping[str, object]]) -> Path:
    """Write samples as JSON Lines; return the path."""
    lines = [json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples]
    path.write_text("".join(lines), encoding="utf-8")
    return path
