"""How many tokens the prompts of a plan have, for a dry run."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.generate.plan import RequestPlan
from cotbuild.builder.media import MediaStore
from cotbuild.builder.teachers import tokenizer_folder
from cotbuild.builder.teachers.http.images import read_data_uri
from cotbuild.builder.teachers.token_estimate import (
    TokenEstimate,
    estimate_prompt_tokens,
)
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.completion import Request
from cotbuild.schemas.teacher_config import TeacherConfig


class PlanTokens(NamedTuple):
    """The prompt tokens of a plan's open requests."""

    estimate: TokenEstimate
    uncounted: str = ""
    """What is not in them, such as `3 pictures`; empty if all is."""

    def describe(self) -> str:
        """Return the number as text."""
        text = self.estimate.describe()
        if not self.uncounted:
            return text
        return f"{text} of text, without those of {self.uncounted},"


def count_plan_tokens(
    plan: RequestPlan,
    open_requests: Callable[[], Iterator[Request]],
    teacher: TeacherConfig,
    media: MediaStore,
) -> PlanTokens:
    """Return the number of prompt tokens of a plan's open requests.

    Those of pictures are counted by the server at the first endpoint, or not at all
    without one. Raises StoreError if a picture cannot be read.
    """
    if plan.open_images and teacher.endpoints:
        # Imported when needed: aiohttp takes a quarter of a second.
        from cotbuild.builder.teachers.served_tokens import count_served_tokens

        requests, image_url = open_requests(), read_data_uri(media)
        count = run_async(count_served_tokens(teacher, requests, image_url))
        if count is not None:
            return PlanTokens(count.estimate(plan.num_open))
    estimate = estimate_prompt_tokens(
        open_requests(), plan.num_open, plan.open_chars, tokenizer_folder(teacher)
    )
    pictures = pluralize(plan.open_images, "picture") if plan.open_images else ""
    return PlanTokens(estimate, pictures)
