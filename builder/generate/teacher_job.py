"""Builds whose rationales are requested from a teacher."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotbuild.builder.generate.accounts import expected_lines
from cotbuild.builder.generate.asking import AskedTeacher, Asking
from cotbuild.builder.generate.attempts import (
    AttemptedQuestion,
    Attempts,
    open_attempts,
)
from cotbuild.builder.generate.budget import NO_LIMITS, RunLimits, make_account
from cotbuild.builder.generate.chains import (
    Chain,
    ChainRules,
)
from cotbuild.builder.generate.derivation import (
    ROWS_PER_BATCH,
    BatchItem,
    DeriveItems,
    UnderivedRows,
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
from cotbuild.builder.generate.known_answers import known_answers
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
from cotbuild.builder.generate.prompt_tokens import count_plan_tokens
from cotbuild.builder.generate.rows import to_rationale
from cotbuild.builder.generate.shown_inputs import (
    check_needed_inputs,
    describe_hidden_inputs,
)
from cotbuild.builder.generate.worker_options import (
    WorkersOptions,
    board_blobs,
    board_folder,
)
from cotbuild.builder.sources import open_source
from cotbuild.builder.sources.pictures import open_loader
from cotbuild.builder.storage.answer_store import AnswerIndex, AnswerStore
from cotbuild.builder.storage.usage import read_usage
from cotbuild.builder.teachers import (
    refuse_published_key,
    refuse_recorded,
    refuse_text_model,
    teacher_identity,
)
from cotbuild.builder.teachers.http.images import shorten_data_uri
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.builder.teachers.vllm.embedded import MODEL as EMBEDDED_MODEL
from cotbuild.builder.teachers.vllm.prepare import plan_lines as server_lines
from cotbuild.builder.ui import Ui
from cotbuild.prompts.defaults import (
    load_templates,
)
from cotbuild.prompts.template import (
    Template,
    load_template,
)
from cotbuild.schemas.answers.grade import PLAIN_GRADING
from cotbuild.schemas.attempts import ATTEMPT
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.completion import Request
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.grading import GradingConfig
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Purpose, Rationale

if TYPE_CHECKING:
    from cotbuild.builder.generate.workers.driver import WorkersDriver

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
class AnswerDerivation:
    """Derives rows from stored answers; an item's detail is the number of its attempt."""

    rules: ChainRules
    grading: GradingConfig
    index: AnswerIndex
    dataset: str

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the open rules of grading, which are opened anew."""
        return self.__dict__ | {"rules": replace(self.rules, grading=PLAIN_GRADING)}

    @contextmanager
    def open(self) -> Iterator[DeriveItems]:
        """Open the journals and the rules of grading."""
        rules = replace(self.rules, grading=open_grading(self.grading))
        with known_answers(self.index, retry=False) as lookup:
            yield partial(self._derive, rules, lookup)

    def _derive(
        self, rules: ChainRules, lookup: AnswerLookup, items: Sequence[BatchItem]
    ) -> Iterator[Rationale]:
        attempted = (AttemptedQuestion(*item) for item in items)
        for chain in follow_attempts(rules, attempted, lookup):
            if chain.finished is None:
                raise DataError(
                    f"{self.dataset}: question {chain.question.id!r} has no answer: "
                    "the source changed during the run. Run the same command again."
                )
            yield to_rationale(chain, rules.grading)


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

    def collect_rows(
        self,
        ui: Ui,
        *,
        retry_failed: bool,
        limits: RunLimits = NO_LIMITS,
        workers: WorkersOptions | None = None,
    ) -> BuildRows:
        if workers is None and board_folder(self.out).is_dir():
            # Here, since most builds never had a worker.
            from cotbuild.builder.generate.workers.board import Board
            from cotbuild.builder.generate.workers.driver import refuse_workers

            refuse_workers(Board(board_blobs(self.out)), str(self.out))
        rules, index = self.read_rules(), self.store.read_index()
        with known_answers(index, retry=True, retry_failed=retry_failed) as lookup:
            plan = make_plan(self.chains(rules, lookup), hold=workers is None)
            for line in self._announce(plan, rules, lookup):
                ui.say(line)
            asking = self._asking(
                rules, plan, limits, workers, ui, may_continue=not retry_failed
            )
            num_requests = asking.run(lookup)
        if num_requests or workers is not None:
            index = self.store.read_index()
        return BuildRows(
            self._underived(rules, index),
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
            account=asking.account,
        )

    def _asking(
        self,
        rules: ChainRules,
        plan: RequestPlan,
        limits: RunLimits,
        workers: WorkersOptions | None,
        ui: Ui,
        *,
        may_continue: bool,
    ) -> "Asking | WorkersDriver":
        teacher = AskedTeacher(
            self.config.teacher, self.teacher, self.store, self.media
        )

        def chains(known: AnswerLookup) -> Iterator[Chain]:
            return self.chains(rules, known)

        if workers is None:
            return Asking(teacher, rules, chains, plan, limits, ui)
        from cotbuild.builder.generate.workers.driver import WorkersDriver

        return WorkersDriver(
            teacher,
            rules,
            chains,
            plan,
            inputs=self.digest_inputs(),
            attempts=None if self.attempts is None else self.attempts.entry(),
            may_continue=may_continue,
            limits=limits,
            options=workers,
            ui=ui,
        )

    def preview(
        self,
        *,
        fresh: bool,
        retry_failed: bool,
        budget: Budget,
        workers: WorkersOptions | None = None,
    ) -> Iterator[str]:
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
            yield from server_lines(self.config.teacher, self.teacher)

            def open_requests() -> Iterator[Request]:
                for chain in open_chains(self.chains(rules, lookup), plan.repeats):
                    if chain.open_step is not None:
                        yield chain.open_step.request

            tokens = count_plan_tokens(
                plan, open_requests, self.config.teacher, self.media
            )
        in_prompts, generated = tokens.describe(), describe_token_limit(plan)
        yield f"tokens: {in_prompts} in prompts, {generated} generated"
        spent = make_account(
            read_usage(self.store.all_journals), budget.prices, plan.reused
        )
        yield from expected_lines(plan, tokens, spent, budget)
        if rules.allow_follow_ups:
            yield "counts first requests only; follow-ups depend on the answers"
        if workers is not None:
            from cotbuild.builder.generate.workers.driver import describe_units

            yield describe_units(plan.num_open, workers.number)
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

    def _underived(self, rules: ChainRules, index: AnswerIndex) -> UnderivedRows:
        questions = self.source.read(self.source.split)
        if self.attempts is None:
            items = (BatchItem(question, 0) for question in questions)
        else:
            items = (
                BatchItem(question, number)
                for question, number in self.attempts.attach(questions)
            )
        return UnderivedRows(
            AnswerDerivation(rules, self.config.grading, index, self.source.dataset),
            items,
            max(1, ROWS_PER_BATCH // self.config.samples),
        )


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
