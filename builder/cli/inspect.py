"""`cotbuild inspect`: a build as text, in lines of at most 80 columns."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.cli.layout import WIDTH, list_counts, wrap_text
from cotbuild.builder.cli.output import count_lines
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import ADDED_COLUMNS, Flag, Purpose, Verdict

_TARGET_SHOWN = {
    Purpose.ELICIT.value: "hidden",
    Purpose.RATIONALIZE.value: "shown",
    Purpose.EVALUATE.value: "hidden, an attempt evaluated",
}


DEFAULT_LIMIT = 3
"""Rationales that are shown where neither a number nor a rule is given."""
MAX_RULES = 12
"""Most rules that the summary lists."""
BEFORE_CHARS, AFTER_CHARS = 90, 40
"""Text shown around an answer, in characters, within its line."""
MAX_ANSWER_CHARS = 80


class Filter(NamedTuple):
    """Which rationales to show; None: any."""

    question_id: str | None = None
    verdict: str | None = None
    flag: str | None = None
    rule: str | None = None
    """Id of the rule that read the answer."""

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of `rationales` is to be shown."""
        return (
            self.question_id in (None, row["question_id"])
            and self.verdict in (None, row["verdict"])
            and (self.flag is None or self.flag in row["flags"])
            and (self.rule is None or self.rule == row["answer_rule"])
        )

    def describe(self) -> str:
        """Return the conditions other than the question, such as `verdict correct`."""
        named = {"verdict": self.verdict, "flag": self.flag, "rule": self.rule}
        given = [
            f"{name} {value}" for name, value in named.items() if value is not None
        ]
        return " and ".join(given)


def inspect_build(
    build: StoredBuild, wanted: Filter, *, limit: int | None
) -> Iterator[str]:
    """Yield a summary of a build, then up to `limit` rationales that match.

    With a question's id, all matching rationales of that question and no summary.
    Without a limit, all matching ones if a rule is given, else a few. Raises ConfigError
    on an unknown verdict, flag or rule, DataError if there is no such question.
    """
    _check_choice("--verdict", wanted.verdict, Verdict)
    _check_choice("--flag", wanted.flag, Flag)
    _check_rule(build, wanted.rule)
    most = _choose_limit(wanted, limit)
    if wanted.question_id is None:
        yield from _summary_lines(build)
    num_shown = 0
    for row in filter(wanted.matches, build.read(RATIONALES)):
        if num_shown == most:
            return
        num_shown += 1
        yield ""
        yield from rationale_lines(row)
    if num_shown == 0:
        yield _no_match(build, wanted)


def _choose_limit(wanted: Filter, limit: int | None) -> int | None:
    """Return the number of rationales to show; None: all that match."""
    if wanted.question_id is not None:
        return None
    if limit is None and wanted.rule is None:
        return DEFAULT_LIMIT
    return limit


def _check_choice(option: str, value: str | None, choices: type[StrEnum]) -> None:
    if value is not None and value not in set(choices):
        raise ConfigError(f"{option} {value!r}: choose one of {', '.join(choices)}.")


def _check_rule(build: StoredBuild, rule: str | None) -> None:
    """Raise ConfigError on a rule that read no answer of the build."""
    if rule is None or rule in build.manifest.answer_rules:
        return
    if build.manifest.row_version < ADDED_COLUMNS["answer_rule"]:
        raise ConfigError(
            f"--rule {rule!r}: {build.folder} was built before rules were recorded. Run "
            "the command that wrote it again (generate or import), which sends no request "
            "for it."
        )
    rules = list_counts(_rule_totals(build.manifest)) or "none"
    raise ConfigError(f"--rule {rule!r}: it read no answer. Rules here: {rules}.")


def _rule_totals(manifest: Manifest) -> dict[str, int]:
    """Return the number of rows of each rule, the most frequent first."""
    totals = {rule: sum(by.values()) for rule, by in manifest.answer_rules.items()}
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def _no_match(build: StoredBuild, wanted: Filter) -> str:
    """Return the line to show; raises DataError if it is for the question."""
    if wanted.question_id is not None:
        num_questions = build.manifest.source.num_questions
        raise DataError(
            f"{build.folder}: no question {wanted.question_id!r} with a matching "
            f"rationale. The build has {num_questions} questions."
        )
    conditions = wanted.describe()
    return f"no rationale with {conditions}" if conditions else "no rationales"


# -- summary -----------------------------------------------------------------------------


def _summary_lines(build: StoredBuild) -> Iterator[str]:
    manifest = build.manifest
    source = manifest.source
    yield f"{build.folder}  fingerprint {manifest.fingerprint[:16]}"
    yield f"{source.num_questions} questions of {source.dataset}/{source.split}"
    if manifest.inputs:
        yield from wrap_text("inputs: ", list_counts(manifest.inputs))
    if manifest.media is not None:
        yield (
            f"pictures: {manifest.media.num_files:,}, {manifest.media.num_bytes:,} bytes"
        )
    yield from count_lines(manifest)
    if manifest.rationale_chars:
        low, first_quartile, median, third_quartile, high = manifest.rationale_chars
        yield (
            f"rationale characters: median {median}, "
            f"quartiles {first_quartile}–{third_quartile}, range {low}–{high}"
        )
    yield f"tokens generated: {manifest.completion_tokens}"
    if manifest.flags:
        yield from wrap_text("flags: ", list_counts(manifest.flags))
    if manifest.reflections:
        yield "attempts (verdict before, evaluation, verdict after):"
        for name, count in manifest.reflections.items():
            yield f"  {count:>6,}  {name}"
    yield from _rule_table(manifest)
    yield from wrap_text("teacher: ", manifest.teacher)
    if manifest.templates:
        names = ", ".join(entry.template for entry in manifest.templates)
        yield from wrap_text("templates: ", names)
    if len(manifest.purposes) > 1:
        counts = [
            f"{count} {_TARGET_SHOWN[purpose]}"
            for purpose, count in manifest.purposes.items()
        ]
        yield f"target: {', '.join(counts)}"


def _rule_table(manifest: Manifest) -> Iterator[str]:
    """Yield the verdicts by rule, the most frequent rules first."""
    rules = list(_rule_totals(manifest))
    counted = {
        name for by_verdict in manifest.answer_rules.values() for name in by_verdict
    }
    verdicts = [name for name in manifest.verdicts if name in counted]
    if not rules:
        return
    width = max(len(rule) for rule in ("rule", *rules[:MAX_RULES]))
    yield "rule".ljust(width) + "".join(f"{name:>12}" for name in verdicts)
    for rule in rules[:MAX_RULES]:
        counts = [manifest.answer_rules[rule].get(name, 0) for name in verdicts]
        yield rule.ljust(width) + "".join(f"{count:>12,}" for count in counts)
    if len(rules) > MAX_RULES:
        yield f"… and {len(rules) - MAX_RULES} more rules"


# -- one rationale -----------------------------------------------------------------------


def rationale_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row of `rationales` for reading: question, rationale, answer, target."""
    sample = f" sample {row['sample_index']}" if row["sample_index"] else ""
    yield f"── {row['question_id']}{sample} ".ljust(WIDTH, "─")
    yield from wrap_text("question   ", row["question"])
    for choice in row["choices"]:
        yield from wrap_text("           ", f"({choice['label']}) {choice['text']}")
    yield from _input_lines(row)
    if attempt_verdict := row.get("attempt_verdict"):  # missing in older builds
        evaluation = row["evaluation"] or "no evaluation"
        yield f"attempt    {attempt_verdict}   → {evaluation}"
    if row["failure"] is not None:
        message = row.get("failure_message")  # missing in older builds
        reason = f": {message}" if message else ""
        yield from wrap_text("failed     ", row["failure"] + reason)
        return
    if row["purpose"] == Purpose.RATIONALIZE:
        after = ", after an attempt without it failed" if row["other_steps"] else ""
        yield f"prompt     target shown{after}"
    yield from wrap_text("rationale  ", row["rationale"] or "(none)")
    if row["answer"] is None:
        yield from wrap_text("completion ", row["completion"])
    if row.get("kind") == QuestionKind.PROSE:
        yield from wrap_text("answer     ", row["answer"] or "(none)")
        yield from wrap_text("reference  ", row["target"] or "(none)")
        yield f"           → {row['verdict']}"
    else:
        yield (
            f"answer     {row['answer']}   target {row['target']}   → {row['verdict']}"
        )
    if scores := row.get("scores"):  # missing in older builds
        named = [f"{score['metric']} {score['value']:.1f}" for score in scores]
        yield f"scores     {', '.join(named)}"
    yield from _rule_lines(row)
    if row["flags"]:
        yield f"flags      {', '.join(row['flags'])}"
    if notes := row.get("notes"):
        yield from wrap_text("notes      ", "; ".join(notes))


def _input_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the question was asked with besides its text."""
    for one in row.get("inputs") or ():  # missing in older builds
        image = one["image"]
        if image is None:
            shown = one["text"]
        else:
            kind = image["media_type"].removeprefix("image/")
            size = f"{image['width']}×{image['height']}"
            shown = f"{size} {kind} {image['sha256'][:12]}…"
        yield from wrap_text("input      ", f"{one['name']}: {shown}")


def _rule_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rule that read the answer, and the answer marked in its line."""
    rule = row.get("answer_rule")  # missing in older builds
    if rule is None:
        return
    start, end = row["answer_start"], row["answer_end"]
    if start is None or end is None:
        yield f"read by    {rule}"
        return
    yield from wrap_text(
        "read by    ", f"{rule}: {_mark(row['completion'], start, end)}"
    )


def _mark(text: str, start: int, end: int) -> str:
    """Return the line around a span of a text, with the span in » and «."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    first, last = (
        max(line_start, start - BEFORE_CHARS),
        min(line_end, end + AFTER_CHARS),
    )
    before = ("…" if first > line_start else "") + text[first:start]
    after = text[end:last] + ("…" if last < line_end else "")
    answer = text[start:end]
    if len(answer) > MAX_ANSWER_CHARS:
        answer = f"{answer[: MAX_ANSWER_CHARS - 1]}…"
    return " ".join(f"{before}»{answer}«{after}".split())
