"""Integrated Gradients of one rationale (Sundararajan et al., arXiv 1703.01365).

The function is f = log p(label | question, rationale) minus the mean of the same over
the other options; without other options it is log p(label) alone. The path goes from
the rationale's tokens replaced by padding to the rationale itself; all other tokens
stay the same.

The integral is captum's. The forward passes cost a fraction of the usual tokens: the
question never changes along the path, so it is run once, without gradient, and its keys
and values are used again. All options share the rationale, so it is run once per step,
and each option continues from it. The plain way runs question, rationale and option for
every option at every step.
"""

import copy
import math
from typing import NamedTuple

import torch
from captum.attr import IntegratedGradients
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel

from cotbuild.schemas.attribution import ConvergenceBounds, Refusal
from cotbuild.student.attribution.contrast import AttributionCase
from cotbuild.student.model import Student

IGNORED = -100
"""The target of padding."""

# log p is computed in float64: the log p of the options differ little, and gradients by
# large sums. Measured on SmolLM2-135M against a run in float64 throughout, as a share of
# the largest score: scores are off by 1e-4 with log p in float32 and by 4e-6 in float64,
# in the same time.


class ContrastFunction:
    """f of one case, as a function of the embeddings of its middle.

    Shapes: B points on the path, M tokens of the middle, D dimensions of an embedding,
    O options, L tokens of the longest option, V tokens of the vocabulary.
    """

    def __init__(self, model: PreTrainedModel, case: AttributionCase) -> None:
        self._model = model
        inputs, targets = [], []
        for ids in case.options:
            padding = case.longest - len(ids)
            inputs.append([*ids, *[0] * padding])
            targets.append([*ids, *[IGNORED] * padding])
        self._inputs_O_L = torch.tensor(inputs, device=model.device)
        self._targets_O_L = torch.tensor(targets, device=model.device)
        self._prefix = DynamicCache(config=model.config)
        if case.prefix_ids_P:
            self._run_prefix(case.prefix_ids_P)

    def _run_prefix(self, ids: list[int]) -> None:
        with torch.no_grad():
            self._model(
                input_ids=torch.tensor([ids], device=self._model.device),
                past_key_values=self._prefix,
                use_cache=True,
                logits_to_keep=1,
            )

    def __call__(self, middle_B_M_D: Tensor) -> Tensor:
        """Return f at B points, [B], in natural logarithms."""
        num_points = len(middle_B_M_D)
        cache = copy.deepcopy(self._prefix)
        cache.batch_repeat_interleave(num_points)
        output = self._model(
            inputs_embeds=middle_B_M_D,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        first_logp_B_V = output.logits[:, -1].double().log_softmax(-1)
        first_logp_B_O = first_logp_B_V[:, self._inputs_O_L[:, 0]]
        logp_B_O = first_logp_B_O + self._log_prob_after_first(cache, num_points)
        f_B: Tensor = logp_B_O[:, 0]
        if logp_B_O.shape[1] > 1:
            f_B = f_B - logp_B_O[:, 1:].mean(1)
        return f_B

    def _log_prob_after_first(self, cache: DynamicCache, num_points: int) -> Tensor:
        """Return Σ log p of each option's tokens after its first, B × O.

        Padding is on the right, where no token attends to it.
        """
        num_options, longest = self._targets_O_L.shape
        if longest == 1:
            device = self._targets_O_L.device
            return torch.zeros(num_points, num_options, device=device)
        cache.batch_repeat_interleave(num_options)
        inputs_BO_L = self._inputs_O_L[:, :-1].repeat(num_points, 1)
        targets_BO_L = self._targets_O_L[:, 1:].repeat(num_points, 1)
        logits_BO_L_V = self._model(
            input_ids=inputs_BO_L, past_key_values=cache, use_cache=True
        ).logits
        nll_BO_L = functional.cross_entropy(
            logits_BO_L_V.double().transpose(1, 2),
            targets_BO_L,
            ignore_index=IGNORED,
            reduction="none",
        )
        return -nll_BO_L.sum(1).view(num_points, num_options)


class PathIntegral(NamedTuple):
    """The integral, and f at both ends of the path."""

    scores_M: list[float]
    """Signed score of each token of the middle: the sum over its embedding."""
    f_input: float
    f_baseline: float

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite; those of a damaged student are not."""
        values = (*self.scores_M, self.f_input, self.f_baseline)
        return all(map(math.isfinite, values))

    @property
    def completeness_error(self) -> float | None:
        """How far the scores are from adding up to the change of f.

        |Σ scores − (f(x) − f(baseline))| as a share of |f(x) − f(baseline)|; None if f
        is the same at both ends.
        """
        change = self.f_input - self.f_baseline
        return abs(sum(self.scores_M) - change) / abs(change) if change else None


class ConvergedIntegral(NamedTuple):
    """The integral at the steps where doubling ended."""

    integral: PathIntegral
    steps: int
    rank_correlation: float | None
    """Spearman's, of the rationale's tokens with half the steps; None: all scores of one
    side are equal.
    """
    refusal: Refusal | None
    """The bound that it fails; None: it converged."""


def integrate_until_converged(
    student: Student,
    case: AttributionCase,
    steps: int,
    bounds: ConvergenceBounds,
    batch_tokens: int,
) -> ConvergedIntegral:
    """Score the tokens of the middle with more and more steps.

    `steps` double, at least once, until the scores pass `bounds` or would take more
    than its `max_steps`. They end at scores that are not finite, which more steps do not
    mend.
    """
    integral = integrated_gradients(student, case, steps, batch_tokens)
    while True:
        previous, steps = integral, steps * 2
        integral = integrated_gradients(student, case, steps, batch_tokens)
        correlation = _rank_correlation(case, integral, previous)
        refusal = bounds.find_refusal(integral.completeness_error, correlation)
        is_last = steps * 2 > bounds.max_steps or not integral.is_finite
        if refusal is None or is_last:
            return ConvergedIntegral(integral, steps, correlation, refusal)


def _rank_correlation(
    case: AttributionCase, integral: PathIntegral, previous: PathIntegral
) -> float | None:
    """Return Spearman's correlation; None if all scores of one side are equal."""
    in_rationale = [at for at, span in enumerate(case.spans_M) if span is not None]
    scores = [integral.scores_M[at] for at in in_rationale]
    previous_scores = [previous.scores_M[at] for at in in_rationale]
    if len(set(scores)) < 2 or len(set(previous_scores)) < 2:
        return None
    return float(spearmanr(scores, previous_scores).statistic)


def integrated_gradients(
    student: Student, case: AttributionCase, steps: int, batch_tokens: int
) -> PathIntegral:
    """Score the tokens of the middle by the integral of f's gradient along the path.

    `steps` is the number of points of the quadrature (Gauss-Legendre, captum's
    default). At most `batch_tokens` tokens are run at once, or those of one step if it
    has more.
    """
    contrast = ContrastFunction(student.model, case)
    input_1_M_D, baseline_1_M_D = embed_path_ends(student, case)
    points_per_batch = max(1, batch_tokens // case.step_tokens)
    scores_1_M_D = IntegratedGradients(contrast).attribute(
        input_1_M_D,
        baseline_1_M_D,
        n_steps=steps,
        internal_batch_size=points_per_batch,
    )
    with torch.no_grad():
        f_input = float(contrast(input_1_M_D))
        f_baseline = float(contrast(baseline_1_M_D))
    return PathIntegral(scores_1_M_D[0].sum(-1).tolist(), f_input, f_baseline)


def embed_path_ends(student: Student, case: AttributionCase) -> tuple[Tensor, Tensor]:
    """Embed the middle as it is, and with padding for the rationale's tokens.

    Both are 1 × M × D.
    """
    device = student.model.device
    embed = student.model.get_input_embeddings()
    baseline_ids = [
        token if kept else student.pad_id
        for token, kept in zip(case.middle_ids_M, case.kept_M, strict=True)
    ]
    with torch.no_grad():
        input_1_M_D: Tensor = embed(torch.tensor([case.middle_ids_M], device=device))
        baseline_1_M_D: Tensor = embed(torch.tensor([baseline_ids], device=device))
    return input_1_M_D, baseline_1_M_D
