"""`cotbuild inspect`: a build as text, in lines of at most 80 columns."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.cli.layout import WIDTH, list_counts, wrap_text
from cotbuild.builder.cli.output import count_lines
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.rationale import Flag, Purpose, Verdict

_TARGET_SHOWN = {Purpose.ELICIT.value: "hidden", Purpose.RATIONALIZE.value: "shown"}


def inspect_build(
    build: StoredBuild,
    *,
    question_id: str | None,
    verdict: str | None,
    flag: str | None,
    limit: int,
) -> Iterator[str]:
    """Yield a summary of a build, then up to `limit` rationales that match.

    With `question_id`, all matching rationales of that question and no summary. Raises
    ConfigError on an unknown verdict or flag, DataError if there is no such question.
    """
    _check_choice("--verdict", verdict, Verdict)
    _check_choice("--flag", flag, Flag)
    matching = _matching_rows(build, question_id, verdict, flag)
    if question_id is None:
        yield from _summary_lines(build)
    num_shown = 0
    for row in matching:
        if question_id is None and num_shown == limit:
            return
        num_shown += 1
        yield ""
        yield from rationale_lines(row)
    if num_shown == 0:
        yield _no_match(build, question_id, verdict, flag)


def _check_choice(option: str, value: str | None, choices: type[StrEnum]) -> None:
    if value is not None and value not in set(choices):
        raise ConfigError(f"{option} {value!r}: choose one of {', '.join(choices)}.")


def _matching_rows(
    build: StoredBuild, question_id: str | None, verdict: str | None, flag: str | None
) -> Iterator[dict[str, Any]]:
    for row in build.read(RATIONALES):
        if (
            question_id in (None, row["question_id"])
            and verdict in (None, row["verdict"])
            and (flag is None or flag in row["flags"])
        ):
            yield row


def _no_match(
    build: StoredBuild, question_id: str | None, verdict: str | None, flag: str | None
) -> str:
    """Return the line to show; raises DataError if it is for the question."""
    if question_id is not None:
        num_questions = build.manifest.source.num_questions
        raise DataError(
            f"{build.folder}: no question {question_id!r} with a matching rationale. "
            f"The build has {num_questions} questions."
        )
    conditions = []
    if verdict is not None:
        conditions.append(f"verdict {verdict}")
    if flag is not None:
        conditions.append(f"flag {flag}")
    if not conditions:
        return "no rationales"
    return f"no rationale with {' and '.join(conditions)}"


# -- summary -----------------------------------------------------------------------------


def _summary_lines(build: StoredBuild) -> Iterator[str]:
    manifest = build.manifest
    source = manifest.source
    yield f"{build.folder}  fingerprint {manifest.fingerprint[:16]}"
    yield f"{source.num_questions} questions of {source.dataset}/{source.split}"
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


# -- one rationale -----------------------------------------------------------------------


def rationale_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row of `rationales` for reading: question, rationale, answer, target."""
    sample = f" sample {row['sample_index']}" if row["sample_index"] else ""
    yield f"── {row['question_id']}{sample} ".ljust(WIDTH, "─")
    yield from wrap_text("question   ", row["question"])
    for choice in row["choices"]:
        yield from wrap_text("           ", f"({choice['label']}) {choice['text']}")
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
    yield f"answer     {row['answer']}   target {row['target']}   → {row['verdict']}"
    if row["flags"]:
        yield f"flags      {', '.join(row['flags'])}"
    if notes := row.get("notes"):
        yield from wrap_text("notes      ", "; ".join(notes))
