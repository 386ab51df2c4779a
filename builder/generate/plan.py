"""What a run would request and what it would replace, before it does either."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.build.directory import find_config, find_manifest
from cotbuild.builder.generate.budget import usage_of
from cotbuild.builder.generate.chains import Chain
from cotbuild.builder.generate.jobs import Job
from cotbuild.builder.generate.regrading import compare_grading
from cotbuild.builder.storage.keys import count_distinct, key_bytes
from cotbuild.builder.storage.usage import NO_USAGE, JournalUsage
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.answers.grade import EXTRACT_VERSION
from cotbuild.schemas.answers.prose_scores import installed_scorers
from cotbuild.schemas.completion import BodyEdits, Request
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import ADDED_COLUMNS, Rationale

CHARS_PER_IMAGE = 4_000
"""Characters that a picture counts for in the search for the longest request: servers
make some hundred to some thousand tokens of one.
"""
MAX_HELD_CHAINS = 10_000
"""Open chains that a plan holds in memory, about 8 KB each where questions are short.

Those of a larger plan are followed again.
"""
MAX_HELD_CHARS = 32 << 20
"""Most characters in the messages of the chains that a plan holds."""
MAX_VALUE_CHARS = 60
DIGEST_CHARS = 12


# -- open requests ---------------------------------------------------------------------


@dataclass
class RequestPlan:
    """The open requests of a run, counted in one pass that keeps 16 bytes a request.

    The chains of a small plan are held too, as they are, in plan order.
    """

    num_questions: int = 0
    num_chains: int = 0
    num_open: int = 0
    """Requests that are known to be needed; those with one request_key count once."""
    num_open_chains: int = 0
    num_failed: int = 0
    """Chains that a stored failure ended, which the run does not retry."""
    open_chars: int = 0
    """Characters in the messages of the open requests."""
    open_images: int = 0
    """Pictures in the messages of the open requests."""
    max_images: int = 0
    """The most pictures of one open request."""
    first: Request | None = None
    longest: Request | None = None
    longest_id: str = ""
    """Id of the question that `longest` is about."""
    repeats: frozenset[bytes] = frozenset()
    """Keys (16 bytes) that more than one open chain has."""
    open_digest: str = ""
    """Digest of the keys of the open requests, in plan order."""
    reused: JournalUsage = NO_USAGE
    """Stored answers that the chains go on from, once for each chain that does."""
    held: deque[Chain] | None = None
    """The open chains; None where there are too many, or they were taken."""

    def take_held(self) -> Iterator[Chain] | None:
        """Return the open chains, each freed as it is passed on; None if not held."""
        held, self.held = self.held, None
        return None if held is None else _empty(held)


def _empty(held: deque[Chain]) -> Iterator[Chain]:
    while held:
        yield held.popleft()


def make_plan(chains: Iterable[Chain], *, hold: bool = False) -> RequestPlan:
    """Count the chains of a build and their open requests.

    `hold`: whether the open chains of a small plan are to be held.
    """
    plan, keys, longest_chars = RequestPlan(), bytearray(), -1
    held: deque[Chain] | None = deque() if hold else None
    for chain in chains:
        plan.num_chains += 1
        plan.num_questions += chain.sample_index == 0
        for answered in chain.answered:
            plan.reused = plan.reused.plus(usage_of(answered.answer))
        step = chain.open_step
        if step is None:
            plan.num_failed += _is_failed(chain)
            continue
        keys += key_bytes(step.request.request_key)
        chars = sum(len(message.text) for message in step.request.messages)
        plan.open_chars += chars
        plan.first = plan.first or step.request
        if held is not None:
            held.append(chain)
            if len(held) > MAX_HELD_CHAINS or plan.open_chars > MAX_HELD_CHARS:
                held = None
        size = chars
        if chain.question.inputs:
            num_images = step.request.num_images
            plan.open_images += num_images
            plan.max_images = max(plan.max_images, num_images)
            size += CHARS_PER_IMAGE * num_images
        if size > longest_chars:
            longest_chars = size
            plan.longest, plan.longest_id = step.request, chain.question.id
    plan.held = held
    plan.num_open_chains = len(keys) // 16
    plan.open_digest = hashlib.sha256(keys).hexdigest()
    plan.num_open, plan.repeats = count_distinct(keys)
    return plan


def _is_failed(chain: Chain) -> bool:
    return chain.finished is not None and chain.finished.failure is not None


def open_chains(chains: Iterable[Chain], repeats: frozenset[bytes]) -> Iterator[Chain]:
    """Yield the chains with an open request, each request_key once."""
    seen: set[bytes] = set()
    for chain in chains:
        if chain.open_step is None:
            continue
        key = key_bytes(chain.open_step.request.request_key)
        if key in seen:
            continue
        if key in repeats:
            seen.add(key)
        yield chain


def plan_lines(plan: RequestPlan, samples: int) -> Iterator[str]:
    """Yield how many requests a run makes, and which failed ones it does not repeat."""
    num_answered = plan.num_chains - plan.num_open_chains
    asked_about = f"{plan.num_questions} questions"
    num_attempts = plan.num_chains // samples
    if num_attempts > plan.num_questions:
        asked_about = f"{num_attempts} attempts at {asked_about}"
    line = (
        f"plan: {asked_about} × {samples} = {plan.num_chains} "
        f"requests: {num_answered} already answered, {plan.num_open} to send"
    )
    num_repeated = plan.num_open_chains - plan.num_open
    yield f"{line}, {num_repeated} identical to another" if num_repeated else line
    if plan.num_failed:
        failures = pluralize(plan.num_failed, "stored failure")
        yield f"{failures} will not be sent again; --retry-failed sends them"


def describe_token_limit(plan: RequestPlan) -> str:
    """Return how many tokens the open requests may generate, such as `at most 2,048`."""
    limit = None if plan.first is None else plan.first.max_tokens_sent
    if limit is None:
        return "as many as the server allows"
    return f"at most {plan.num_open * limit:,}"


def describe_edits(edits: BodyEdits) -> str:
    """Return what a request leaves out, renames and adds, on one line."""
    parts = []
    if edits.omitted:
        parts.append(f"not sent: {', '.join(edits.omitted)}")
    if edits.renamed:
        names = [f"{name} as {sent}" for name, sent in edits.renamed.items()]
        parts.append(f"renamed: {', '.join(names)}")
    if edits.added:
        values = [f"{name}={json.dumps(value)}" for name, value in edits.added.items()]
        parts.append(f"added: {', '.join(values)}")
    return "; ".join(parts)


# -- the build that is replaced --------------------------------------------------------


class PreviousBuild(NamedTuple):
    """The finished build that a run replaces."""

    manifest: Manifest
    config: BuildConfig | None
    """None where its build.json is missing or cannot be read."""


def read_previous(out: Path) -> PreviousBuild | None:
    """Return the build in a folder; None where there is none or it is damaged."""
    manifest = find_manifest(out)
    return None if manifest is None else PreviousBuild(manifest, find_config(out))


def replacement_lines(
    job: Job, previous: PreviousBuild | None, rows: Callable[[], Iterator[Rationale]]
) -> Iterator[str]:
    """Yield what a run replaces, why, and what becomes of the variants.

    `rows` derives the rows of the stored answers; it is called where the rules of
    grading are others than those of the build.
    """
    if previous is None:
        return
    manifest = previous.manifest
    why = "; ".join(list_changes(job, previous))
    yield (
        f"{job.out}: this run replaces the {manifest.num_planned} rationales there. "
        f"Changed: {why or 'the code, or answers to requests that had failed'}"
    )
    if is_graded_otherwise(job, manifest):
        yield from regrading_lines(job, manifest, rows())
    if manifest.variants is not None:
        variants = pluralize(len(manifest.variants.variants), "variant")
        yield (
            f"{job.out}: {variants} will be kept if the rationales and questions come "
            "out unchanged"
        )


def is_graded_otherwise(job: Job, manifest: Manifest) -> bool:
    """Whether a build was graded by other rules than those of a job."""
    if manifest.extract_version != EXTRACT_VERSION:
        return True
    return manifest.grading != job.config.grading


def regrading_lines(
    job: Job, manifest: Manifest, rows: Iterator[Rationale]
) -> Iterator[str]:
    """Yield which answers and verdicts of a build change, and by which rules.

    Requests nothing: `rows` are derived from the stored answers.
    """
    # Here, since pyarrow takes a while to import.
    from cotbuild.builder.build.build import StoredBuild

    previous = StoredBuild(job.out, manifest)
    has_rules = manifest.row_version >= ADDED_COLUMNS["answer_rule"]
    try:
        changes = compare_grading(previous.rationales(), rows, has_rules=has_rules)
    except DataError as error:
        yield f"{job.out}: what changes in the rationales is not known: {error}"
        return
    what = "settings of grading"
    if manifest.extract_version != EXTRACT_VERSION:
        what = f"extraction {manifest.extract_version} → {EXTRACT_VERSION}"
    first, *others = changes.lines(manifest.num_planned)
    yield f"{what}: {first}"
    yield from others


def list_changes(job: Job, previous: PreviousBuild) -> list[str]:
    """Return each difference between a job and a build, as `name old → new`."""
    manifest = previous.manifest
    changes = []
    if previous.config is not None:
        # The teacher is compared by its identity below: an endpoint's URL or a server
        # setting changes no row.
        old = previous.config.model_dump(mode="json", exclude={"teacher"})
        new = job.config.model_dump(mode="json", exclude={"teacher"})
        changes += _differences("", old, new)
        before, now = previous.config.teacher, job.config.teacher
        changes += _differences("teacher", before.body_settings, now.body_settings)
    changes += _differences("extraction", manifest.extract_version, EXTRACT_VERSION)
    if manifest.prose_scorers is not None:
        packages = installed_scorers()
        changes += _differences("scored by", manifest.prose_scorers, packages)
    changes += _differences("teacher", manifest.teacher, job.teacher)
    checksums = manifest.source.checksums
    changes += _differences("source", checksums, job.checksums, _show_digest)
    fingerprints = job.template_fingerprints()
    for entry in manifest.templates:
        new_fingerprint = fingerprints.get(entry.template, entry.fingerprint)
        changes += _differences(
            entry.template, entry.fingerprint, new_fingerprint, _show_digest
        )
    return changes


def _show_value(value: Any) -> str:
    text = "none" if value is None else str(value) or "empty"
    if len(text) <= MAX_VALUE_CHARS:
        return text
    return text[: MAX_VALUE_CHARS - 1] + "…"


def _show_digest(value: Any) -> str:
    return "none" if value is None else str(value)[:DIGEST_CHARS]


def _differences(
    name: str, old: Any, new: Any, show: Callable[[Any], str] = _show_value
) -> list[str]:
    """Compare two JSON values, objects key by key."""
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [f"{name} {show(old)} → {show(new)}"]
    differences = []
    for key in sorted(old.keys() | new.keys()):
        path = f"{name}.{key}".lstrip(".")
        differences += _differences(path, old.get(key), new.get(key), show)
    return differences
