"""What other rules of grading change in a finished build, before they replace its rows.

Pure. The texts are those of the build, so nothing is requested.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cotbuild.builder.ui import pluralize
from cotbuild.schemas.rationale import Rationale, Verdict
from cotbuild.schemas.record import short_repr

NOT_RECORDED = "not recorded"
"""In place of a rule's id, for rows of a build that did not record rules."""
NO_RULE = "none"
"""In place of a rule's id, where no rule read anything."""
MAX_EXAMPLES = 3
MAX_RULES = 4
"""Most pairs of rules that are listed for one change of a verdict."""

VerdictChange = tuple[Verdict, Verdict]
RuleChange = tuple[str, str]


@dataclass
class GradingChanges:
    """Counts of what changes in the rows of a build whose texts stay the same."""

    num_compared: int = 0
    num_verdicts: int = 0
    num_answers: int = 0
    """Rows with the same verdict and another answer."""
    num_rationales: int = 0
    """Rows with the same answer and verdict, whose rationale is cut elsewhere."""
    rules: dict[VerdictChange, Counter[RuleChange]] = field(default_factory=dict)
    """The rules before and after, by the verdicts before and after."""
    examples: list[str] = field(default_factory=list)
    """A line about each of the first rows of different changes."""

    def add(self, old: Rationale, new: Rationale, *, has_rules: bool) -> None:
        """Compare the rows of one text; `has_rules`: whether `old` records its rule."""
        self.num_compared += 1
        if old.verdict is new.verdict:
            self.num_answers += old.answer != new.answer
            is_cut_elsewhere = old.rationale != new.rationale
            self.num_rationales += old.answer == new.answer and is_cut_elsewhere
            return
        self.num_verdicts += 1
        verdicts = (old.verdict, new.verdict)
        old_rule = old.answer_rule or (NO_RULE if has_rules else NOT_RECORDED)
        rules = (old_rule, new.answer_rule or NO_RULE)
        if verdicts not in self.rules and len(self.examples) < MAX_EXAMPLES:
            self.examples.append(_describe_example(old, new))
        self.rules.setdefault(verdicts, Counter())[rules] += 1

    def lines(self, num_rows: int) -> Iterator[str]:
        """Yield the changes in a build of `num_rows` rows."""
        yield self._summary(num_rows)
        by_size = sorted(self.rules.items(), key=lambda item: -item[1].total())
        for (old, new), rules in by_size:
            counts = [
                f"{old_rule} → {new_rule} {count:,}"
                for (old_rule, new_rule), count in rules.most_common(MAX_RULES)
            ]
            if len(rules) > MAX_RULES:
                counts.append(f"{len(rules) - MAX_RULES} more")
            yield (
                f"  {rules.total():,} {old.value} → {new.value} "
                f"(by rule: {', '.join(counts)})"
            )
        yield from self.examples

    def _summary(self, num_rows: int) -> str:
        answers = pluralize(self.num_answers, "answer")
        rationales = pluralize(self.num_rationales, "rationale")
        line = (
            f"{self.num_verdicts:,} of {num_rows:,} verdicts change, and beside them "
            f"{answers} and {rationales}"
        )
        if self.num_compared == num_rows:
            return line
        left = pluralize(num_rows - self.num_compared, "row")
        return f"{line}; not compared: {left} without a text or of other requests"


def compare_grading(
    old: Iterable[Rationale], new: Iterable[Rationale], *, has_rules: bool
) -> GradingChanges:
    """Compare the rows of a build with those that other rules derive from its texts.

    Both are in the order of the source. Rows of other requests, and those without a
    completion, are left out. `has_rules`: whether the old rows record their rules.
    """
    changes = GradingChanges()
    new_rows = iter(new)
    candidate = next(new_rows, None)
    for row in old:
        while candidate is not None and _position(candidate) < _position(row):
            candidate = next(new_rows, None)
        if candidate is None:
            break
        if _is_same_text(row, candidate):
            changes.add(row, candidate, has_rules=has_rules)
    return changes


def _position(row: Rationale) -> tuple[int, int]:
    return row.row, row.sample_index


def _is_same_text(old: Rationale, new: Rationale) -> bool:
    """Whether two rows are of one chain, and of the same question."""
    if old.failure is not None or new.failure is not None:
        return False
    old_question = (old.question_id, old.target, old.other_targets)
    if old_question != (new.question_id, new.target, new.other_targets):
        return False
    return not _request_keys(old).isdisjoint(_request_keys(new))


def _request_keys(row: Rationale) -> set[str]:
    return {row.request_key, *(step.request_key for step in row.other_steps)}


def _describe_example(old: Rationale, new: Rationale) -> str:
    sample = f" sample {new.sample_index}" if new.sample_index else ""
    rule = "" if new.answer_rule is None else f" by {new.answer_rule}"
    return (
        f"  for example {new.question_id}{sample}: {old.verdict.value} → "
        f"{new.verdict.value}, answer {_show(old.answer)} → {_show(new.answer)}{rule}"
    )


def _show(answer: str | None) -> str:
    return "none" if answer is None else short_repr(answer)
