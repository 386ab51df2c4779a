"""How many tokens the prompts of a plan have, for a dry run."""

from collections.abc import Callable, Iterator

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.generate.plan import RequestPlan
from cotbuild.builder.media import MediaStore
from cotbuild.builder.teachers import tokenizer_folder
from cotbuild.builder.teachers.http.images import read_data_uri
from cotbuild.builder.teachers.token_estimate import describe_prompt_tokens
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.completion import Request
from cotbuild.schemas.teacher_config import TeacherConfig


def describe_tokens(
    plan: RequestPlan,
    open_requests: Callable[[], Iterator[Request]],
    teacher: TeacherConfig,
    media: MediaStore,
) -> str:
    """Return the number of prompt tokens of a plan's open requests as text.

    Those of pictures are counted by the server at the first endpoint; without one the
    text says that they are not counted. Raises StoreError if a picture cannot be read.
    """
    if plan.open_images and teacher.endpoints:
        # Imported when needed: aiohttp takes a quarter of a second.
        from cotbuild.builder.teachers.served_tokens import count_served_tokens

        requests, image_url = open_requests(), read_data_uri(media)
        count = run_async(count_served_tokens(teacher, requests, image_url))
        if count is not None:
            return count.describe(plan.num_open)
    text = describe_prompt_tokens(
        open_requests(), plan.num_open, plan.open_chars, tokenizer_folder(teacher)
    )
    if not plan.open_images:
        return text
    pictures = pluralize(plan.open_images, "picture")
    return f"{text} of text, without those of {pictures},"
