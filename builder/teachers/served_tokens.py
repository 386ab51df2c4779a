"""Counts the prompt tokens of requests with pictures, as a running server counts them."""

import contextlib
import os
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.images import ImageUrl
from cotbuild.builder.teachers.token_estimate import TokenEstimate
from cotbuild.schemas.completion import Request
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.teacher_config import TeacherConfig

MAX_SERVED = 200
"""Requests that a server tokenizes, one after another; a larger plan is extrapolated."""


class TokenCount(NamedTuple):
    """The prompt tokens of the first requests of a plan."""

    num_tokens: int
    num_requests: int

    def estimate(self, total: int) -> TokenEstimate:
        """Return the tokens of `total` requests."""
        if self.num_requests == total:
            return TokenEstimate(self.num_tokens, is_exact=True)
        tokens = self.num_tokens / self.num_requests * total
        return TokenEstimate(tokens, is_exact=False)


async def count_served_tokens(
    config: TeacherConfig, requests: Iterable[Request], image_url: ImageUrl
) -> TokenCount | None:
    """Return the tokens of the first MAX_SERVED prompts, pictures included.

    None if the first endpoint cannot be reached or has no /tokenize of vLLM's form.
    Raises StoreError if a picture cannot be read.
    """
    api_key = os.environ.get("OPENAI_API_KEY")
    client = EndpointClient(
        config.endpoints[0], config.model, api_key=api_key, image_url=image_url
    )
    num_tokens = num_requests = 0
    with contextlib.suppress(TeacherError):
        async with client:
            for request in islice(requests, MAX_SERVED):
                count = await client.count_prompt_tokens(request)
                if count is None:
                    return None
                num_tokens += count
                num_requests += 1
            return TokenCount(num_tokens, num_requests) if num_requests else None
    return None
