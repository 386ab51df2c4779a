"""Attention in which query heads share keys and values, without a copy for each head.

Transformers' kernel repeats the keys and values for every query head of a group wherever
there is a mask of padding, which a batch of prompts always has. Here the queries of a
group are taken as further positions instead, so that each group reads its keys once.
Computed in the same kernel of torch, to the same values but for rounding.
"""

import torch
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

GROUPED_ATTENTION = "cotbuild_grouped_sdpa"
"""Name under which transformers knows it."""


def use_grouped_attention(model: PreTrainedModel) -> None:
    """Have a model on a CPU compute its attention here, if it uses torch's kernel."""
    config = model.config.get_text_config()
    if model.device.type != "cpu" or config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(GROUPED_ATTENTION, grouped_attention)
    AttentionMaskInterface.register(GROUPED_ATTENTION, sdpa_mask)
    model.set_attn_implementation(GROUPED_ATTENTION)


def grouped_attention(
    module: torch.nn.Module,
    query_B_H_L_D: torch.Tensor,
    key_B_G_T_D: torch.Tensor,
    value_B_G_T_D: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    position_bias: torch.Tensor | None = None,
    **_others: object,
) -> tuple[torch.Tensor, None]:
    """Attend from H heads of L queries to G groups of T keys, of D dimensions each.

    The signature and the result, B × L × H × D, are those of transformers'
    `AttentionInterface`.
    """
    batch, heads, length, size = query_B_H_L_D.shape
    groups = key_B_G_T_D.shape[1]
    per_group = heads // groups
    is_plain = dropout == 0 and position_bias is None
    if (
        per_group == 1
        or not is_plain
        or attention_mask is None
        or attention_mask.shape[1] != 1  # a mask for each head
    ):
        return sdpa_attention_forward(
            module,
            query_B_H_L_D,
            key_B_G_T_D,
            value_B_G_T_D,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
            position_bias=position_bias,
        )
    output = torch.nn.functional.scaled_dot_product_attention(
        query_B_H_L_D.reshape(batch, groups, per_group * length, size),
        key_B_G_T_D,
        value_B_G_T_D,
        attn_mask=attention_mask.repeat(1, 1, per_group, 1),
        scale=scaling,
    )
    output_B_H_L_D = output.reshape(batch, heads, length, -1)
    return output_B_H_L_D.transpose(1, 2).contiguous(), None
