"""Build teacher-rationale datasets with vLLM, and train students on them.

    import cotbuild

    build = cotbuild.generate("questions.jsonl", out="builds/mine")
    build = build.derive(["post_cot", "label_only"])
    run = cotbuild.train(build, "post_cot", out="runs/post_cot")
    print(cotbuild.evaluate(run, split="dev").student.accuracy)

Names are imported when they are first used, so `import cotbuild` loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "cotbuild":
    raise ImportError(
        f"import cotbuild, not {__name__}: a second copy would have classes of its own"
    )

# Before any library is imported, since they read the variables when they are.
from cotbuild.builder.environment import switch_telemetry_off

switch_telemetry_off()

if TYPE_CHECKING:
    from cotbuild.builder.api import Build as Build
    from cotbuild.builder.api import TrainedStudent as TrainedStudent
    from cotbuild.builder.api import evaluate as evaluate
    from cotbuild.builder.api import generate as generate
    from cotbuild.builder.api import grade as grade
    from cotbuild.builder.api import open_build as open
    from cotbuild.builder.api import train as train
    from cotbuild.builder.client import Client as Client
    from cotbuild.schemas.answers.grade import GradedCompletion as GradedCompletion
    from cotbuild.schemas.budget import Account as Account
    from cotbuild.schemas.budget import Budget as Budget
    from cotbuild.schemas.budget import Prices as Prices
    from cotbuild.schemas.config import BuildConfig as BuildConfig
    from cotbuild.schemas.errors import ConfigError as ConfigError
    from cotbuild.schemas.errors import CotbuildError as CotbuildError
    from cotbuild.schemas.errors import DataError as DataError
    from cotbuild.schemas.errors import OtherVersionError as OtherVersionError
    from cotbuild.schemas.errors import PausedError as PausedError
    from cotbuild.schemas.errors import PublishError as PublishError
    from cotbuild.schemas.errors import ServiceError as ServiceError
    from cotbuild.schemas.errors import StoreError as StoreError
    from cotbuild.schemas.errors import TeacherError as TeacherError
    from cotbuild.schemas.question import Choice as Choice
    from cotbuild.schemas.question import Question as Question
    from cotbuild.schemas.question import QuestionKind as QuestionKind
    from cotbuild.schemas.question import SourceRef as SourceRef
    from cotbuild.schemas.rationale import Rationale as Rationale
    from cotbuild.schemas.rationale import Verdict as Verdict
    from cotbuild.schemas.variant import Selection as Selection
    from cotbuild.schemas.variant import VariantSpec as VariantSpec

    __version__: str

_MODULES = {
    "cotbuild.builder.api": (
        "Build",
        "TrainedStudent",
        "evaluate",
        "generate",
        "grade",
        "train",
    ),
    "cotbuild.builder.client": ("Client",),
    "cotbuild.schemas.answers.grade": ("GradedCompletion",),
    "cotbuild.schemas.budget": ("Account", "Budget", "Prices"),
    "cotbuild.schemas.config": ("BuildConfig",),
    "cotbuild.schemas.errors": (
        "ConfigError",
        "CotbuildError",
        "DataError",
        "OtherVersionError",
        "PausedError",
        "PublishError",
        "ServiceError",
        "StoreError",
        "TeacherError",
    ),
    "cotbuild.schemas.question": ("Choice", "Question", "QuestionKind", "SourceRef"),
    "cotbuild.schemas.rationale": ("Rationale", "Verdict"),
    "cotbuild.schemas.variant": ("Selection", "VariantSpec"),
}
# Each public name, where it is defined, and its name there.
_EXPORTS = {
    name: (module, name) for module, names in _MODULES.items() for name in names
} | {"open": ("cotbuild.builder.api", "open_build")}

__all__ = [
    "Account",
    "Budget",
    "Build",
    "BuildConfig",
    "Choice",
    "Client",
    "ConfigError",
    "CotbuildError",
    "DataError",
    "GradedCompletion",
    "OtherVersionError",
    "PausedError",
    "Prices",
    "PublishError",
    "Question",
    "QuestionKind",
    "Rationale",
    "Selection",
    "ServiceError",
    "SourceRef",
    "StoreError",
    "TeacherError",
    "TrainedStudent",
    "VariantSpec",
    "Verdict",
    "__version__",
    "evaluate",
    "generate",
    "grade",
    "open",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from cotbuild.builder.version import cotbuild_version

        return cotbuild_version()
    if name not in _EXPORTS:
        raise AttributeError(f"module 'cotbuild' has no attribute {name!r}")
    module, attribute = _EXPORTS[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
