"""Integrated Gradients of one rationale (arXiv 1703.01365), with captum, at a fraction
of the usual tokens.

f = log p(label | question, rationale) minus the mean of the same over the other
options; where there are none, log p(label) alone. The path goes from the rationale's
tokens as padding to the rationale as it is; all others stay.

The question never changes along the path: it is run once, without gradient, and its
keys and values are used again. All options share the rationale: it is run once a step,
and each option goes on from there. So a step costs the rationale's tokens and the
options', where the plain way runs question, rationale and option for every option.
"""

import copy
from typing import NamedTuple

import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel

from cotbuild.student.attribution.contrast import AttributionCase
from cotbuild.student.model import Student

# log p in float64: measured on SmolLM2-135M against a run in float64 throughout, scores
# are off by 1e-4 of the largest with log p in float32, by 4e-6 so, in the same time.
# The options' log p differ by little, and gradients by large sums.
IGNORED = -100
"""Target of no token."""


class ContrastFunction:
    """f of one case, as a function of the embeddings of its middle, any number at once."""

    def __init__(self, model: PreTrainedModel, case: AttributionCase) -> None:
        self._model = model
        inputs, targets = [], []
        for ids in case.options:
            end = case.longest - len(ids)
            inputs.append([*ids, *[0] * end])
            targets.append([*ids, *[IGNORED] * end])
        self._inputs_O_L = torch.tensor(inputs, device=model.device)
        self._targets_O_L = torch.tensor(targets, device=model.device)
        self._prefix = DynamicCache(config=model.config)
        if case.prefix_ids_P:
            with torch.no_grad():
                ids_1_P = torch.tensor([case.prefix_ids_P], device=model.device)
                model(
                    input_ids=ids_1_P,
                    past_key_values=self._prefix,
                    use_cache=True,
                    logits_to_keep=1,
                )

    def __call__(self, middle_B_M_D: Tensor) -> Tensor:
        """f_B."""
        cache = copy.deepcopy(self._prefix)
        cache.batch_repeat_interleave(len(middle_B_M_D))
        out = self._model(
            inputs_embeds=middle_B_M_D,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logp_B_V = out.logits[:, -1].double().log_softmax(-1)
        logp_B_O = logp_B_V[:, self._inputs_O_L[:, 0]] + self._behind_first(
            cache, len(middle_B_M_D)
        )
        f_B: Tensor = logp_B_O[:, 0]
        return f_B if logp_B_O.shape[1] == 1 else f_B - logp_B_O[:, 1:].mean(1)

    def _behind_first(self, cache: DynamicCache, size: int) -> Tensor:
        """Σ log p of each option's tokens behind its first, B × O.

        Padding stands at the end, where nothing sees it.
        """
        options, longest = self._targets_O_L.shape
        if longest == 1:
            return torch.zeros(size, options, device=self._targets_O_L.device)
        cache.batch_repeat_interleave(options)
        inputs_BO_L = self._inputs_O_L[:, :-1].repeat(size, 1)
        targets_BO_L = self._targets_O_L[:, 1:].repeat(size, 1)
        logits_BO_L_V = self._model(
            input_ids=inputs_BO_L, past_key_values=cache, use_cache=True
        ).logits
        loss_BO_L = functional.cross_entropy(
            logits_BO_L_V.double().transpose(1, 2),
            targets_BO_L,
            ignore_index=IGNORED,
            reduction="none",
        )
        return -loss_BO_L.sum(1).view(size, options)


class PathIntegral(NamedTuple):
    """The integral, and f at both ends of the path."""

    scores_M: list[float]
    """A token of the middle: the sum over the embedding's dimensions, signed."""
    f_input: float
    f_baseline: float

    @property
    def completeness_error(self) -> float | None:
        """|Σ scores − (f(x) − f(baseline))| as a share of |f(x) − f(baseline)|; None: f
        is the same at both ends.
        """
        change = self.f_input - self.f_baseline
        return abs(sum(self.scores_M) - change) / abs(change) if change else None


def integrated_gradients(
    student: Student, case: AttributionCase, steps: int, batch_tokens: int
) -> PathIntegral:
    """Scores of the middle's tokens; at most `batch_tokens` are run at once, or one
    step's where that is more.
    """
    contrast = ContrastFunction(student.model, case)
    input_1_M_D, baseline_1_M_D = embed_path_ends(student, case)
    at_once = max(1, batch_tokens // case.step_tokens)
    scores_1_M_D = IntegratedGradients(contrast).attribute(
        input_1_M_D, baseline_1_M_D, n_steps=steps, internal_batch_size=at_once
    )
    with torch.no_grad():
        ends = [float(contrast(end)) for end in (input_1_M_D, baseline_1_M_D)]
    return PathIntegral(scores_1_M_D[0].sum(-1).tolist(), *ends)


def embed_path_ends(student: Student, case: AttributionCase) -> tuple[Tensor, Tensor]:
    """Embeddings of the middle as it is, and with padding for the rationale's tokens;
    both 1 × M × D.
    """
    device = student.model.device
    embed = student.model.get_input_embeddings()
    baseline = [
        token if kept else student.pad_id
        for token, kept in zip(case.middle_ids_M, case.kept_M, strict=True)
    ]
    with torch.no_grad():
        input_1_M_D: Tensor = embed(torch.tensor([case.middle_ids_M], device=device))
        baseline_1_M_D: Tensor = embed(torch.tensor([baseline], device=device))
    return input_1_M_D, baseline_1_M_D
