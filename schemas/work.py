"""What workers share: the plan of a build cut into units, and the leases on them."""

from typing import Self

from pydantic import Field

from cotbuild.schemas.attempts import AttemptsEntry
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Purpose
from cotbuild.schemas.record import FORMAT_VERSION, Record

MIN_UNIT, MAX_UNIT = 256, 1_024
"""Chains of a unit: enough that a lease costs nothing beside the requests, few enough
that a lost one costs minutes.
"""
PLAN_NAME = r"^plan-\d{4}-[0-9a-f]{16}$"
UNIT_NAME = r"^\d{6}-[0-9a-f]{16}$"
WORKER_NAME = r"^[A-Za-z0-9_][\w.-]{0,63}$"
"""What a worker may be called: the name of a file, too."""
MAX_HOLDERS = 32
"""Most holders of a unit, one after another, whose journals are looked through."""


class WorkTemplate(Record):
    """A template of a plan, whole, so that a worker needs no file of the planner's."""

    purpose: Purpose = Field(description="The purpose that it is for.")
    kind: QuestionKind = Field(description="The kind of question that it is for.")
    content: dict[str, object] = Field(description="The template.")


class UnitChain(Record):
    """A chain of a unit: its question, and the answers it goes on from."""

    question: Question = Field(description="The question.")
    sample_index: int = Field(ge=0, description="The sample.")
    answers: tuple[Answer, ...] = Field(
        default=(), description="The stored answers to its first requests, in order."
    )


class UnitEntry(Record):
    """A unit of a plan."""

    name: str = Field(
        pattern=UNIT_NAME,
        description="Its number in plan order, and the digest of its first request keys.",
    )
    num_chains: int = Field(ge=1, description="Chains in it.")


class WorkPlan(Record):
    """The open chains of a build, cut into units that workers lease."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    name: str = Field(
        pattern=PLAN_NAME,
        description="Number of the plan in the build, and a digest of its requests.",
    )
    inputs: str = Field(description="Digest of the inputs of the build.")
    code: str = Field(
        description="Digest of the code that decides the requests of a chain."
    )
    config: BuildConfig = Field(description="Configuration of the build.")
    teacher: str = Field(description="Identity of the teacher.")
    templates: tuple[WorkTemplate, ...] = Field(description="The templates.")
    exemplars: dict[str, object] | None = Field(
        default=None, description="The drawn exemplars; None for the templates' own."
    )
    generation: str = Field(
        pattern=r"^gen-\d{4}$", description="Folder of the journals that it adds to."
    )
    num_open: int = Field(ge=0, description="Requests that are known to be needed.")
    num_answered: int = Field(
        default=0, ge=0, description="Chains of the build that need no request."
    )
    longest: UnitChain | None = Field(
        default=None, description="The chain with the longest open request."
    )
    max_images: int = Field(default=0, ge=0, description="Most pictures of a request.")
    units: tuple[UnitEntry, ...] = Field(description="The units, in plan order.")
    attempts: AttemptsEntry | None = Field(
        default=None, description="What is evaluated, in mode reflect."
    )


class WorkCounts(Record):
    """What a worker did, in one unit or in all."""

    requests: int = Field(default=0, ge=0, description="Requests answered.")
    failures: int = Field(default=0, ge=0, description="Those of them that failed.")
    chains: int = Field(default=0, ge=0, description="Chains finished.")
    prompt_tokens: int = Field(default=0, ge=0, description="Tokens of prompts.")
    completion_tokens: int = Field(default=0, ge=0, description="Tokens generated.")
    verdicts: dict[str, int] = Field(
        default={}, description="Chains that it finished, by verdict."
    )

    def plus(self, other: Self) -> Self:
        """Return the sum of both."""
        verdicts = dict(self.verdicts)
        for verdict, count in other.verdicts.items():
            verdicts[verdict] = verdicts.get(verdict, 0) + count
        return type(self)(
            requests=self.requests + other.requests,
            failures=self.failures + other.failures,
            chains=self.chains + other.chains,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            verdicts=dict(sorted(verdicts.items())),
        )


class JournalStart(Record):
    """Where in a journal the answers of a unit may begin."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_][\w.-]{0,127}$", description="File name of the journal."
    )
    start: int = Field(
        ge=0, lt=1 << 48, description="Bytes before the first answer of the unit."
    )


class Lease(Record):
    """A worker's lease on a unit; each renewal is a new file with the next number.

    The number is the fencing token: whoever cannot create the next one has lost the
    unit.
    """

    worker: str = Field(pattern=WORKER_NAME, description="The worker that holds it.")
    number: int = Field(ge=1, description="Its number, and the name of its file.")
    leased_at: float = Field(description="When it was first taken, seconds since 1970.")
    expires_at: float = Field(description="When others may take it.")
    journals: tuple[JournalStart, ...] = Field(
        min_length=1,
        max_length=MAX_HOLDERS,
        description="Where answers of the unit are: those of former holders, in order, "
        "then that of the worker.",
    )
    counts: WorkCounts = Field(
        default=WorkCounts(), description="What it did in the unit so far."
    )


class UnitDone(Record):
    """Marks a unit as done: every chain was asked to its end."""

    worker: str = Field(pattern=WORKER_NAME, description="The worker that finished it.")
    finished_at: float = Field(description="When, seconds since 1970.")
    counts: WorkCounts = Field(description="What it did in the unit.")


class WorkerState(Record):
    """The heartbeat of a worker, which it writes again and again until it ends."""

    worker: str = Field(pattern=WORKER_NAME, description="The worker.")
    started_at: float = Field(description="When it began, seconds since 1970.")
    expires_at: float = Field(description="When it counts as gone.")
    counts: WorkCounts = Field(
        default=WorkCounts(), description="What it did so far, in all units."
    )


class CurrentPlan(Record):
    """Names the newest plan of a build."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    plan: str = Field(pattern=PLAN_NAME, description="Name of the plan.")
