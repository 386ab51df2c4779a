"""What attribution gains by running the question once and the rationale once a step,
beside the plain way.

    python -m tests.bench.attribution_cost [PAIRS] [STEPS]

The plain way runs question, rationale and option for every option and step, with captum
too, padded to one length in batches of as many tokens. Both in turn, in one process, on
the embedded student. Prints seconds, their ratio, and the largest difference of a
token's score as a share of the largest score.
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
from cotbuild.student.model import Student, load_student

BATCH_TOKENS = 1024
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


def main(pairs: int, steps: int) -> None:
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
    ratios = []
    for _ in range(pairs):
        begun = time.monotonic()
        ours = integrated_gradients(student, case, steps, BATCH_TOKENS).scores_M
        between = time.monotonic()
        theirs = plain(student, case, steps)
        spent = between - begun, time.monotonic() - between
        ratios.append(spent[1] / spent[0])
        largest = max(map(abs, theirs))
        differ = (
            max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
            / largest
        )
        print(
            f"ours {spent[0]:.2f} s, plain {spent[1]:.2f} s, {ratios[-1]:.1f} times; scores differ by {differ:.1e}"
        )
    print(f"median {median(ratios):.1f} times")


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] or ["3", "8"])))
