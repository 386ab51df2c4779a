"""Manifest: proof that a build is whole, what was asked, with what, and by which code."""

from typing import Any, Self

from pydantic import Field, JsonValue, model_validator

from cotbuild.schemas.completion import Sampling
from cotbuild.schemas.config import ExemplarsConfig
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.variant import VariantsEntry


class FileEntry(Record):
    """One published parquet file."""

    path: str = Field(description="Relative to the build directory, with /.")
    config_name: str = Field(description="The config it belongs to.")
    split: str = Field(description="The split it belongs to.")
    num_rows: int = Field(ge=0, description="Rows in it.")
    num_bytes: int = Field(ge=0, description="Size, bytes.")
    sha256: str = Field(
        description="Checksum of its bytes; the same rows under another pyarrow may give another."
    )
    digest: str = Field(
        description="Digest over the digests of its rows in order; independent of pyarrow."
    )


class TemplateEntry(Record):
    """A template that was used."""

    template: str = Field(
        pattern=r"^[a-z][a-z0-9_]*@[1-9][0-9]*$", description="name@version."
    )
    fingerprint: str = Field(
        description="Digest of all that reached the teacher through it."
    )
    content: dict[str, JsonValue] | None = Field(
        default=None,
        description="The template itself, as used; None: built before it was kept here.",
    )


class SourceEntry(Record):
    """Where the questions came from."""

    dataset: str = Field(description="Name of the dataset or file; no path.")
    split: str = Field(description="The split that was asked about.")
    checksums: dict[str, str] = Field(
        description="Per split read: sha256 of the file, or repo@revision."
    )
    num_questions: int = Field(ge=0, description="Questions asked about.")
    dropped: dict[str, int] = Field(description="Rows left out, by reason.")
    eval_questions: dict[str, int] = Field(
        description="Questions without a request, per evaluation split."
    )
    licence: str | None = Field(
        default=None, description="The source's own, as stated; None: nobody says."
    )
    hub_id: str | None = Field(
        default=None, description="The dataset on the Hub; None: not from there."
    )
    overlaps: dict[str, int] = Field(
        description="Questions whose text also stands in an evaluation split; with drop_overlap, those left out."
    )


class RunInfo(Record):
    """When and where; nothing in it enters a published row, and no digest covers it."""

    inputs: str = Field(
        description="Digest of configuration, code, templates, teacher and source bytes."
    )
    store: str = Field(
        description="State of the answer store the rows were derived from."
    )
    open_failures: int = Field(
        ge=0, description="Requests that the next run would ask again."
    )
    finished_at: str = Field(description="UTC, ISO 8601.")
    elapsed_s: float = Field(ge=0, description="Seconds this run took.")
    host: str = Field(description="Machine that derived the rows.")
    asked: int = Field(ge=0, description="Requests made by this run.")
    torn_lines: int = Field(
        ge=0, description="Half-written journal lines that were dropped."
    )
    teachers: list[dict[str, Any]] = Field(
        description="Provenance of each server that answered."
    )


class Manifest(Record):
    """Written last: where it stands, the build is whole."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    cotbuild: str = Field(description="Version of cotbuild.")
    title: str = Field(description="What the card is called.")
    fingerprint: str = Field(
        description="Digest over the digests of all configs: the build's content."
    )
    teacher: str = Field(
        description="Identity of the teacher, or who wrote the imported rationales."
    )
    mode: str = Field(description="name@version of the way of asking.")
    extract_version: int = Field(description="Version of extraction and grading.")
    templates: list[TemplateEntry] = Field(description="Templates used, by name.")
    exemplars: ExemplarsConfig | None = Field(
        description="How exemplars were drawn; None: the templates' own, if any."
    )
    sampling: Sampling | None = Field(description="Sampling fields; None: imported.")
    samples: int | None = Field(
        ge=1, description="Chains per question; None: imported, as many as there are."
    )
    seed: int = Field(ge=0, description="Build seed.")
    imported: ImportEntry | None = Field(
        description="What was read of rationales made elsewhere; None: asked for."
    )
    source: SourceEntry = Field(description="Where the questions came from.")
    num_planned: int = Field(
        ge=0, description="Chains planned: questions × samples, or rationales imported."
    )
    verdicts: dict[str, int] = Field(
        description="Chains by verdict; they add up to num_planned."
    )
    verdicts_by_target: dict[str, dict[str, int]] = Field(
        description="For choice and yes/no questions: verdicts per kind and target, since selection biases a dataset."
    )
    purposes: dict[str, int] = Field(
        description="Rationales by purpose: the target hidden (elicit) or shown."
    )
    flags: dict[str, int] = Field(description="Rationales by flag.")
    failures: dict[str, int] = Field(
        description="Unscored chains by kind of failure; no_target where none is published."
    )
    completion_tokens: int = Field(
        ge=0, description="Tokens the teacher generated for these rows."
    )
    rationale_chars: list[int] = Field(
        description="Length of the kept rationales: minimum, quartiles, maximum; empty: none."
    )
    variants: VariantsEntry | None = Field(
        default=None, description="The variants made of them; None: none yet."
    )
    digests: dict[str, str] = Field(
        description="Per config: digest over its files' digests."
    )
    files: list[FileEntry] = Field(description="Every published parquet file.")
    pyarrow: str = Field(description="Version that wrote the files.")
    run: RunInfo | None = Field(description="When and where; None in a release.")

    @model_validator(mode="after")
    def _counts_add_up(self) -> Self:
        if sum(self.verdicts.values()) != self.num_planned:
            raise ValueError(
                f"verdicts {self.verdicts} do not add up to num_planned {self.num_planned}"
            )
        if self.imported is not None:
            expected, what = self.imported.num_rationales, "the rationales imported"
        else:
            expected, what = (
                self.source.num_questions * (self.samples or 0),
                f"questions × {self.samples}",
            )
        if self.num_planned != expected:
            raise ValueError(
                f"num_planned is {self.num_planned}, not {expected}, {what}"
            )
        return self
