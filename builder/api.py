"""The Python API behind `import cotbuild`.

Each function does what the command of the same name does, with the same defaults, and
returns data in place of printing it. Progress goes to stderr; `progress=False` silences
it. All of them work where an event loop is running, as in a notebook.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.console import print_line
from cotbuild.builder.generate.grading import open_grading
from cotbuild.builder.teachers.http.generous_json import replace_surrogates
from cotbuild.builder.terminal import Terminal
from cotbuild.builder.ui import ChainProgress, Ui
from cotbuild.schemas.answers.grade import GradedCompletion, grade_completion
from cotbuild.schemas.body_edits import send_again
from cotbuild.schemas.budget import NO_BUDGET, Account, Budget
from cotbuild.schemas.config import BuildConfig, SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.grading import GradingConfig
from cotbuild.schemas.question import Question
from cotbuild.schemas.teacher_config import BODY_SETTINGS
from cotbuild.schemas.training import Precision, StudentRun, TrainConfig
from cotbuild.schemas.variant import (
    Selection,
    VariantSpec,
)
from cotbuild.schemas.variant_set import (
    VariantSet,
)

if TYPE_CHECKING:
    from cotbuild.builder.release.publish import PublishResult
    from cotbuild.schemas.evaluation import Evaluation


class Build(StoredBuild):
    """A finished build or a downloaded release: read it, derive variants, publish it."""

    def derive(
        self,
        variants: Sequence[str | VariantSpec] = ("paper",),
        *,
        seed: int = 0,
        selection: Selection | None = None,
        files: Mapping[str, Path | str] | None = None,
        progress: bool = True,
    ) -> Self:
        """Derive variants beside the rationales, in place of the variants there are.

        `variants` are names of shipped variants or sets (`cotbuild variants --list`) and
        specs of your own. `selection` chooses the rationales; the default takes the
        correct ones, and of prose those scored. `files` binds the names of files that
        specs mention to paths.

        Returns the build with its new manifest. Raises ConfigError for an unknown name
        or a missing file, DataError if no rationale is selected, StoreError if the
        files cannot be written.
        """
        from cotbuild.builder.variants.registry import choose_variants
        from cotbuild.builder.variants.write import file_digests, make_variants

        names = [variant for variant in variants if isinstance(variant, str)]
        specs = [variant for variant in variants if isinstance(variant, VariantSpec)]
        shipped = choose_variants(names, []) if names else []
        paths = {name: Path(path) for name, path in (files or {}).items()}
        variant_set = VariantSet(
            specs=(*shipped, *specs),
            selection=selection or Selection(),
            seed=seed,
            files=file_digests(paths),
        )
        with _ui(progress).counting("rationales") as show:
            manifest = make_variants(self.folder, variant_set, paths, show)
        return type(self)(self.folder, manifest)

    def verify(self) -> list[str]:
        """Check files, digests, counts, verdicts and variants against the manifest.

        Everything that can be computed again is. Returns a line for each check, and for
        each that could not be made. Raises DataError at the first fault, and
        OtherVersionError if all else is right but the rows need the rules of another
        version of cotbuild.
        """
        from cotbuild.builder.release.check import VerifyOptions, verify_folder

        _, lines = verify_folder(self.folder, VerifyOptions())
        return lines

    def publish(
        self,
        target: str,
        *,
        tag: str | None = None,
        private: bool = False,
        dry_run: bool = False,
        progress: bool = True,
        show: Callable[[str], None] = print_line,
    ) -> "PublishResult":
        """Publish to a dataset repo (`ORG/NAME`) or a folder (`file:PATH`).

        Sends what differs in one commit, tags it, and reads all of it back. `show`
        receives the plan, a line at a time, before anything is sent.

        Raises DataError if the build is not complete, PublishError if the tag is taken
        or the target refuses.
        """
        from cotbuild.builder.hub.names import parse_tag
        from cotbuild.builder.release.compose import ReleaseSpec
        from cotbuild.builder.release.open import open_target
        from cotbuild.builder.release.publish import PublishOptions, publish

        ui = _ui(progress)
        return publish(
            self.folder,
            open_target(target, ui.say),
            ReleaseSpec(tag=None if tag is None else parse_tag(tag)),
            PublishOptions(private=private, dry_run=dry_run),
            ui,
            show,
        )


@dataclass(frozen=True)
class TrainedStudent:
    """A finished training run: its folder, and the record in its run.json."""

    folder: Path
    record: StudentRun
    base: str | None = None
    """The model it started from, as passed to `train`; run.json keeps no path."""


def generate(
    source: str | Path | BuildConfig,
    *,
    out: str | Path,
    teacher: str | None = None,
    endpoint: str | Sequence[str] | None = None,
    fresh: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    progress: bool = True,
    **settings: Any,
) -> Build:
    """Ask a teacher about every question of a source, and build the dataset in `out`.

    `source` is a known dataset, a file, a folder, a Hub id, or a whole BuildConfig.
    `teacher` is `embedded`, `scripted`, a folder, a Hub id, or the name a server at
    `endpoint` (a URL up to /v1, or several) serves. `settings` are further fields of
    SourceConfig and BuildConfig, nested ones as dicts:
    `limit=100, samples=5, sampling={"max_tokens": 512, "top_k": "off"}`, and the fields
    of TeacherConfig that change what a server receives: `profile`, `omit`, `rename`,
    `extra_body`, `seed_bits`.

    Only requests without a stored answer are sent; call it again to resume, or after an
    edit. `budget` limits what all answers of the build may take; no part of the result
    depends on it. Raises PausedError where it is spent before the last request: a call
    with a larger one continues. Raises ConfigError, DataError, TeacherError or
    StoreError; every answer received until then is kept.
    """
    from cotbuild.builder.generate.run import generate as run

    config = resolve_config(source, teacher, endpoint, settings)
    result = run(
        config,
        Path(out),
        _ui(progress),
        fresh=fresh,
        retry_failed=retry_failed,
        budget=budget or NO_BUDGET,
    )
    return Build(Path(out), result.manifest)


def open_build(source: str | Path, *, progress: bool = True) -> Build:
    """Open the build in a folder, or download a release (`ORG/NAME@TAG`) and open it.

    Raises ConfigError if there is no such folder, DataError if it holds no finished
    build, PublishError if there is no such release.
    """
    from cotbuild.builder.evaluation.models import open_build as open_stored

    stored = open_stored(str(source), _ui(progress))
    return Build(stored.folder, stored.manifest)


def train(
    build: StoredBuild | str | Path,
    variant: str,
    *,
    out: str | Path,
    student: str = "embedded",
    progress: bool = True,
    **settings: Any,
) -> TrainedStudent:
    """Fine-tune a student on a variant of a build or release.

    `student` is `embedded`, a folder or a Hub id. `settings` are further fields of
    TrainConfig, such as `seed=1, rows=500, lr=1e-4`. An interrupted run is resumed by
    the same call, to the same weights.

    Raises ConfigError if the variant, the model or a package is missing, StoreError if
    `out` cannot be written or another process trains into it.
    """
    values = {"variant": variant, "student": student, **settings}
    config = TrainConfig.parse(values, "train()", ConfigError)
    folder = build.folder if isinstance(build, StoredBuild) else build
    record = train_on_build(config, str(folder), Path(out), _ui(progress))
    return TrainedStudent(Path(out), record, student)


def train_on_build(
    config: TrainConfig, source: str, out: Path, ui: Ui, *, hold_out: Path | None = None
) -> StudentRun:
    """Train on the build or release `source` into the folder `out`; see `train`.

    `hold_out` is a STUDY.yaml whose dev and test questions are left out.
    """
    from cotbuild.builder.evaluation.models import (
        find_model,
        is_main_process,
        lock_run_folder,
        portable_config,
        record_run_source,
        student_packages,
    )
    from cotbuild.builder.ui import TrainingRate

    with student_packages():
        from cotbuild.student.training.train import BaseStudent, train_student
    from cotbuild.builder.study.read_rows import read_training_rows

    rate = TrainingRate()
    variant_rows = read_training_rows(source, config.variant, hold_out, ui)
    model = find_model(config.student, config.revision, ui.say)
    ui.phase(Phase.TRAINING)
    with lock_run_folder(out), ui.lines() as show:
        record = train_student(
            portable_config(config),
            variant_rows,
            BaseStudent(*model),
            out,
            lambda update: show(rate.line(update)) if is_main_process() else None,
        )
    if is_main_process():
        record_run_source(out, source)
    return record


def evaluate(
    student: TrainedStudent | str | Path,
    *,
    split: str = "test",
    source: str | Path | None = None,
    mapping: Mapping[str, str] | None = None,
    variant: str | None = None,
    limit: int | None = None,
    base: str | Path | None = None,
    rationales_from: TrainedStudent | str | Path | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    out: str | Path | None = None,
    progress: bool = True,
) -> "Evaluation":
    """Evaluate a trained student beside its untrained model and the majority baseline.

    `student` is what `train` returned, the folder of a run, or a model; a model needs
    `source`, `variant` and `out`. `source` defaults to the build that a run was trained
    on. `mapping` asks with another input: `{"question": "asr"}` with the input `asr` in
    place of the text, `{"asr": ""}` without it. `base` is the model that a run in a
    folder started from, if that is a folder too: a run does not record its path.
    `rationales_from` is a student whose rationales this one is given, or the folder of
    its run or evaluation. `precision` is that of the student, and of the untrained model
    beside it. An interrupted evaluation is resumed by the same call.

    Raises ConfigError for arguments that do not fit the student, DataError if the
    questions cannot be evaluated.
    """
    from cotbuild.builder.evaluation.models import student_packages

    with student_packages():
        from cotbuild.builder.evaluation.run import EvaluationOptions, evaluate_student
    if isinstance(student, TrainedStudent):
        folder: str | Path = student.folder
        base = base or student.base
    else:
        folder = student
    given_from = None
    if isinstance(rationales_from, TrainedStudent):
        given_from = rationales_from.folder
    elif rationales_from is not None:
        given_from = Path(rationales_from)
    options = EvaluationOptions(
        source=None if source is None else str(source),
        split=split,
        mapping=mapping or {},
        variant=variant,
        limit=limit,
        base=None if base is None else str(base),
        rationales_from=given_from,
        precision=Precision(precision),
    )
    return evaluate_student(
        str(folder),
        options,
        out=None if out is None else Path(out),
        ui=_ui(progress),
    )


def grade(
    text: str,
    question: Question,
    *,
    answer_first: bool = False,
    closing_sentence: bool = False,
    math_metric: Literal["math_verify"] | None = None,
) -> GradedCompletion:
    """Extract the answer of a completion and compare it with the question's target.

    `answer_first` says that the text was asked to begin with its answer;
    `closing_sentence` and `math_metric` are the settings of `grading`. An answer in prose
    is scored instead. Never raises on any text: one without a single answer has the
    verdict `no_answer`, and a lone surrogate counts as U+FFFD. Raises ConfigError if a
    package that it needs is not installed.
    """
    config = GradingConfig(closing_sentence=closing_sentence, math_metric=math_metric)
    text = replace_surrogates(text)
    return grade_completion(
        question, text, answer_first=answer_first, grading=open_grading(config)
    )


def resolve_config(
    source: str | Path | BuildConfig,
    teacher: str | None,
    endpoint: str | Sequence[str] | None,
    settings: Mapping[str, Any],
) -> BuildConfig:
    """Return the configuration that the arguments of `generate` describe.

    Raises ConfigError with the name of the invalid field.
    """
    if isinstance(source, BuildConfig):
        values = source.model_dump(mode="json")
    else:
        values = {"source": {"name": str(source)}, "teacher": {}}
    for name, value in settings.items():
        section = values
        if name in SourceConfig.model_fields:
            section = values["source"]
        elif name in BODY_SETTINGS:
            section = values["teacher"]
        previous = section.get(name)
        if isinstance(previous, dict) and isinstance(value, Mapping):
            section[name] = {**previous, **value}
        else:
            section[name] = value
    teacher_values = values["teacher"]
    if teacher is not None:
        teacher_values["model"] = teacher
        teacher_values.pop("recorded", None)
    if endpoint is not None:
        urls = (endpoint,) if isinstance(endpoint, str) else tuple(endpoint)
        teacher_values["endpoints"] = urls
    send_again(teacher_values, _settings_named(settings))
    return BuildConfig.parse(values, "generate()", ConfigError)


def _settings_named(settings: Mapping[str, Any]) -> set[str]:
    """Return the dotted names of settings, such as `sampling.top_k`."""
    names = set(settings)
    if isinstance(sampling := settings.get("sampling"), Mapping):
        names |= {f"sampling.{name}" for name in sampling}
    return names


class _Silent:
    """A `Ui` that shows nothing."""

    def say(self, line: str) -> None:
        pass

    def phase(self, phase: Phase) -> None:
        pass

    def account(self, account: Account) -> None:
        pass

    @contextmanager
    def asking(self, total: int) -> Iterator[Callable[[ChainProgress], None]]:  # noqa: ARG002
        yield lambda _step: None

    @contextmanager
    def counting(self, unit: str) -> Iterator[Callable[[int, int], None]]:  # noqa: ARG002
        yield lambda _done, _total: None

    @contextmanager
    def lines(self) -> Iterator[Callable[[str], None]]:
        yield lambda _line: None


def _ui(progress: bool) -> Ui:
    return Terminal() if progress else _Silent()
