"""Few-shot exemplars by seeded draw: for each question the first of a shuffled pool,
never the question itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from string import ascii_uppercase

from cotbuild.builder.sources.overlap import normalised
from cotbuild.prompts.template import Exemplar, Template
from cotbuild.schemas.config import ExemplarsConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, QuestionKind

Worked = tuple[Question, str]
"""A question and the rationale that its row brings."""


@dataclass
class ExemplarPool:
    """One worked question more than a prompt takes, so that a question is never its own
    exemplar.
    """

    config: ExemplarsConfig
    by_kind: dict[QuestionKind, list[tuple[str, Exemplar]]]
    """Normalised question and exemplar, in the order of the draw."""
    _filled: dict[tuple[str, str, int], Template] = field(default_factory=dict)

    def fill(self, template: Template, question: Question) -> Template:
        """The template with this question's exemplars.

        Raises ConfigError where it takes none, or there are too few.
        """
        drawn = self.by_kind.get(question.kind, [])
        own = normalised(question.text)
        left_out = next(
            (at for at, (text, _) in enumerate(drawn) if text == own), len(drawn)
        )
        key = (template.fingerprint, question.kind.value, left_out)
        if key not in self._filled:
            self._filled[key] = self._fill(
                template, [e for at, (_, e) in enumerate(drawn) if at != left_out]
            )
        return self._filled[key]

    def _fill(self, template: Template, exemplars: list[Exemplar]) -> Template:
        if template.assistant is None:
            raise ConfigError(
                f"template {template.ref} has no exemplars. Expected one that has, for --exemplars."
            )
        if len(exemplars) < self.config.count:
            raise ConfigError(
                f"exemplars: {len(exemplars)} of kind {template.kind.value} in split {self.config.split!r}, besides a "
                f"question itself. Expected {self.config.count}. Lower exemplars.count."
            )
        return template.replace(exemplars=tuple(exemplars[: self.config.count]))


def draw(config: ExemplarsConfig, worked: Iterable[Worked]) -> ExemplarPool:
    """The pool of a build: per kind the count + 1 different questions whose (seed, id)
    digests are lowest.
    """
    by_kind: dict[QuestionKind, dict[str, tuple[str, Question, str]]] = {}
    for question, rationale in worked:
        if question.target is None:
            continue
        lowest, text = by_kind.setdefault(question.kind, {}), normalised(question.text)
        rank = digest("exemplar/1", [config.seed, question.id])
        if text not in lowest or rank < lowest[text][0]:
            lowest[text] = (rank, question, rationale)
            if len(lowest) > config.count + 1:
                del lowest[max(lowest, key=lambda text: lowest[text][0])]
    drawn = {
        kind: sorted(lowest.values(), key=_rank) for kind, lowest in by_kind.items()
    }
    return ExemplarPool(
        config,
        {
            kind: [(normalised(q.text), _exemplar(q, r)) for _, q, r in few]
            for kind, few in drawn.items()
        },
    )


def _rank(drawn: tuple[str, Question, str]) -> str:
    return drawn[0]


def _exemplar(question: Question, rationale: str) -> Exemplar:
    labels = [choice.label for choice in question.choices]
    assert question.target is not None
    # Exemplars are lettered; the question's own labels may be 1, 2, ….
    answer = (
        ascii_uppercase[labels.index(question.target)] if labels else question.target
    )
    return Exemplar(
        question=question.text,
        choices=tuple(choice.text for choice in question.choices),
        answer=answer,
        rationale=rationale,
    )
