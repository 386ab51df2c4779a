"""Notice an import most of whose texts state no answer, and say what may be wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cotbuild.schemas.import_recipe import ImportRecipe
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Rationale, Verdict

MAX_FRAC = 0.5
"""Share of the texts without an answer above which a warning is due."""
NUM_EXAMPLES = 3
END_CHARS = 160
_OTHER_KINDS = {
    QuestionKind.NUMBER: QuestionKind.TEXT,
    QuestionKind.YES_NO: QuestionKind.TEXT,
    QuestionKind.TEXT: QuestionKind.NUMBER,
}


@dataclass
class UnansweredTexts:
    """Counts the rows of an import, and those whose texts state no answer."""

    num_rows: int = 0
    num_unanswered: int = 0
    kinds: set[QuestionKind] = field(default_factory=set)
    """Kinds of the questions without an answer."""
    examples: list[Rationale] = field(default_factory=list)

    def watch(self, rows: Iterable[Rationale]) -> Iterator[Rationale]:
        """Yield the rows, and count them."""
        for row in rows:
            self.add(row)
            yield row

    def add(self, row: Rationale) -> None:
        """Count one row."""
        self.num_rows += 1
        if row.verdict is not Verdict.NO_ANSWER:
            return
        self.num_unanswered += 1
        self.kinds.add(row.kind)
        if len(self.examples) < NUM_EXAMPLES:
            self.examples.append(row)

    def merge(self, later: "UnansweredTexts") -> None:
        """Add the counts over rows that follow."""
        self.num_rows += later.num_rows
        self.num_unanswered += later.num_unanswered
        self.kinds |= later.kinds
        num_missing = NUM_EXAMPLES - len(self.examples)
        self.examples += later.examples[:num_missing]

    def warning_lines(self, recipe: ImportRecipe) -> Iterator[str]:
        """Yield a warning, ends of texts and what to try; nothing if most have answers."""
        if self.num_unanswered <= MAX_FRAC * self.num_rows:
            return
        yield (
            f"warning: {self.num_unanswered} of {self.num_rows} texts state no answer "
            "that is recognised. Some of them end:"
        )
        for row in self.examples:
            yield f"  {_place(row)}: {_end(row.completion or '')}"
        yield "What to try:"
        for remedy in self._remedies(recipe):
            yield f"  {remedy}"

    def _remedies(self, recipe: ImportRecipe) -> Iterator[str]:
        if recipe.answer == "last":
            yield "--answer-first, if the texts begin with their answers"
        yield from self._kind_remedies()
        if QuestionKind.NUMBER in self.kinds:
            yield (
                "--set grading.closing_sentence=true, if a last sentence such as "
                '"Therefore, there are 49 chairs." states the answer'
            )
        if recipe.answer != "column":
            yield "--map answer=COLUMN, if a column holds the answers"
        yield (
            f"--map text=COLUMN, if {recipe.columns['text']!r} is not the text that the "
            "model wrote"
        )

    def _kind_remedies(self) -> Iterator[str]:
        """Yield the kind that the questions might have; the targets allow no other."""
        for taken, other in _OTHER_KINDS.items():
            if taken in self.kinds:
                yield (
                    f"--kind {other.value}, if the questions are not of kind "
                    f"{taken.value}"
                )


def _place(row: Rationale) -> str:
    if row.origin is None:
        return row.question_id
    return f"{row.origin.file} row {row.origin.row} (from 0)"


def _end(text: str) -> str:
    text = text.rstrip()
    if not text:
        return "(empty)"
    return text if len(text) <= END_CHARS else f"…{text[-END_CHARS:]}"
