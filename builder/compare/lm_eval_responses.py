"""The responses in a row of lm-evaluation-harness, and what a metric reads in them.

Pure. Answers are shown and decide nothing, so a row of another shape has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cotbuild.builder.compare.answers import keep_text
from cotbuild.builder.sources.base import Row

_OF_OPTIONS = {"acc": "accuracy", "acc_norm": "normalised"}
_OF_TEXTS = {"acc": "accuracy", "exact_match": "free"}
"""Names of the metrics of `cotbuild evaluate` that are nearest, though not the same: see
`lm_eval.read_samples`.
"""

_MAX_NUMBER_CHARS = 40


@dataclass(frozen=True)
class Responses:
    """The log-likelihoods of the options of a question, or a generated text."""

    log_likelihoods: tuple[float, ...]
    """Empty if a text was generated."""
    options: tuple[str, ...]
    """Texts of the options; empty if the row does not tell which of them was chosen."""
    text: str | None
    """The text that was generated, after the task's filter."""
    are_contexts: bool = False
    """Whether the options are in the prompts, before a text that all of them share."""

    @classmethod
    def read(cls, row: Row) -> Self:
        """Read the responses of a row of samples."""
        responses = row.get("filtered_resps")
        log_likelihoods = _read_log_likelihoods(responses)
        if not log_likelihoods:
            return cls((), (), _find_text(responses))
        options, are_contexts = _read_options(row.get("arguments"))
        # A single continuation is no choice, and acc_mutual_info scores each option twice.
        is_choice = len(options) > 1 and "acc_mutual_info" not in row
        has_all = len(options) == len(log_likelihoods)
        shown = options if has_all and is_choice else ()
        return cls(log_likelihoods, shown, None, are_contexts)

    def name_metric(self, name: str) -> str:
        """Return the name that `cotbuild evaluate` has for a metric, or its own."""
        names = _OF_OPTIONS if self.log_likelihoods else _OF_TEXTS
        return names.get(name, keep_text(name))

    def find_answer(self, metric: str) -> str | None:
        """Return the answer that a metric has graded; None if the row does not tell."""
        if not self.log_likelihoods:
            return self.text
        if not self.options:
            return None
        scores = list(self.log_likelihoods)
        if metric == "acc_norm" and not self.are_contexts:
            lengths = [max(1, len(option)) for option in self.options]
            scores = [
                score / length for score, length in zip(scores, lengths, strict=True)
            ]
        elif metric != "acc":
            return None
        return self.options[scores.index(max(scores))]


def _read_log_likelihoods(responses: object) -> tuple[float, ...]:
    """Return the log-likelihoods of pairs such as ["-3.1", "False"]; none of others."""
    if not isinstance(responses, list):
        return ()
    found = [_read_log_likelihood(pair) for pair in responses]
    numbers = tuple(one for one in found if one is not None)
    return numbers if len(numbers) == len(found) else ()


def _read_log_likelihood(pair: object) -> float | None:
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    number, is_greedy = pair
    if is_greedy not in ("True", "False", True, False):
        return None
    if isinstance(number, str) and len(number) > _MAX_NUMBER_CHARS:
        return None
    try:
        return float(number)
    except (TypeError, ValueError, OverflowError):
        return None


def _find_text(responses: object) -> str | None:
    """Return the first text of responses, which may be in lists."""
    while isinstance(responses, list) and responses:
        responses = responses[0]
    return keep_text(responses) if isinstance(responses, str) else None


def _read_options(arguments: object) -> tuple[tuple[str, ...], bool]:
    """Return the texts of the options, and whether they were read from the prompts.

    A request is {"arg_0": PROMPT, "arg_1": TEXT} or a list of both. The options are the
    texts that follow the prompt; if those are all equal, as of Winogrande, they are what
    differs at the end of the prompts.
    """
    prompts, texts = [], []
    for request in _items(arguments):
        match _items(request)[:2]:
            case [prompt, str(text)]:
                texts.append(text)
                if isinstance(prompt, str):
                    prompts.append(prompt)
            case _:
                return (), False
    has_prompts = len(prompts) == len(texts) > 1
    are_contexts = has_prompts and len(set(texts)) == 1
    if are_contexts:
        texts = _cut_shared_start(prompts)
    return tuple(keep_text(text.strip()) for text in texts), are_contexts


def _cut_shared_start(texts: list[str]) -> list[str]:
    """Return texts without the words that all of them begin with."""
    # What the first and the last in order share, all between them share too.
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    shared = first[: next((at for at, (a, b) in pairs if a != b), len(first))]
    start = max(shared.rfind(space) for space in " \n") + 1
    return [text[start:] for text in texts]


def _items(value: object) -> list[object]:
    """Return the items of a list or the values of an object; none of anything else."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else []
