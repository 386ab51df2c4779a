"""What attribution gains by running once what texts have in common, beside the plain way,
and what its two methods cost.

    python -m tests.bench.attribution_cost [PAIRS] [STEPS]

The plain way of Integrated Gradients runs question, rationale and option for every
option and step, with captum too, padded to one length in batches of as many tokens. The
plain way of leaving one word out runs the prompt and the rationale anew for every word,
once for all options. Both in turn, in one process of one thread, on the embedded
student. Prints CPU seconds, their ratio, and the largest difference of a score as a
share of the largest score; then the cost of STEPS steps beside that of all words.
"""

import sys
import time
from statistics import median

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from cotbuild.builder.evaluation.models import find_model
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant_rows import (
    TrainingRow,
)
from cotbuild.student.attribution.attribute import freeze_model
from cotbuild.student.attribution.contrast import AttributionCase, make_case
from cotbuild.student.attribution.gradients import embed_path_ends, integrated_gradients
from cotbuild.student.attribution.scorers import WORD_BATCH_TOKENS
from cotbuild.student.attribution.words import (
    WordCase,
    leave_one_word_out,
    make_word_case,
)
from cotbuild.student.evaluation.options import score_options
from cotbuild.student.model import Student, load_student

BATCH_TOKENS = 1024
PLAIN_BATCH_TOKENS = 8_192
"""Of keys and values: evaluation takes as many."""
LAYOUT = Layout(order=("rationale", "label"), opening=" ", joints=("\nAnswer: ",))
RATIONALE = (
    "Wood is lighter than water for its size, since it holds much air. Things that are lighter than the water they "
    "push away stay on top of it. Iron nails and stones are far heavier, so they sink to the bottom at once."
)
OPTIONS = ("an iron nail", "a wooden boat", "a stone", "a silver spoon")
QUESTION = "On a warm day a child throws four things into a lake that lies behind the house. Which of them floats?"


def row() -> TrainingRow:
    completion = f" {RATIONALE}\nAnswer: {OPTIONS[1]}"
    listed = "\n".join(f"- {option}" for option in OPTIONS)
    return TrainingRow(
        question_id="q",
        sample_index=0,
        task=None,
        prompt=f"Question: {QUESTION}\nOptions:\n{listed}\nReasoning:",
        completion=completion,
        choices=OPTIONS,
        target="B",
        label_start=completion.rindex(OPTIONS[1]),
        label_end=len(completion),
        rationale_start=1,
        rationale_end=1 + len(RATIONALE),
    )


def plain(student: Student, case: AttributionCase, steps: int) -> list[float]:
    """Scores of the middle's tokens, each option's whole text anew at every step."""
    embed = student.model.get_input_embeddings()
    before = len(case.prefix_ids_P) + len(case.middle_ids_M)

    def f(middle_B_M_D: Tensor) -> Tensor:
        said = []
        for ids in case.options:
            sides = (
                embed(torch.tensor([part])).expand(len(middle_B_M_D), -1, -1)
                for part in (case.prefix_ids_P, ids)
            )
            whole_B_T_D = torch.cat([next(sides), middle_B_M_D, next(sides)], 1)
            logits = student.model(
                inputs_embeds=whole_B_T_D, use_cache=False, logits_to_keep=len(ids) + 1
            ).logits
            logp = logits.log_softmax(-1)
            said.append(
                torch.stack([logp[:, i, token] for i, token in enumerate(ids)]).sum(0)
            )
        return said[0] - torch.stack(said[1:]).mean(0)

    at_once = max(1, BATCH_TOKENS // (before + case.longest))
    ends = embed_path_ends(student, case)
    found = IntegratedGradients(f).attribute(
        *ends, n_steps=steps, internal_batch_size=at_once
    )
    scores: list[float] = found[0].sum(-1).tolist()
    return scores


def plain_words(student: Student, case: WordCase) -> list[float]:
    """Scores of the words, each text anew from its first token."""
    texts = [case.whole, *case.without_W]
    options = [text.options for text in texts]
    with torch.inference_mode():
        scored = dict(score_options(student, options, PLAIN_BATCH_TOKENS))
    values = []
    for at in range(len(texts)):
        label, *others = [score.log_prob for score in scored[at]]
        values.append(label - sum(others) / len(others))
    return [values[0] - value for value in values[1:]]


def compare_words(student: Student, pairs: int) -> float:
    """Print both ways of leaving one word out; return the median seconds of ours."""
    case = make_word_case(student.tokenizer, LAYOUT, row(), QuestionKind.CHOICE)
    leave_one_word_out(student, case, WORD_BATCH_TOKENS)
    seconds, ratios = [], []
    for _ in range(pairs):
        started = time.process_time()
        ours = leave_one_word_out(student, case, WORD_BATCH_TOKENS)
        ours_s = time.process_time() - started
        started = time.process_time()
        theirs = plain_words(student, case)
        theirs_s = time.process_time() - started
        seconds.append(ours_s)
        ratios.append(theirs_s / ours_s)
        print(
            f"{len(ours)} words: ours {ours_s:.2f} CPU s a rationale, plain "
            f"{theirs_s:.2f}, {ratios[-1]:.2f} times; {1 / ours_s:.2f} rationales a CPU s; "
            f"scores differ by {largest_difference(ours, theirs):.1e}"
        )
    print(f"median {median(ratios):.2f} times")
    return median(seconds)


def largest_difference(ours: list[float], theirs: list[float]) -> float:
    """Return the largest difference as a share of the largest score."""
    differences = [abs(one - other) for one, other in zip(ours, theirs, strict=True)]
    return max(differences) / max(map(abs, theirs))


def main(pairs: int, steps: int) -> None:
    torch.set_num_threads(1)
    model = find_model("embedded", None, print)
    student = load_student(model.where, model.identity)
    freeze_model(student)
    case = make_case(student.tokenizer, LAYOUT, row(), QuestionKind.CHOICE)
    plain_tokens = steps * sum(case.num_tokens for _ in case.options)
    ours_tokens = len(case.prefix_ids_P) + steps * case.step_tokens
    print(
        f"tokens of {steps} steps: plain {plain_tokens}, ours {ours_tokens}, {plain_tokens / ours_tokens:.1f} times"
    )
    integrated_gradients(student, case, 2, BATCH_TOKENS)
    seconds, ratios = [], []
    for _ in range(pairs):
        begun = time.process_time()
        ours = integrated_gradients(student, case, steps, BATCH_TOKENS).scores_M
        between = time.process_time()
        theirs = plain(student, case, steps)
        ours_s, theirs_s = between - begun, time.process_time() - between
        seconds.append(ours_s)
        ratios.append(theirs_s / ours_s)
        print(
            f"ours {ours_s:.2f} CPU s, plain {theirs_s:.2f}, {ratios[-1]:.1f} times; "
            f"scores differ by {largest_difference(ours, theirs):.1e}"
        )
    print(f"median {median(ratios):.1f} times")
    words_s = compare_words(student, pairs)
    print(
        f"all words cost as much as {steps * words_s / median(seconds):.0f} steps of "
        "Integrated Gradients"
    )


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] or ["3", "8"])))
