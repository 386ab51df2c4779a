"""A made-up question of each kind, for the tests of extraction and grading."""

from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef

OPTIONS = ("moss", "granite", "river water", "river", "none of the above")
TARGETS = {"choice": "B", "yes_no": "yes", "number": "12", "text": "Lake Geneva"}
KINDS = list(TARGETS)


def question(
    kind: str = "choice",
    options: tuple[str, ...] = OPTIONS,
    labels: str = "ABCDEFGH",
    target: str | None = "",
    other_targets: tuple[str, ...] = (),
) -> Question:
    choices = tuple(
        Choice(label=label, text=text)
        for label, text in zip(labels, options, strict=False)
    )
    return Question(
        id="q",
        kind=QuestionKind(kind),
        text="Which of these weathers slowest?",
        choices=choices if kind == "choice" else (),
        target=TARGETS[kind] if target == "" else target,
        other_targets=other_targets,
        source=SourceRef(
            dataset="own", config_name=None, split="train", revision=None, row=0
        ),
    )
