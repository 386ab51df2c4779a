"""A cache of keys and values with room at its end, so that a new token copies nothing.

Transformers' own cache is copied whole for each token that is decoded.
"""

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

ROOM_TOKENS = 16
"""Tokens for which room is made whenever it is used up."""


def make_growing_cache(model: PreTrainedModel) -> DynamicCache:
    """Return an empty cache for a model.

    Layers of another kind, such as those that look back over a window, are transformers'
    own.
    """
    cache = DynamicCache(config=model.config)
    cache.layers = [
        _GrowingLayer() if type(layer) is DynamicLayer else layer
        for layer in cache.layers
    ]
    return cache


class _GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values of a layer, B × heads × tokens × dimensions: the first tokens of
    larger tensors.

    Room is made by the second update after the prompts, which only decoding has: options
    are appended in one, and room would more than double the memory that they take.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rooms: tuple[torch.Tensor, torch.Tensor] | None = None
        self._num_updates = 0

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *args: object,
        **kwargs: object,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values of new tokens, and return all."""
        self._num_updates += 1
        keys, values = self.keys, self.values
        if self._num_updates <= 2 or keys is None or values is None:
            all_states: tuple[torch.Tensor, torch.Tensor] = super().update(
                key_states, value_states, *args, **kwargs
            )
            return all_states
        start = keys.shape[2]
        end = start + key_states.shape[2]
        if self._rooms is None or self._rooms[0].shape[2] < end:
            self._rooms = _with_room(keys, end), _with_room(values, end)
        key_room, value_room = self._rooms
        key_room[:, :, start:end] = key_states
        value_room[:, :, start:end] = value_states
        self.keys, self.values = key_room[:, :, :end], value_room[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows of these indices, in tensors of their own."""
        super().batch_select_indices(indices)
        self._rooms, self._num_updates = None, 1


def _with_room(states: torch.Tensor, tokens: int) -> torch.Tensor:
    """Return a tensor that begins with `states` and holds more than `tokens` tokens."""
    batch, heads, length, size = states.shape
    room = states.new_empty(batch, heads, tokens + ROOM_TOKENS, size)
    room[:, :, :length] = states
    return room
