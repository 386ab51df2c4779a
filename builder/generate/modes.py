"""Ways of asking: the target hidden, shown, or shown where that went wrong; in free
text, in JSON, held to choices.

The rule that decides the next request is versioned in `Asking.ref`: a changed rule may
ask what was not asked before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from cotbuild.builder.generate.chains import Ending, Script, Step
from cotbuild.builder.generate.exemplars import ExemplarPool
from cotbuild.prompts.render import render
from cotbuild.prompts.response_format import (
    CHOOSE_TOKENS,
    answer_format,
    choice_format,
    choose_turns,
)
from cotbuild.prompts.template import Template
from cotbuild.schemas.answers.grade import GradedCompletion, grade_completion
from cotbuild.schemas.answers.json_answer import read_json_answer
from cotbuild.schemas.answers.statements import split_reasoning
from cotbuild.schemas.completion import MAX_SEED, Completion, Request, Sampling
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Purpose, Verdict

Templates = Mapping[QuestionKind, Template]
RULE = 1
"""Version of the rules below."""
LONGER = 4
"""Times max_tokens, for a text asked for once more because it was cut."""
MISSED = frozenset({Verdict.INCORRECT, Verdict.NO_ANSWER, Verdict.TRUNCATED})
"""Verdicts after which elicit-then-rationalize shows the target and asks again, as STaR
does (arXiv 2203.14465).
"""


@dataclass(frozen=True)
class ChainRules:
    """The ways of asking that BuildConfig names.

    `templates` has one per purpose that the mode needs.
    """

    config: BuildConfig
    teacher: str
    templates: Mapping[Purpose, Templates]
    pool: ExemplarPool | None = None

    @cached_property
    def ref(self) -> str:
        """Such as elicit@1, or rationalize+json+longer@1."""
        config = self.config
        parts = [config.mode, *([config.decode] if config.decode != "free" else [])]
        return f"{'+'.join([*parts, *(['longer'] if config.on_length == 'longer' else [])])}@{RULE}"

    @property
    def samples(self) -> int:
        return self.config.samples

    @property
    def may_go_on(self) -> bool:
        """Whether a chain may have more than one request."""
        config = self.config
        return (
            config.decode == "choice"
            or config.on_length == "longer"
            or config.mode == "elicit-then-rationalize"
        )

    def script(self, question: Question, sample_index: int) -> Script:
        """See Mode.script."""
        first = (
            Purpose.RATIONALIZE if self.config.mode == "rationalize" else Purpose.ELICIT
        )
        ending = yield from self._round(first, question, sample_index)
        if (
            self.config.mode == "elicit-then-rationalize"
            and ending.judge(flags=False).verdict in MISSED
        ):
            ending = yield from self._round(Purpose.RATIONALIZE, question, sample_index)
        return ending

    def _round(self, purpose: Purpose, question: Question, sample_index: int) -> Script:
        """A rationale; once more if it was cut and the policy says so; for decode
        choice, then the answer.
        """
        template = self._template(purpose, question)
        step = Step(purpose, template, self._request(template, question, sample_index))
        said = yield step
        if said.finish_reason == "length" and self.config.on_length == "longer":
            sampling = self._sampling.model_copy(update={"max_tokens": self._longer})
            step = step._replace(
                request=step.request.model_copy(update={"sampling": sampling})
            )
            said = yield step
        if self.config.decode != "choice":
            return Ending(step, partial(self._judge, question, template, said))
        return (yield from self._choose(step, question, said))

    def _choose(self, step: Step, question: Question, said: Completion) -> Script:
        _, shown = split_reasoning(said.text)
        request = Request(
            messages=(*step.request.messages, *choose_turns(question, shown.strip())),
            teacher=self.teacher,
            sampling=Sampling(temperature=0, max_tokens=CHOOSE_TOKENS),
            seed=None,
            response_format=choice_format(question),
        )
        chosen = yield Step(Purpose.CHOOSE, step.template, request)
        return Ending(
            step, partial(self._judge_chosen, question, step.template, said, chosen)
        )

    def _request(
        self, template: Template, question: Question, sample_index: int
    ) -> Request:
        greedy = self._sampling.temperature == 0
        as_json = template.reply == "json"
        return Request(
            messages=render(template, question),
            teacher=self.teacher,
            sampling=self._sampling,
            seed=None
            if greedy
            else request_seed(self.config.seed, question.id, sample_index),
            response_format=answer_format(
                question, answer_first=template.answer == "first"
            )
            if as_json
            else None,
        )

    def _template(self, purpose: Purpose, question: Question) -> Template:
        template = self.templates[purpose][question.kind]
        return template if self.pool is None else self.pool.fill(template, question)

    @property
    def _sampling(self) -> Sampling:
        return self.config.sampling

    @cached_property
    def _longer(self) -> int:
        return self.config.longer_tokens or LONGER * self._sampling.max_tokens

    @staticmethod
    def _judge(
        question: Question,
        template: Template,
        said: Completion,
        given: str | None = None,
        *,
        flags: bool = True,
    ) -> GradedCompletion:
        return grade_completion(
            question,
            said.text,
            reasoning=said.reasoning,
            finish_reason=said.finish_reason,
            answer_first=template.answer == "first",
            as_json=template.reply == "json",
            given=given,
            flags=flags,
        )

    def _judge_chosen(
        self,
        question: Question,
        template: Template,
        said: Completion,
        chosen: Completion,
        *,
        flags: bool = True,
    ) -> GradedCompletion:
        answer = read_json_answer(chosen.text, question)
        found = self._judge(question, template, said, answer, flags=flags)
        if answer is not None:
            return found
        # The text's own statement does not stand in for a choice that was asked for and
        # not made.
        verdict = Verdict.UNSCORED if question.target is None else Verdict.NO_ANSWER
        return found.model_copy(update={"answer": None, "verdict": verdict})


def request_seed(build_seed: int, question_id: str, sample_index: int) -> int:
    """0 … 2^53 - 1, the same on any platform and whatever the order of the questions."""
    return (
        int(digest("seed/1", [build_seed, question_id, sample_index])[:16], 16)
        & MAX_SEED
    )
