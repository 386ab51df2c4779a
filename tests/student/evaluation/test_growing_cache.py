"""A cache with room gives what transformers' own gives, however it grows."""

import pytest
import torch
from transformers import DynamicCache

from cotbuild.student.evaluation.growing_cache import ROOM_TOKENS, make_growing_cache
from tests.support.tiny import FAMILIES, shared_student


@pytest.mark.parametrize("family", FAMILIES)
def test_it_holds_what_the_own_cache_holds(family: str) -> None:
    """Through growing, a selection of rows, and more tokens than there is room for."""
    model = shared_student(family).model
    own, growing = DynamicCache(config=model.config), make_growing_cache(model)
    chance = torch.Generator().manual_seed(0)
    lengths = (7, 1, 1, 3, ROOM_TOKENS + 5, 1)
    rows = torch.tensor([2, 0, 0])
    for step, length in enumerate(lengths):
        if step == 3:
            own.batch_select_indices(rows)
            growing.batch_select_indices(rows)
        states = torch.randn(3, 2, length, 8, generator=chance)
        expected = own.update(states, -states, 0)
        found = growing.update(states, -states, 0)
        assert own.get_seq_length() == growing.get_seq_length()
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)
