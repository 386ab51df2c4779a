"""A build as text for a terminal, in lines of at most 80 columns."""

import textwrap
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from cotbuild.builder.build.build import RATIONALES, Build
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Flag, Purpose, Verdict

WIDTH = 80
_SHOWN = {Purpose.ELICIT.value: "hidden", Purpose.RATIONALIZE.value: "shown"}


def count_lines(manifest: Manifest) -> Iterator[str]:
    parts = " + ".join(
        f"{count} {verdict}" for verdict, count in manifest.verdicts.items() if count
    )
    yield f"{manifest.num_planned} rationales = {parts or 'none'}"
    if manifest.failures:
        yield "unscored: " + ", ".join(
            f"{count} {kind}" for kind, count in manifest.failures.items()
        )
    if entry := manifest.imported:
        left_out = "".join(
            f" + {count} {reason}" for reason, count in entry.dropped.items()
        )
        yield f"{pluralize(entry.num_texts, 'text')} = {pluralize(entry.num_rationales, 'rationale')}{left_out}"
        if entry.num_questions_without:
            yield f"questions without a rationale: {entry.num_questions_without}"
    if manifest.source.dropped:
        dropped = ", ".join(
            f"{count} {reason}" for reason, count in manifest.source.dropped.items()
        )
        yield f"rows left out of the source: {dropped}"
    for split, count in manifest.source.overlaps.items():
        if count and f"overlap_{split}" not in manifest.source.dropped:
            yield f"questions that also stand in {split}: {count} (--drop-overlap leaves them out)"
    for split, count in manifest.source.eval_questions.items():
        yield f"{count} questions of {split} without a request"


def inspect_build(
    build: Build,
    *,
    question_id: str | None,
    verdict: str | None,
    flag: str | None,
    limit: int,
) -> Iterator[str]:
    """Counts, lengths and up to `limit` records. Raises ConfigError on an unknown
    verdict or flag, DataError on no such id.
    """
    _check("--verdict", verdict, Verdict)
    _check("--flag", flag, Flag)
    if question_id is None:
        yield from _summary(build)
    shown = found = 0
    for row in build.read(RATIONALES):
        if question_id not in (None, row["question_id"]) or verdict not in (
            None,
            row["verdict"],
        ):
            continue
        if flag is not None and flag not in row["flags"]:
            continue
        found += 1
        if question_id is None and shown == limit:
            break
        shown += 1
        yield ""
        yield from record_lines(row)
    if found:
        return
    if question_id is not None:
        raise DataError(
            f"{build.folder}: no question {question_id!r}. Expected one of its {build.manifest.source.num_questions}."
        )
    wanted = [f"verdict {verdict}" if verdict else "", f"flag {flag}" if flag else ""]
    yield f"no rationale with {' and '.join(filter(None, wanted))}"


def _check(option: str, value: str | None, known: type[StrEnum]) -> None:
    if value is not None and value not in set(known):
        raise ConfigError(f"{option} {value!r}: Expected one of {', '.join(known)}.")


def _summary(build: Build) -> Iterator[str]:
    manifest = build.manifest
    yield f"{build.folder}  fingerprint {manifest.fingerprint[:16]}"
    yield f"{manifest.source.num_questions} questions of {manifest.source.dataset}/{manifest.source.split}"
    yield from count_lines(manifest)
    if manifest.rationale_chars:
        low, q1, median, q3, high = manifest.rationale_chars
        yield f"rationale length: median {median} characters, half within {q1}–{q3}, all within {low}–{high}"
    yield f"tokens generated: {manifest.completion_tokens}"
    if manifest.flags:
        yield from _wrap(
            "flags: ",
            ", ".join(f"{flag} {count}" for flag, count in manifest.flags.items()),
        )
    yield from _wrap("teacher: ", manifest.teacher)
    if manifest.templates:
        yield from _wrap(
            "templates: ", ", ".join(entry.template for entry in manifest.templates)
        )
    if len(manifest.purposes) > 1:
        yield "target: " + ", ".join(
            f"{count} {_SHOWN[purpose]}" for purpose, count in manifest.purposes.items()
        )


def record_lines(row: dict[str, Any]) -> Iterator[str]:
    """One rationale for reading: question, choices, rationale, answer against target."""
    mark = "" if row["sample_index"] == 0 else f" sample {row['sample_index']}"
    yield f"── {row['question_id']}{mark} ".ljust(WIDTH, "─")
    yield from _wrap("question   ", row["question"])
    for choice in row["choices"]:
        yield from _wrap("           ", f"({choice['label']}) {choice['text']}")
    if row["failure"] is not None:
        yield f"failed     {row['failure']}"
        return
    if row["purpose"] == Purpose.RATIONALIZE:
        yield "asked      with the target shown" + (
            ", after it went wrong" if row["other_steps"] else ""
        )
    yield from _wrap("rationale  ", row["rationale"] or "(none)")
    if row["answer"] is None:
        yield from _wrap("completion ", row["completion"])
    yield f"answer     {row['answer']}   target {row['target']}   → {row['verdict']}"
    if row["flags"]:
        yield f"flags      {', '.join(row['flags'])}"


def _wrap(label: str, text: str) -> Iterator[str]:
    indent = " " * len(label)
    lines = [
        line
        for part in text.splitlines()
        for line in textwrap.wrap(part, WIDTH - len(label))
    ] or [""]
    for number, line in enumerate(lines):
        yield (indent if number else label) + line
