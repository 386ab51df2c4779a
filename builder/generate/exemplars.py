"""Few-shot exemplars by seeded draw.

A question gets the first exemplars of a shuffled pool, and never itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from string import ascii_uppercase

from cotbuild.builder.sources.overlap import normalise_text
from cotbuild.prompts.exemplar import (
    Exemplar,
)
from cotbuild.prompts.template import (
    Template,
)
from cotbuild.schemas.config import ExemplarsConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, QuestionKind

WorkedQuestion = tuple[Question, str]
"""A question and the rationale in its row."""

RankedQuestion = tuple[str, Question, str]
"""The rank of a worked question in the draw, the question and its rationale."""


@dataclass
class ExemplarPool:
    """The exemplars of a build, drawn once.

    It holds one more than a prompt takes, so that a question is never its own exemplar.
    """

    config: ExemplarsConfig
    by_kind: dict[QuestionKind, list[tuple[str, Exemplar]]]
    """Normalised question text and exemplar, in the order of the draw."""
    _filled: dict[tuple[str, str, int], Template] = field(default_factory=dict)
    """Filled templates by template, kind and the position that was left out."""

    def fill(self, template: Template, question: Question) -> Template:
        """Return the template with the exemplars for a question.

        Raises ConfigError where it takes none, or there are too few.
        """
        drawn = self.by_kind.get(question.kind, [])
        texts = [text for text, _ in drawn]
        own = normalise_text(question.full_text)
        left_out = texts.index(own) if own in texts else len(texts)
        key = (template.fingerprint, question.kind.value, left_out)
        if key not in self._filled:
            exemplars = [exemplar for _, exemplar in drawn]
            del exemplars[left_out : left_out + 1]
            self._filled[key] = self._fill(template, exemplars)
        return self._filled[key]

    def _fill(self, template: Template, exemplars: list[Exemplar]) -> Template:
        count = self.config.count
        if template.assistant is None:
            raise ConfigError(
                f"template {template.ref} has no exemplars. Use one that has, or leave "
                "out --exemplars."
            )
        if len(exemplars) < count:
            raise ConfigError(
                f"exemplars: {len(exemplars)} of kind {template.kind.value} in split "
                f"{self.config.split!r}, besides the question itself. Lower "
                f"exemplars.count, which is {count}."
            )
        return template.replace(exemplars=tuple(exemplars[:count]))


def draw_exemplars(
    config: ExemplarsConfig, worked: Iterable[WorkedQuestion]
) -> ExemplarPool:
    """Draw the exemplars of a build: of each kind count + 1 different questions.

    They are those with the lowest digest of (seed, id), whatever the order of `worked`.
    Questions without a target take no part.
    """
    by_kind: dict[QuestionKind, dict[str, RankedQuestion]] = {}
    for question, rationale in worked:
        if question.target is None:
            continue
        lowest = by_kind.setdefault(question.kind, {})
        text = normalise_text(question.full_text)
        rank = digest("exemplar/1", [config.seed, question.id])
        if text in lowest and lowest[text][0] <= rank:
            continue
        lowest[text] = (rank, question, rationale)
        if len(lowest) > config.count + 1:
            highest = max(lowest, key=lambda text: lowest[text][0])
            del lowest[highest]
    drawn = {kind: _in_order(lowest) for kind, lowest in by_kind.items()}
    return ExemplarPool(config, drawn)


def _in_order(lowest: dict[str, RankedQuestion]) -> list[tuple[str, Exemplar]]:
    ranked = sorted(lowest.values(), key=itemgetter(0))
    return [
        (normalise_text(question.full_text), _exemplar(question, rationale))
        for _, question, rationale in ranked
    ]


def _exemplar(question: Question, rationale: str) -> Exemplar:
    answer = question.target or ""
    if question.choices:
        # Exemplars are lettered; the question's own labels may be 1, 2, ….
        labels = [choice.label for choice in question.choices]
        answer = ascii_uppercase[labels.index(answer)]
    return Exemplar(
        question=question.text,
        inputs=question.input_texts,
        choices=tuple(choice.text for choice in question.choices),
        answer=answer,
        rationale=rationale,
    )
