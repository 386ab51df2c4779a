"""Chains of requests: which request follows which answer. Pure.

The work on one (question, sample_index) is a chain. Its first request asks for a
rationale. From the answers so far `next_step` decides whether another request follows:
the same one with a larger token limit, a constrained choice of the answer, or the
question with its target shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from cotbuild.builder.generate.exemplars import ExemplarPool
from cotbuild.prompts.response_format import (
    CHOOSE_TOKENS,
    answer_format,
    choice_format,
    choice_turns,
)
from cotbuild.prompts.template import Template, render_messages
from cotbuild.schemas.answers.grade import (
    GIVEN_BY_CHOICE,
    GIVEN_TARGET,
    PLAIN_GRADING,
    GradedCompletion,
    GradingRules,
    grade_completion,
    without_given_answer,
)
from cotbuild.schemas.answers.json_answer import read_json_answer
from cotbuild.schemas.answers.reflection import find_evaluation
from cotbuild.schemas.answers.turn import split_think_tags
from cotbuild.schemas.completion import (
    MAX_SEED,
    Answer,
    BodyEdits,
    Completion,
    Failure,
    Request,
    Sampling,
)
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Purpose, Verdict
from cotbuild.schemas.server_profiles import BodyRules

RULES_VERSION = 1
"""Version of `next_step`: a changed rule may make requests that were not made before."""
LONGER_FACTOR = 4
"""Times max_tokens, where a text that was cut is requested once more."""
MISSED_VERDICTS = frozenset({Verdict.INCORRECT, Verdict.NO_ANSWER, Verdict.TRUNCATED})
"""Verdicts after which elicit-then-rationalize asks again with the target shown, as in
STaR (arXiv 2203.14465).
"""


FIRST_PURPOSES = {"rationalize": Purpose.RATIONALIZE, "reflect": Purpose.EVALUATE}
"""The purpose of a chain's first request, in modes where it is not elicit."""


class Step(NamedTuple):
    """One request of a chain, its purpose, and the template it was rendered from."""

    purpose: Purpose
    template: Template
    request: Request


class AnsweredStep(NamedTuple):
    """A step and the teacher's answer to it."""

    step: Step
    answer: Answer


class FinishedChain(NamedTuple):
    """The result of a chain that needs no further request."""

    rationale: AnsweredStep
    """The last request for a rationale; its text holds the rationale."""
    choice: AnsweredStep | None
    """The constrained choice of the answer that followed it, if any."""

    @property
    def failure(self) -> Failure | None:
        """The failure that ended the chain, if any."""
        last = self.choice or self.rationale
        return last.answer if isinstance(last.answer, Failure) else None


class Chain(NamedTuple):
    """One (question, sample_index): the steps answered so far, and what follows."""

    question: Question
    sample_index: int
    answered: tuple[AnsweredStep, ...]
    next: Step | FinishedChain

    @property
    def open_step(self) -> Step | None:
        """The step to request next; None where the chain is finished."""
        return self.next if isinstance(self.next, Step) else None

    @property
    def finished(self) -> FinishedChain | None:
        """The result; None while a step is open."""
        return self.next if isinstance(self.next, FinishedChain) else None


@dataclass(frozen=True)
class ChainRules:
    """All that decides the requests of a build besides its questions and answers."""

    config: BuildConfig
    teacher: str
    """Identity of the teacher."""
    templates: Mapping[Purpose, Mapping[QuestionKind, Template]]
    """The templates of each purpose that the mode needs."""
    pool: ExemplarPool | None = None
    """Exemplars drawn from a split; None: those of the templates."""
    grading: GradingRules = PLAIN_GRADING
    """Optional rules and metrics of grading, opened for use."""

    @property
    def ref(self) -> str:
        """Name and version of the rules, such as `rationalize+json+longer@1`."""
        parts: list[str] = [self.config.mode]
        if self.config.decode != "free":
            parts.append(self.config.decode)
        if self.config.on_length == "longer":
            parts.append("longer")
        return f"{'+'.join(parts)}@{RULES_VERSION}"

    @property
    def allow_follow_ups(self) -> bool:
        """Whether a chain may have more than one request."""
        return (
            self.config.decode == "choice"
            or self.config.on_length == "longer"
            or self.config.mode == "elicit-then-rationalize"
        )

    @cached_property
    def body(self) -> BodyRules:
        """What the bodies of requests leave out, rename and add."""
        return self.config.body_rules

    @property
    def first_edits(self) -> BodyEdits | None:
        """What the body of a chain's first request leaves out, renames and adds."""
        sampling = self.config.sampling
        return self.body.edits_for(
            sampling,
            has_seed=sampling.temperature > 0,
            has_response_format=self.config.decode == "json",
        )

    @property
    def longer_tokens(self) -> int:
        """The token limit for a text that was cut."""
        default = LONGER_FACTOR * self.config.sampling.max_tokens
        return self.config.longer_tokens or default

    @property
    def choice_tokens(self) -> int:
        """The token limit of a constrained choice."""
        return self.config.choice_tokens or CHOOSE_TOKENS

    def template(self, purpose: Purpose, question: Question) -> Template:
        """Return the template for a question, with its exemplars filled in.

        Raises ConfigError where it takes none or there are too few.
        """
        template = self.templates[purpose][question.kind]
        return template if self.pool is None else self.pool.fill(template, question)


# -- the rules -------------------------------------------------------------------------


def next_step(
    rules: ChainRules,
    question: Question,
    sample_index: int,
    answered: Sequence[AnsweredStep],
) -> Step | FinishedChain:
    """Decide what follows the steps answered so far.

    A failure ends the chain. Raises DataError where the target is to be shown and the
    question has none, ConfigError where its template cannot take the exemplars.
    """
    if not answered:
        purpose = FIRST_PURPOSES.get(rules.config.mode, Purpose.ELICIT)
        return _rationale_step(rules, purpose, question, sample_index)
    last = answered[-1]
    if last.step.purpose is Purpose.CHOOSE:
        finished = FinishedChain(rationale=answered[-2], choice=last)
    else:
        finished = FinishedChain(rationale=last, choice=None)
    if finished.failure is not None:
        return finished
    if follow_up := _follow_up(rules, question, last):
        return follow_up
    if _shows_target_next(rules, question, finished):
        return _rationale_step(rules, Purpose.RATIONALIZE, question, sample_index)
    return finished


def _follow_up(
    rules: ChainRules, question: Question, last: AnsweredStep
) -> Step | None:
    """The step that completes the last rationale: a longer text, or the choice."""
    step, answer = last
    if step.purpose is Purpose.CHOOSE or isinstance(answer, Failure):
        return None
    longer_allowed = rules.config.on_length == "longer" and (
        step.request.sampling == rules.config.sampling
    )
    if longer_allowed and answer.finish_reason == "length":
        return _longer_step(rules, step)
    if rules.config.decode == "choice" and not step.template.gives_target:
        return _choice_step(rules, question, step, answer)
    return None


def _shows_target_next(
    rules: ChainRules, question: Question, finished: FinishedChain
) -> bool:
    """Whether the question is asked again, this time with its target shown."""
    if rules.config.mode != "elicit-then-rationalize":
        return False
    if finished.rationale.step.purpose is not Purpose.ELICIT:
        return False
    graded = grade_chain(question, finished, rules.grading, flags=False)
    return graded.verdict in MISSED_VERDICTS


def _rationale_step(
    rules: ChainRules, purpose: Purpose, question: Question, sample_index: int
) -> Step:
    template = rules.template(purpose, question)
    sampling = rules.config.sampling
    seed = None
    if sampling.temperature > 0:
        seed = request_seed(rules.config.seed, question.id, sample_index)
        seed &= rules.body.max_seed
    response_format = None
    if template.reply == "json":
        answer_first = template.answer == "first"
        response_format = answer_format(question, answer_first=answer_first)
    request = Request(
        messages=render_messages(template, question),
        teacher=rules.teacher,
        sampling=sampling,
        seed=seed,
        response_format=response_format,
        edits=_edits(rules, sampling, seed, response_format),
        continue_final_message=template.reply_start is not None,
    )
    return Step(purpose, template, request)


def _longer_step(rules: ChainRules, step: Step) -> Step:
    longer = {"max_tokens": rules.longer_tokens}
    sampling = rules.config.sampling.model_copy(update=longer)
    return step._replace(request=step.request.model_copy(update={"sampling": sampling}))


def _choice_step(
    rules: ChainRules, question: Question, step: Step, completion: Completion
) -> Step:
    shown_text = split_think_tags(completion.text).own_text
    messages = step.request.messages
    if step.template.reply_start is not None:
        # The teacher continued its last turn, so both are one.
        shown_text = messages[-1].text + shown_text
        messages = messages[:-1]
    turns = choice_turns(question, shown_text.strip())
    sampling = Sampling(temperature=0, max_tokens=rules.choice_tokens)
    response_format = choice_format(question)
    request = Request(
        messages=(*messages, *turns),
        teacher=rules.teacher,
        sampling=sampling,
        seed=None,
        response_format=response_format,
        edits=_edits(rules, sampling, None, response_format),
    )
    return Step(Purpose.CHOOSE, step.template, request)


def _edits(
    rules: ChainRules, sampling: Sampling, seed: int | None, response_format: object
) -> BodyEdits | None:
    """Return what the server of the build is to receive otherwise than as it is."""
    return rules.body.edits_for(
        sampling,
        has_seed=seed is not None,
        has_response_format=response_format is not None,
    )


def request_seed(build_seed: int, question_id: str, sample_index: int) -> int:
    """Return the seed of a request, in 0 … 2^53 - 1.

    It is the same on any platform and in any order of the questions.
    """
    seed = digest("seed/1", [build_seed, question_id, sample_index])
    return int(seed[:16], 16) & MAX_SEED


def grade_chain(
    question: Question,
    finished: FinishedChain,
    grading: GradingRules,
    *,
    flags: bool = True,
) -> GradedCompletion:
    """Extract and grade the answer of a finished chain.

    A chain that failed is unscored, whatever text it holds. Without `flags` those of
    the rationale's wording are left out; they cost as much as all the rest.
    """
    step, completion = finished.rationale
    if isinstance(completion, Failure):
        return _unscored(reasoning=None)
    chosen, choice_is_cut = None, False
    if finished.choice is not None:
        choice = finished.choice.answer
        if isinstance(choice, Failure):
            # With the reasoning a published row shows how far the chain went.
            return _unscored(completion.reasoning)
        chosen = read_json_answer(choice.text, question)
        choice_is_cut = choice.finish_reason == "length"
    given, given_by = chosen, GIVEN_BY_CHOICE
    if step.template.gives_target:
        given, given_by = question.target, GIVEN_TARGET
    text = completion.text
    if step.purpose is Purpose.EVALUATE:
        text = find_evaluation(text).text
    graded = grade_completion(
        question,
        text,
        reasoning=completion.reasoning,
        finish_reason=completion.finish_reason,
        answer_first=step.template.answer == "first",
        as_json=step.template.reply == "json",
        given=given,
        given_by=given_by,
        grading=grading,
        heads=step.template.line_heads_of(question),
        answer_head=step.template.answer_head,
        flags=flags,
    )
    if finished.choice is None or chosen is not None:
        return graded
    return without_given_answer(graded, GIVEN_BY_CHOICE, question, is_cut=choice_is_cut)


def _unscored(reasoning: str | None) -> GradedCompletion:
    return GradedCompletion(
        rationale="",
        answer=None,
        reasoning=reasoning,
        verdict=Verdict.UNSCORED,
        flags=(),
    )
