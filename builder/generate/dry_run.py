"""What a run would do, without doing it: no server, no lock, nothing written."""

import json
from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.build.directory import read_config, read_manifest
from cotbuild.builder.generate.chains import make_plan, open_requests
from cotbuild.builder.generate.changes import announcement, import_announcement
from cotbuild.builder.generate.jobs import known_answers, prepare
from cotbuild.builder.storage.answer_store import AnswerIndex
from cotbuild.builder.teachers import refuse_recorded, tokenizer_folder
from cotbuild.builder.teachers.http.wire import wire
from cotbuild.builder.teachers.token_estimate import prompt_tokens
from cotbuild.schemas.config import BuildConfig


def dry_run(
    config: BuildConfig, out: Path, *, fresh: bool = False, retry_failed: bool = False
) -> Iterator[str]:
    """The plan as lines: counts, the tokens expected, and the first request as it will
    be sent.
    """
    job = prepare(config, out)
    if config.imported is not None:
        yield from import_announcement(job, read_manifest(out), read_config(out))
        return
    index = AnswerIndex([]) if fresh else job.store.index()
    with known_answers(index, retry=True, retry_failed=retry_failed) as lookup:
        plan = make_plan(job.chains(lookup), config.samples)
        yield from announcement(job, plan, read_manifest(out), read_config(out))
        if plan.first is None:
            yield "nothing to ask: no server would be started"
            return
        refuse_recorded(config.teacher)
        opened = open_requests(job.chains(lookup), plan.repeats)
        requests = (chain.open.request for chain in opened if chain.open)
        prompts = prompt_tokens(
            requests, plan.num_open, plan.open_chars, tokenizer_folder(config.teacher)
        )
    yield f"tokens: {prompts} in prompts, at most {plan.num_open * config.sampling.max_tokens:,} generated"
    if job.asking.may_go_on:
        yield "these are first steps: what they bring decides how many second ones follow"
    yield "the first request, as it will be sent:"
    yield json.dumps(
        wire(plan.first, config.teacher.model), indent=2, ensure_ascii=False
    )
