"""What a run would replace, said before it is replaced."""

from typing import Any

from cotbuild.builder.generate.chains import RequestPlan
from cotbuild.builder.generate.jobs import Job
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.manifest import Manifest


def changes(job: Job, standing: Manifest, before: BuildConfig | None) -> list[str]:
    """Each difference between a job and the build that stands in its folder, as `name
    old → new`.
    """
    found = []
    if before is not None:
        skip = {
            "teacher"
        }  # compared by identity below: an endpoint's URL or a server setting changes no row
        old, new = (
            before.model_dump(mode="json", exclude=skip),
            job.config.model_dump(mode="json", exclude=skip),
        )
        found += _differences("", old, new)
    found += _differences("teacher", standing.teacher, job.teacher)
    found += _differences("source", standing.source.checksums, job.checksums, digits=12)
    now = {
        t.ref: t.fingerprint for used in job.templates.values() for t in used.values()
    }
    for entry in standing.templates:
        if entry.template in now and now[entry.template] != entry.fingerprint:
            found += _differences(
                entry.template, entry.fingerprint, now[entry.template], digits=12
            )
    return found


def _differences(name: str, old: Any, new: Any, digits: int | None = None) -> list[str]:
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(old.keys() | new.keys()):
            found += _differences(
                f"{name}.{key}".lstrip("."), old.get(key), new.get(key), digits
            )
        return found
    return [f"{name} {_shown(old, digits)} → {_shown(new, digits)}"]


def _shown(value: Any, digits: int | None) -> str:
    text = "none" if value is None else str(value)
    return text[:digits] if digits else text if len(text) <= 60 else text[:59] + "…"


def announcement(
    job: Job, plan: RequestPlan, standing: Manifest | None, before: BuildConfig | None
) -> list[str]:
    """The lines a user sees before anything is asked or replaced."""
    doubles = plan.num_open_chains - plan.num_open
    lines = [
        f"plan: {plan.num_questions} questions × {job.config.samples} = {plan.num_chains} requests: "
        f"{plan.num_chains - plan.num_open_chains} answered before, {plan.num_open} to ask"
        + (f", {doubles} the same as another" if doubles else "")
    ]
    return lines + _replaces(job, standing, before)


def import_announcement(
    job: Job, standing: Manifest | None, before: BuildConfig | None
) -> list[str]:
    """The same for rationales made elsewhere: what was read, and the first texts that
    found no question.
    """
    entry = job.imported.entry
    left_out = (
        ", ".join(f"{count} {reason}" for reason, count in entry.dropped.items())
        or "none"
    )
    lines = [
        f"{pluralize(sum(file.num_rows for file in entry.files), 'row')} of {pluralize(len(entry.files), 'file')}: "
        f"{pluralize(entry.num_texts, 'text')} = {pluralize(entry.num_rationales, 'rationale')}, left out: {left_out}; "
        f"{pluralize(entry.num_questions_without, 'question')} got none"
    ]
    lines += [
        f"{u.file} row {u.row} (from 0): {u.reason.value}: {u.what}"
        for u in job.imported.unmatched
    ]
    return lines + _replaces(job, standing, before)


def _replaces(
    job: Job, standing: Manifest | None, before: BuildConfig | None
) -> list[str]:
    if standing is None:
        return []
    differences = changes(job, standing, before)
    why = "; ".join(differences) if differences else "code, or answers that had failed"
    lines = [
        f"{job.out}: this run replaces the {standing.num_planned} rationales there. Changed: {why}"
    ]
    if standing.variants is not None:
        variants = pluralize(len(standing.variants.variants), "variant")
        lines.append(
            f"{job.out}: {variants} will be kept if the rationales and questions come out unchanged"
        )
    return lines
