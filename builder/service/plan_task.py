"""What the process of a plan or a preview receives and returns."""

from typing import Literal

from pydantic import Field

from cotbuild.schemas.budget import Budget
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.record import Record
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import PlanView, PreviewView


class PlanTask(Record):
    """What the process is to do; its paths are relative to where it starts."""

    action: Literal["plan", "preview"] = Field(description="Whether anything is asked.")
    kind: JobKind = Field(description="generate or import.")
    target: str = Field(description="Name of the folder of the build.")
    out: str = Field(description="Its path.")
    config: BuildConfig = Field(description="Settings, with paths for references.")
    budget: Budget | None = Field(
        default=None, description="Its limits and prices; None without any."
    )
    retry_failed: bool = Field(default=False, description="Also plan failed requests.")
    num_rows: int = Field(default=1, ge=1, description="Rows of a preview.")


class PlanResult(Record):
    """What the process writes."""

    plan: PlanView | None = Field(default=None, description="None of a preview.")
    preview: PreviewView | None = Field(default=None, description="None of a plan.")
    error: str | None = Field(
        default=None, description="Why there is no preview; None if there is one."
    )
