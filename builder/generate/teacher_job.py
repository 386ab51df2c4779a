"""Builds whose rationales are requested from a teacher."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.generate.ask import OnStep, ask_all
from cotbuild.builder.generate.attempts import Attempts, open_attempts
from cotbuild.builder.generate.chains import (
    Chain,
    ChainRules,
    grade_chain,
)
from cotbuild.builder.generate.exemplars import draw_exemplars
from cotbuild.builder.generate.follow import (
    AnswerLookup,
    follow_attempts,
    follow_chains,
)
from cotbuild.builder.generate.grading import open_grading
from cotbuild.builder.generate.jobs import (
    BuildRows,
    Job,
    open_media,
    resolve_eval_splits,
    split_checksums,
)
from cotbuild.builder.generate.plan import (
    RequestPlan,
    describe_edits,
    describe_token_limit,
    make_plan,
    open_chains,
    plan_lines,
    read_previous,
    replacement_lines,
)
from cotbuild.builder.generate.prompt_tokens import describe_tokens
from cotbuild.builder.generate.rows import to_rationale
from cotbuild.builder.generate.shown_inputs import (
    check_needed_inputs,
    describe_hidden_inputs,
)
from cotbuild.builder.sources import open_source
from cotbuild.builder.sources.pictures import open_loader
from cotbuild.builder.storage.answer_store import AnswerIndex, AnswerStore
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.storage.keys import key_bytes
from cotbuild.builder.teachers import (
    open_teacher,
    refuse_published_key,
    refuse_recorded,
    refuse_text_model,
    teacher_identity,
)
from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.teachers.early_stop import EarlyStop
from cotbuild.builder.teachers.http.images import shorten_data_uri
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.builder.teachers.vllm.embedded import MODEL as EMBEDDED_MODEL
from cotbuild.builder.ui import ChainProgress, Ui
from cotbuild.prompts.defaults import (
    load_templates,
)
from cotbuild.prompts.template import (
    Template,
    load_template,
)
from cotbuild.schemas.answers.grade import GradingRules
from cotbuild.schemas.attempts import ATTEMPT
from cotbuild.schemas.completion import Answer, Completion, Request
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Purpose, Rationale

PURPOSES = {
    "elicit": (Purpose.ELICIT,),
    "rationalize": (Purpose.RATIONALIZE,),
    "elicit-then-rationalize": (Purpose.ELICIT, Purpose.RATIONALIZE),
    "reflect": (Purpose.EVALUATE,),
}
"""The purposes of each mode that need a template."""

_DOES = {
    Purpose.ELICIT: "hides the target",
    Purpose.RATIONALIZE: "shows the target",
    Purpose.EVALUATE: "asks to evaluate an attempt",
}

Templates = dict[Purpose, dict[QuestionKind, Template]]


def teacher_title(dataset: str, model: str) -> str:
    """Return the title of a build, in which a folder goes by the last part of its path."""
    last_part = model.rstrip("/").rsplit("/", 1)[-1]
    teacher = EMBEDDED_MODEL if model == "embedded" else last_part
    return f"{dataset}: rationales by {teacher}"


@dataclass(frozen=True)
class TeacherJob(Job):
    """A job whose rationales are requested from a teacher."""

    templates: Templates
    attempts: Attempts | None = None
    """What the teacher evaluates, in mode reflect."""

    @property
    def title(self) -> str:
        return teacher_title(self.source.dataset, self.config.teacher.model)

    def input_parts(self) -> dict[str, Any]:
        templates = [
            [purpose.value, template.ref, template.fingerprint]
            for purpose, by_kind in self.templates.items()
            for template in by_kind.values()
        ]
        body = self.config.teacher.body_settings
        parts: dict[str, Any] = {"templates": templates}
        if body:
            parts["body"] = body
        if self.attempts is not None:
            parts["attempts"] = [file.checksum for file in self.attempts.files]
        return parts

    def template_fingerprints(self) -> dict[str, str]:
        return {one.ref: one.fingerprint for one in self._all_templates()}

    def read_rules(self) -> ChainRules:
        """Return the rules of the chains; reads the split that exemplars come from.

        Raises ConfigError if a template shows an input that no question has.
        """
        check_needed_inputs(
            self._all_templates(), self._input_names(), self.source.dataset
        )
        exemplars = self.config.exemplars
        pool = None
        if exemplars is not None:
            pool = draw_exemplars(
                exemplars, self.source.read_with_rationales(exemplars.split)
            )
        return ChainRules(self.config, self.teacher, self.templates, pool, self.grading)

    def _all_templates(self) -> Iterator[Template]:
        for by_kind in self.templates.values():
            yield from by_kind.values()

    def _input_names(self) -> tuple[str, ...]:
        """Return the inputs that the questions may have, an attempt among them."""
        names = self.source.input_names(self.source.split)
        return names if self.attempts is None else (*names, ATTEMPT)

    def chains(self, rules: ChainRules, lookup: AnswerLookup) -> Iterator[Chain]:
        """Yield every chain in plan order, as far as `lookup` has answers."""
        questions = self.source.read(self.source.split)
        if self.attempts is None:
            return follow_chains(rules, questions, lookup)
        return follow_attempts(rules, self.attempts.attach(questions), lookup)

    def collect_rows(self, ui: Ui, *, retry_failed: bool) -> BuildRows:
        rules, index, num_requests = self.read_rules(), self.store.read_index(), 0
        with known_answers(index, retry=True, retry_failed=retry_failed) as lookup:
            plan = make_plan(self.chains(rules, lookup))
            for line in self._announce(plan, rules, lookup):
                ui.say(line)
            if plan.num_open:
                num_requests = run_async(self._make_requests(rules, plan, lookup, ui))
        if num_requests:
            index = self.store.read_index()
        return BuildRows(
            self._rationales(rules, index),
            plan.num_chains,
            mode=rules.ref,
            templates=self.templates,
            sampling=self.config.sampling,
            samples=self.config.samples,
            seed_bits=rules.body.seed_bits,
            edits=rules.first_edits,
            num_requests=num_requests,
            attempts=None if self.attempts is None else self.attempts.entry(),
            answers=index,
        )

    def preview(self, *, fresh: bool, retry_failed: bool) -> Iterator[str]:
        rules = self.read_rules()
        index = AnswerIndex([]) if fresh else self.store.read_index()
        with known_answers(index, retry=True, retry_failed=retry_failed) as lookup:
            plan = make_plan(self.chains(rules, lookup))
            yield from self._announce(plan, rules, lookup)
            if plan.first is None:
                yield "no open requests: no server would be started"
                return
            refuse_recorded(self.config.teacher)
            if plan.max_images:
                refuse_text_model(self.config.teacher)

            def open_requests() -> Iterator[Request]:
                for chain in open_chains(self.chains(rules, lookup), plan.repeats):
                    if chain.open_step is not None:
                        yield chain.open_step.request

            prompts = describe_tokens(
                plan, open_requests, self.config.teacher, self.media
            )
        yield f"tokens: {prompts} in prompts, {describe_token_limit(plan)} generated"
        if rules.allow_follow_ups:
            yield "counts first requests only; follow-ups depend on the answers"
        yield "the first request, as it will be sent:"
        body = build_request_body(
            plan.first, self.config.teacher.model, shorten_data_uri
        )
        yield from json.dumps(body, indent=2, ensure_ascii=False).split("\n")

    def _announce(
        self, plan: RequestPlan, rules: ChainRules, lookup: AnswerLookup
    ) -> Iterator[str]:
        yield from self.source_lines()
        names = self.source.input_names(self.source.split)
        yield from describe_hidden_inputs(self._all_templates(), names)
        yield from plan_lines(plan, self.config.samples)
        if plan.first is not None and plan.first.edits is not None:
            yield f"{self.config.teacher.model}: {describe_edits(plan.first.edits)}"
        yield from replacement_lines(
            self, read_previous(self.out), lambda: self._known_rows(rules, lookup)
        )

    def _known_rows(
        self, rules: ChainRules, lookup: AnswerLookup
    ) -> Iterator[Rationale]:
        """Yield the rows of the chains that need no further request."""
        for chain in self.chains(rules, lookup):
            if chain.finished is not None:
                yield to_rationale(chain, rules.grading)

    async def _make_requests(
        self, rules: ChainRules, plan: RequestPlan, lookup: AnswerLookup, ui: Ui
    ) -> int:
        """Make every open request and its follow-ups; return how many were made."""
        num_requests = 0
        early_stop = EarlyStop(plan.num_chains - plan.num_open_chains)
        async with open_teacher(
            self.config.teacher,
            self.teacher,
            self.store.root,
            ui.say,
            media=self.media,
            max_images=plan.max_images,
        ) as teacher:
            longest = plan.longest
            warning = await teacher.check(longest) if longest is not None else None
            if warning:
                ui.say(f"question {plan.longest_id!r}: {warning}")
            with (
                self.store.create_journal({"teacher": teacher.provenance()}) as journal,
                ui.asking(plan.num_open) as show,
            ):

                def on_step(chain: Chain, answer: Answer | None) -> None:
                    nonlocal num_requests
                    show(chain_progress(chain, answer, rules.grading))
                    if answer is not None:
                        num_requests += 1
                        early_stop.record(answer)

                chains = open_chains(self.chains(rules, lookup), plan.repeats)
                await ask_all(teacher, rules, chains, lookup, journal, on_step)
                if plan.repeats:
                    await self._continue_repeats(teacher, rules, journal, on_step)
                journal.finish()
        return num_requests

    async def _continue_repeats(
        self, teacher: Teacher, rules: ChainRules, journal: Journal, on_step: OnStep
    ) -> None:
        """Continue the chains that were left out as repeats of another.

        Two questions that differ in their target alone share the first request of
        their chains. One of the chains was left out, and goes on from the answer that
        the other one received.
        """
        while True:
            with known_answers(self.store.read_index(), retry=False) as lookup:
                plan = make_plan(self.chains(rules, lookup))
                if not plan.num_open:
                    return
                chains = open_chains(self.chains(rules, lookup), plan.repeats)
                await ask_all(teacher, rules, chains, lookup, journal, on_step)

    def _rationales(self, rules: ChainRules, index: AnswerIndex) -> Iterator[Rationale]:
        with known_answers(index, retry=False) as lookup:
            for chain in self.chains(rules, lookup):
                if chain.finished is None:
                    raise DataError(
                        f"{self.source.dataset}: question {chain.question.id!r} has no "
                        "answer: the source changed during the run. Run the same "
                        "command again."
                    )
                yield to_rationale(chain, rules.grading)


def resolve_teacher_job(
    config: BuildConfig, out: Path, *, preview: bool = False
) -> TeacherJob:
    """Return the job of a configuration whose rationales a teacher writes.

    Of a `preview` the pictures are not written. Makes no request for a completion, but
    may look up a Hub id or an endpoint that is new to `out`. Raises ConfigError,
    DataError or TeacherError.
    """
    refuse_published_key(config.teacher)
    store = AnswerStore(out)
    media = open_media(config, out, preview=preview)
    loader = open_loader(config.source, media, store.root)
    source = open_source(config.source, store.root, loader)
    eval_splits = resolve_eval_splits(config, source)
    grading = open_grading(config.grading)
    attempts = None
    if config.attempts is not None:
        attempts = open_attempts(config.attempts, source, grading)
    return TeacherJob(
        config=config,
        out=out,
        source=source,
        store=store,
        teacher=teacher_identity(config.teacher, store.root),
        eval_splits=eval_splits,
        checksums=split_checksums(config, source, eval_splits),
        grading=grading,
        templates=load_purpose_templates(config, source.declared_inputs()),
        media=media,
        attempts=attempts,
    )


def load_purpose_templates(
    config: BuildConfig, inputs: Collection[str] = ()
) -> Templates:
    """Return the templates of each purpose that the mode needs.

    Where none is named, they are ones that show `inputs`. Raises
    ConfigError where a named template is for none of them.
    """
    purposes = PURPOSES[config.mode]
    for template in map(load_template, config.templates):
        if template.purpose not in purposes:
            raise ConfigError(
                f"template {template.ref} {_DOES[template.purpose]}, which --mode "
                f"{config.mode} does not use. `cotbuild prompts` lists the others."
            )
    templates: Templates = {}
    for purpose in purposes:
        by_kind = load_templates(
            config.templates,
            config.system,
            purpose=purpose,
            inputs=inputs,
        )
        if config.decode == "json":
            # A reply that continues the reference is no JSON.
            by_kind = {
                kind: template.replace(reply="json")
                if template.reply_start is None
                else template
                for kind, template in by_kind.items()
            }
        templates[purpose] = by_kind
    return templates


@contextmanager
def known_answers(
    index: AnswerIndex, *, retry: bool, retry_failed: bool = False
) -> Iterator[AnswerLookup]:
    """Give a lookup of stored answers by request_key.

    `retry`: failures that may pass count as unanswered; `retry_failed`: all failures.
    """
    with index.open_reader() as reader:

        def lookup(request_key: str) -> Answer | None:
            place = index.find(key_bytes(request_key))
            if place is None:
                return None
            if retry and index.is_retryable(place):
                return None
            if retry_failed and index.is_failure(place):
                return None
            return reader.read(place)

        yield lookup


def chain_progress(
    chain: Chain, answer: Answer | None, grading: GradingRules
) -> ChainProgress:
    """Return what a step adds to the progress of the run.

    `answer`: the teacher's answer to the step; None where it was stored already. A
    finished chain is graded here a first time, for the counts that are shown.
    """
    tokens = answer.completion_tokens if isinstance(answer, Completion) else None
    verdict = None
    if chain.finished is not None:
        graded = grade_chain(chain.question, chain.finished, grading, flags=False)
        verdict = graded.verdict
    return ChainProgress(tokens or 0, verdict)
