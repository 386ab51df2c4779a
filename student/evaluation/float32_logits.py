"""Logits in float32 of a student whose weights have a lower precision.

A logit of bfloat16 has steps of 1/16 from 8 to 16 and of 1/8 from 16 to 32, in natural
logarithms: options of nearly the same score could have an equal one, and the first would
be chosen. The weights and activations are rounded all the same; measured, that is most of
the difference from float32 (`tests/bench/evaluate_precision.py`).
"""

import contextlib
from collections.abc import Iterator

import torch
from transformers import PreTrainedModel


@contextlib.contextmanager
def float32_logits(model: PreTrainedModel) -> Iterator[None]:
    """Compute the logits of the passes inside in float32, from the last hidden states.

    These keep the model's precision. A model in float32 stays as it is, as does one
    whose head is no plain linear layer.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype == torch.float32:
        yield
        return
    weight_V_D = head.weight.float()
    bias_V = None if head.bias is None else head.bias.float()

    def compute_again(
        _head: torch.nn.Module, inputs: tuple[torch.Tensor], _output: torch.Tensor
    ) -> torch.Tensor:
        return torch.nn.functional.linear(inputs[0].float(), weight_V_D, bias_V)

    handle = head.register_forward_hook(compute_again)
    try:
        yield
    finally:
        handle.remove()
