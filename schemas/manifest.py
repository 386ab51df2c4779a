"""Manifest: how a build was made, its counts and checksums."""

import re
from collections import Counter
from typing import Any, Self

from pydantic import Field, JsonValue, model_validator

from cotbuild.schemas.attempts import AttemptsEntry
from cotbuild.schemas.budget import Account
from cotbuild.schemas.completion import BodyEdits, Sampling
from cotbuild.schemas.config import ExemplarsConfig
from cotbuild.schemas.grading import DEFAULT_GRADING, GradingConfig
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.names import ConfigName, SplitName
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.rationale import ROW_VERSION, Verdict
from cotbuild.schemas.record import FORMAT_VERSION, Record, short_repr
from cotbuild.schemas.variant_set import (
    VariantsEntry,
)

MAX_MESSAGE_CHARS = 300
"""Longest message about a failure that is published, in characters."""
MAX_FAILURE_GROUPS = 10
"""Maximum number of groups of failures that a manifest lists."""
NO_TARGET = "no_target"
"""The reason of an unscored chain whose question has no published target."""


class FileEntry(Record):
    """One published parquet file."""

    path: str = Field(description="Path relative to the build directory, with /.")
    config_name: ConfigName = Field(description="Config that the file belongs to.")
    split: SplitName = Field(description="Split that the file belongs to.")
    num_rows: int = Field(ge=0, description="Number of rows.")
    num_bytes: int = Field(ge=0, description="Size in bytes.")
    sha256: str = Field(
        description="Checksum of the bytes; it may differ for the same rows under another "
        "pyarrow."
    )
    digest: str = Field(
        description="Digest of the rows in order, independent of pyarrow."
    )

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        """Refuse any path but that of a file of its own config and split."""
        folder, _, name = self.path.partition("/")
        if folder != self.config_name or not self._is_name(name):
            raise ValueError(
                f"unsafe file name {short_repr(self.path)}. Expected "
                f"{self.config_name}/{self.split}-00000-of-00001.parquet, with numbers "
                "of its own"
            )
        return self

    def _is_name(self, name: str) -> bool:
        """Whether `name` is one that a file of the split can have."""
        pattern = rf"{re.escape(self.split)}-\d{{5,9}}-of-\d{{5,9}}\.parquet"
        return re.fullmatch(pattern, name, re.ASCII) is not None


class TemplateEntry(Record):
    """A template used by a build."""

    template: str = Field(
        pattern=r"^[a-z][a-z0-9_]*@[1-9][0-9]*$", description="name@version."
    )
    fingerprint: str = Field(
        description="Digest of everything in it that reaches the teacher."
    )
    content: dict[str, JsonValue] | None = Field(
        default=None,
        description="The template itself; None in builds that did not record it.",
    )


class SourceEntry(Record):
    """The source of a build's questions."""

    dataset: str = Field(description="Name of the dataset or file, without a path.")
    split: SplitName = Field(description="Split that rationales were generated for.")
    checksums: dict[SplitName, str] = Field(
        description="Split to the SHA-256 of its file, or repo@revision."
    )
    num_questions: int = Field(
        ge=0, description="Questions with rationales to generate."
    )
    dropped: dict[str, int] = Field(description="Rows dropped, by reason.")
    eval_questions: dict[SplitName, int] = Field(
        description="Questions per evaluation split, which have no rationales."
    )
    licence: str | None = Field(
        default=None,
        description="Licence that the source states; None if it states none.",
    )
    hub_id: str | None = Field(
        default=None, description="Hub id of the dataset; None if it is not on the Hub."
    )
    overlaps: dict[SplitName, int] = Field(
        description="Questions whose text is also in an evaluation split; with drop_overlap "
        "they were dropped."
    )
    read_as: dict[SplitName, str] = Field(
        default={},
        exclude_if=lambda lines: not lines,
        description="Split to how its columns were understood: kind, columns, and what the "
        "targets are; empty for a known dataset.",
    )


class MediaEntry(Record):
    """The pictures of the rationales and questions of a build, each counted once."""

    num_files: int = Field(ge=0, description="Number of different pictures.")
    num_bytes: int = Field(ge=0, description="Their size in bytes.")
    digest: str = Field(
        description="Digest of their file names in order, which hold their SHA-256."
    )
    example: ImageRef | None = Field(
        description="The first picture, which the card shows; None if there is none."
    )


class FailureGroup(Record):
    """Chains that are unscored for the same reason."""

    kind: str = Field(description="Kind of failure.")
    message: str = Field(
        max_length=MAX_MESSAGE_CHARS,
        description="What the server said about the first of them; numbers in the others "
        "may differ.",
    )
    count: int = Field(ge=1, description="Number of chains.")


class ScoreSummary(Record):
    """The mean score of answers in prose, by one metric."""

    metric: str = Field(min_length=1, description="Name of the metric, such as chrf2.")
    settings: str = Field(
        description="All that a score depends on besides the texts and the version of the "
        "metric's package, in the form of sacrebleu's signatures."
    )
    num_rows: int = Field(ge=1, description="Number of answers scored.")
    mean: float = Field(description="Mean of the scores of single answers, 0 to 100.")


class RunInfo(Record):
    """When and where a build was made.

    None of it is part of a published row or a digest.
    """

    inputs: str = Field(
        description="Digest of configuration, code, templates, teacher and source files."
    )
    store: str = Field(description="Digest of the answer store's state.")
    open_failures: int = Field(
        ge=0, description="Failed requests that the next run would retry."
    )
    finished_at: str = Field(description="Time in UTC, ISO 8601.")
    elapsed_s: float = Field(ge=0, description="Duration of the run, seconds.")
    host: str = Field(description="Host name of the machine.")
    asked: int = Field(ge=0, description="Requests sent by this run.")
    torn_lines: int = Field(ge=0, description="Torn journal lines that were dropped.")
    teachers: list[dict[str, Any]] = Field(
        description="Provenance of each server that was used."
    )
    account: Account | None = Field(
        default=None,
        exclude_if=lambda account: account is None,
        description="What the build has spent, by its journals; None for imported "
        "rationales, and in builds that did not record it.",
    )


class Manifest(Record):
    """The content of manifest.json.

    It is written last: its presence means the build is complete.
    """

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    cotbuild: str = Field(description="Version of cotbuild.")
    title: str = Field(description="Title of the card.")
    row_version: int = Field(
        default=1,
        ge=1,
        le=ROW_VERSION,
        description="Version of the columns of `rationales`; 1 in builds that did not "
        "record it.",
    )
    fingerprint: str = Field(
        description="Digest of the digests of all configs, which identifies the build's "
        "content."
    )
    teacher: str = Field(
        description="Identity of the teacher, or the author of imported rationales."
    )
    mode: str = Field(description="name@version of the mode.")
    extract_version: int = Field(
        description="Version of answer extraction and grading."
    )
    grading: GradingConfig = Field(
        default=DEFAULT_GRADING,
        exclude_if=lambda grading: grading == DEFAULT_GRADING,
        description="Optional rules and metrics of grading that the build asked for.",
    )
    math_metric: str | None = Field(
        default=None,
        exclude_if=lambda package: package is None,
        description="Package and version of the metric, such as `math-verify 0.8.0`; None "
        "if there is none.",
    )
    prose_scorers: str | None = Field(
        default=None,
        exclude_if=lambda packages: packages is None,
        description="Packages that scored answers in prose, with versions; None if no "
        "answer was scored.",
    )
    templates: list[TemplateEntry] = Field(
        description="Templates used, ordered by name."
    )
    exemplars: ExemplarsConfig | None = Field(
        description="How exemplars were drawn; None for the templates' own, if any."
    )
    sampling: Sampling | None = Field(
        description="Sampling parameters; None for imported rationales."
    )
    samples: int | None = Field(
        ge=1, description="Samples per question; None for imported rationales."
    )
    seed: int = Field(ge=0, description="Seed of the build.")
    seed_bits: int | None = Field(
        default=None,
        exclude_if=lambda bits: bits is None,
        description="Bits that the seeds of requests were cut to; None if they were not.",
    )
    edits: BodyEdits | None = Field(
        default=None,
        exclude_if=lambda edits: edits is None,
        description="What a first request left out, renamed or added for the server; None "
        "for nothing.",
    )
    imported: ImportEntry | None = Field(
        description="Files and counts of imported rationales; None if they were generated."
    )
    source: SourceEntry = Field(description="Source of the questions.")
    media: MediaEntry | None = Field(
        default=None,
        exclude_if=lambda media: media is None,
        description="Pictures of the questions, whose rows then have a column `images`; None if "
        "no question can have one.",
    )
    num_planned: int = Field(
        ge=0,
        description="Planned chains: questions × samples, or the number of imported "
        "rationales.",
    )
    verdicts: dict[str, int] = Field(
        description="Chains by verdict; they add up to num_planned."
    )
    verdicts_by_target: dict[str, dict[str, int]] = Field(
        description="Verdicts by kind and target of choice and yes/no questions, since "
        "selecting by verdict may bias the dataset."
    )
    inputs: dict[str, int] = Field(
        default={},
        exclude_if=lambda inputs: not inputs,
        description="Questions with a rationale by the inputs that they have; empty if "
        "they have none.",
    )
    purposes: dict[str, int] = Field(
        description="Rationales by purpose: target hidden (elicit) or shown (rationalize)."
    )
    flags: dict[str, int] = Field(description="Rationales by flag.")
    answer_rules: dict[str, dict[str, int]] = Field(
        default={},
        exclude_if=lambda rules: not rules,
        description="Verdicts by the rule that read the answer, or that no single one is "
        "stated; empty in builds that did not record rules.",
    )
    scores: tuple[ScoreSummary, ...] = Field(
        default=(),
        exclude_if=lambda scores: not scores,
        description="Mean scores of answers in prose; empty if no answer was scored.",
    )
    failures: dict[str, int] = Field(
        description="Unscored chains by kind of failure; no_target if the target is not "
        "published."
    )
    failure_messages: tuple[FailureGroup, ...] = Field(
        default=(),
        max_length=MAX_FAILURE_GROUPS,
        exclude_if=lambda groups: not groups,
        description="Unscored chains by what the server said, the most frequent reasons "
        "first; the rest is in `failures` alone.",
    )
    completion_tokens: int = Field(
        ge=0, description="Tokens generated by the teacher for these rows."
    )
    rationale_chars: list[int] = Field(
        description="Minimum, quartiles and maximum of the rationales' lengths in characters;"
        " empty if there are none."
    )
    reflections: dict[str, int] = Field(
        default={},
        exclude_if=lambda counts: not counts,
        description="Evaluated attempts by the verdict on the attempt, the evaluation and "
        "the verdict after it; empty if none were evaluated.",
    )
    attempts: AttemptsEntry | None = Field(
        default=None,
        exclude_if=lambda attempts: attempts is None,
        description="The attempts that were evaluated; None if there were none.",
    )
    variants: VariantsEntry | None = Field(
        default=None,
        description="Variants derived from the rationales; None if there are none yet.",
    )
    digests: dict[ConfigName, str] = Field(
        description="Config to the digest of its files' digests."
    )
    files: list[FileEntry] = Field(description="Every published parquet file.")
    card_version: int | None = Field(
        default=None,
        description="Version of the words of README.md; None in builds that did not record "
        "it.",
    )
    pyarrow: str = Field(description="Version of pyarrow that wrote the files.")
    run: RunInfo | None = Field(
        description="When and where the build was made; None in a release."
    )

    @property
    def num_failed(self) -> int:
        """The number of chains that are unscored because a request failed.

        A chain whose question has no published target is unscored too, but not failed.
        """
        return sum(count for kind, count in self.failures.items() if kind != NO_TARGET)

    @property
    def has_only_prose(self) -> bool:
        """Whether answers were scored, and none was compared with a target."""
        num_compared = self.verdicts.get(Verdict.CORRECT, 0)
        num_compared += self.verdicts.get(Verdict.INCORRECT, 0)
        return self.verdicts.get(Verdict.SCORED, 0) > 0 and not num_compared

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        counts = Counter(entry.path for entry in self.files)
        for path, count in counts.items():
            if count > 1:
                raise ValueError(f"files name {path!r} {count} times")
        return self

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        if sum(self.verdicts.values()) != self.num_planned:
            raise ValueError(
                f"verdicts {self.verdicts} do not add up to num_planned {self.num_planned}"
            )
        if self.imported is not None:
            expected = self.imported.num_rationales
            explanation = "the number of imported rationales"
        elif self.attempts is not None:
            expected = self.attempts.num_evaluated * (self.samples or 0)
            explanation = f"evaluated attempts × {self.samples}"
        else:
            expected = self.source.num_questions * (self.samples or 0)
            explanation = f"questions × {self.samples}"
        if self.num_planned != expected:
            raise ValueError(
                f"num_planned is {self.num_planned}, not {expected}, {explanation}"
            )
        return self
