"""`cotbuild evaluate`: how good a student is.

One of the places where builder and student meet.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.prompts.student import layout_of
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import StudentRun
from cotbuild.schemas.variant import VariantSpec

if TYPE_CHECKING:
    from cotbuild.builder.evaluation.models import ResolvedModel
    from cotbuild.builder.evaluation.results import ResultsFile
    from cotbuild.builder.terminal import Terminal
    from cotbuild.schemas.evaluation import Evaluation, EvaluationInputs, QuestionResult
    from cotbuild.student.evaluation.plan import EvaluationItem, EvaluationPlan
    from cotbuild.student.model import Student

Text = str | None
Number = int | None


def evaluate(
    student: Annotated[
        str,
        typer.Argument(
            help="Folder of a run; or a model: embedded, a folder, a Hub id.",
            show_default=False,
        ),
    ],
    source: Annotated[
        Text,
        typer.Option(
            help="A known dataset, a file, a build, ORG/NAME@TAG; a run's default: what it was trained on."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Their split: dev, test.")] = "test",
    variant: Annotated[
        Text,
        typer.Option(help="Of a model: whose prompts and labels; a run has its own."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(help="Of a model: YAML file with a variant of your own."),
    ] = None,
    revision: Annotated[
        Text, typer.Option(help="Branch, tag or commit of a Hub id.")
    ] = None,
    limit: Annotated[
        Number, typer.Option(min=1, help="Only the first so many questions.")
    ] = None,
    base: Annotated[
        Text,
        typer.Option(
            help="The student before training, where the run was trained from a folder."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results; RUN/evaluations/… for a run."),
    ] = None,
    teacher_chains: Annotated[
        bool,
        typer.Option(
            "--teacher-chains",
            help="Of a run that reasons first: give it the teacher's rationales, of questions it was not trained on.",
        ),
    ] = False,
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Most tokens held at once.")
    ] = 8192,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what it takes, measured here; write nothing."
        ),
    ] = False,
) -> None:
    """Evaluate a student beside itself untrained and the majority class.

    Run it again to go on.
    """
    with errors(resume=True, kept="every finished question is kept"):
        asked = _Asked(
            student,
            source,
            split,
            variant,
            spec,
            revision,
            limit,
            base,
            teacher_chains,
            batch_tokens,
        )
        job = _prepare(asked)
        if dry_run:
            lines = _measured(job)
        else:
            folder = out or _default_out(student, job)
            from cotbuild.builder.evaluation.table import evaluation_lines

            lines = evaluation_lines(_evaluated(job, folder), folder)
        for line in lines:
            print(line)


class _Asked(NamedTuple):
    """The flags."""

    student: str
    source: str | None
    split: str
    variant: str | None
    spec: Path | None
    revision: str | None
    limit: int | None
    base: str | None
    teacher_chains: bool
    batch_tokens: int


class _Job(NamedTuple):
    """All that is known before a model is loaded."""

    asked: _Asked
    run: StudentRun | None
    model: "ResolvedModel | None"
    """Of a student that is no run."""
    spec: VariantSpec
    items: "list[EvaluationItem]"
    plan: "EvaluationPlan"
    untrained_plan: "EvaluationPlan"

    @property
    def identity(self) -> str:
        from cotbuild.student.training.run_dir import run_identity

        return (
            run_identity(self.run)
            if self.run
            else self.model.identity
            if self.model
            else ""
        )

    def what(self, identity: str) -> "EvaluationInputs":
        from cotbuild.builder.sources.splits import canonical_split
        from cotbuild.student.evaluation.plan import make_evaluation_inputs

        return make_evaluation_inputs(
            identity,
            self.items,
            self.plan,
            self.spec,
            canonical_split(self.asked.split),
        )

    def load(self) -> "Student":
        from cotbuild.student.training.run_dir import load_trained

        return (
            load_trained(Path(self.asked.student).expanduser())
            if self.model is None
            else _load(self.model)
        )


def _prepare(asked: _Asked) -> _Job:
    """Raises ConfigError and DataError; loads no model."""
    from cotbuild.builder.evaluation.models import find_model, student_packages
    from cotbuild.builder.evaluation.questions import (
        evaluation_questions,
        evaluation_rows,
    )
    from cotbuild.builder.terminal import Terminal

    terminal, run = Terminal(), _run_of(asked)
    spec, source = _spec_of(asked, run), _source_of(asked, run)
    with student_packages():
        from cotbuild.student.evaluation.plan import (
            EvaluationItem,
            make_evaluation_plan,
        )
    model = None if run else find_model(asked.student, asked.revision, terminal.say)
    if asked.teacher_chains:
        split, items = _with_chains(asked, run, spec, source)
        asked = asked._replace(split=split)
    else:
        questions = evaluation_questions(source, asked.split, asked.limit, terminal)
        items = [
            EvaluationItem(q, row)
            for q, row in zip(questions, evaluation_rows(spec, questions), strict=True)
        ]
    p99, seen = (
        (run.data.rationale_tokens_p99, run.data.question_digests) if run else (0, ())
    )
    layout = run.layout if run else layout_of(spec)
    plan = make_evaluation_plan(layout, p99, asked.batch_tokens, seen)
    return _Job(asked, run, model, spec, items, plan, plan._replace(seen=frozenset()))


def _with_chains(
    asked: _Asked, run: StudentRun | None, spec: VariantSpec, source: str
) -> "tuple[str, list[EvaluationItem]]":
    """The split that the teacher was asked about, and its questions that the run was
    not trained on.
    """
    from cotbuild.builder.evaluation.questions import evaluation_rows
    from cotbuild.builder.evaluation.teacher_rationales import teacher_chains
    from cotbuild.builder.terminal import Terminal
    from cotbuild.prompts.student import question_digest
    from cotbuild.student.evaluation.plan import EvaluationItem

    if run is None or run.layout.label_first:
        raise ConfigError(
            f"--teacher-chains: {asked.student} reads no rationale before its label. Expected a run that does, as of "
            "pre_cot."
        )
    seen = frozenset(run.data.question_digests)
    found = teacher_chains(
        source,
        spec,
        lambda text: question_digest(text) in seen,
        asked.limit,
        Terminal(),
    )
    rows = evaluation_rows(spec, found.questions)
    return found.split, [
        EvaluationItem(*one)
        for one in zip(found.questions, rows, found.rationales, strict=True)
    ]


def _run_of(asked: _Asked) -> StudentRun | None:
    """The finished run that is to be evaluated; None: a model is."""
    from cotbuild.builder.evaluation.models import student_packages

    with student_packages():
        from cotbuild.student.training.run_dir import open_finished_run, read_run
    folder = Path(asked.student).expanduser()
    if read_run(folder) is None:
        return None
    if asked.variant or asked.spec or asked.revision:
        raise ConfigError(
            f"{folder}: --variant, --spec and --revision are for models. Expected none with a run, which has its own. "
            "Leave them out."
        )
    return open_finished_run(folder)


def _spec_of(asked: _Asked, run: StudentRun | None) -> VariantSpec:
    from cotbuild.builder.evaluation.questions import chosen_variant, evaluation_rows

    spec = run.data.spec if run else chosen_variant(asked.variant, asked.spec)
    evaluation_rows(spec, [])  # refuses what says no label
    return spec


def _source_of(asked: _Asked, run: StudentRun | None) -> str:
    """Where the questions come from; of a run by itself the evaluation splits of its
    build.
    """
    from cotbuild.builder.evaluation.models import remembered_source

    if asked.source is None and run is None:
        raise ConfigError(
            "no --source. Expected the questions of a model, such as --source openbookqa, or a build."
        )
    return asked.source or remembered_source(Path(asked.student).expanduser())


def _default_out(student: str, job: _Job) -> Path:
    if job.run is None:
        raise ConfigError(
            "no --out. Expected a folder for the results, such as --out results/embedded; or --dry-run."
        )
    what = job.what(job.identity)
    limit = f"-first-{job.asked.limit}" if job.asked.limit else ""
    chains = "-teacher-chains" if what.teacher_chains else ""
    name = f"{what.dataset.replace('/', '-')}-{what.split}{limit}{chains}"
    return Path(student).expanduser() / "evaluations" / name


def _evaluated(job: _Job, out: Path) -> "Evaluation":
    """Evaluate what is not had yet, and write it all down."""
    from cotbuild.builder.evaluation.results import ResultsFile, write_evaluation
    from cotbuild.builder.terminal import Terminal
    from cotbuild.schemas.evaluation import Evaluation
    from cotbuild.student.evaluation.metrics import (
        compute_chance_accuracy,
        compute_majority_baseline,
        compute_metrics,
        name_primary_metric,
    )
    from cotbuild.student.training.run_dir import library_versions

    what, terminal = job.what(job.identity), Terminal()
    first = job.plan.layout.label_first
    beside = _Untrained(job, out) if job.run else None
    ours = _collected(ResultsFile(out, "student", what), job, job.load, terminal)
    untrained = beside.results(terminal) if beside else None
    evaluation = Evaluation(
        metric=name_primary_metric(ours),
        evaluated=what,
        student=compute_metrics(ours, label_first=first),
        untrained=compute_metrics(untrained, label_first=first) if untrained else None,
        untrained_student=job.run.student if job.run else None,
        majority=compute_majority_baseline(ours),
        chance=compute_chance_accuracy(ours),
        versions=library_versions(),
    )
    write_evaluation(out, evaluation)
    return evaluation


class _Untrained:
    """The student that a run began with, on the same rows; from the user's cache where
    it was evaluated before.

    Raises ConfigError, before anything is run, where it has to be evaluated and nobody
    knows where it is.
    """

    def __init__(self, job: _Job, out: Path) -> None:
        from cotbuild.builder.evaluation.results import ResultsFile, cached_untrained
        from cotbuild.builder.storage.cache import cache_dir

        assert job.run is not None
        what = job.what(job.run.student)
        self._job = job._replace(plan=job.untrained_plan)
        self._copy, self._cached = (
            ResultsFile(out, "untrained", what),
            cached_untrained(cache_dir(), what),
        )
        had = self._copy.finished() is not None or self._cached.finished() is not None
        self._model = None if had else _base_of(job)

    def results(self, terminal: "Terminal") -> "list[QuestionResult]":
        """In the order of the questions; a copy stands beside the student's."""
        if (there := self._copy.finished()) is not None:
            return there
        model = self._model
        found = _collected(self._cached, self._job, lambda: _load(model), terminal)
        return self._copy.collect(lambda _: iter(enumerate(found)), lambda *_: None)


def _collected(
    results: "ResultsFile",
    job: _Job,
    load: "Callable[[], Student]",
    terminal: "Terminal",
) -> "list[QuestionResult]":
    from cotbuild.student.evaluation.evaluate import evaluate_questions as each

    if (there := results.finished()) is not None:
        return there
    student = load()
    with terminal.counting("questions") as progress:
        return results.collect(
            lambda done: each(student, job.items, job.plan, done), progress
        )


def _base_of(job: _Job) -> "ResolvedModel":
    """The model that the run began with.

    Raises ConfigError where it is another one now, or cannot be found.
    """
    from cotbuild.builder.evaluation.models import find_model
    from cotbuild.builder.teachers.model_names import hub_commit
    from cotbuild.builder.terminal import Terminal

    assert job.run is not None
    wanted = job.run.student
    name = job.asked.base or job.run.config.student
    if wanted.startswith("local:") and not Path(name).expanduser().is_dir():
        raise ConfigError(
            f"the untrained student is a folder {name!r}, whose place the run does not hold. Expected it beside the "
            "trained one. Pass --base FOLDER."
        )
    model = find_model(
        name, hub_commit(wanted) if wanted.startswith("hub:") else None, Terminal().say
    )
    if model.identity != wanted:
        raise ConfigError(
            f"--base {name!r} is {model.identity[:24]!r}, the run began with {wanted[:24]!r}. Expected the same "
            "weights. Pass --base with the folder that it was trained from."
        )
    return model


def _load(model: "ResolvedModel | None") -> "Student":
    from cotbuild.student.model import load_student

    assert model is not None
    return load_student(model.where, model.identity, revision=model.revision)


def _measured(job: _Job) -> Iterator[str]:
    """What `--dry-run` prints."""
    from cotbuild.builder.evaluation.results import cached_untrained
    from cotbuild.builder.storage.cache import cache_dir
    from cotbuild.builder.ui import format_duration, pluralize
    from cotbuild.student.evaluation.evaluate import estimate_evaluation_cost

    cost = estimate_evaluation_cost(job.load(), job.items, job.plan)
    yield f"{pluralize(len(job.items), 'question')}, {cost.tokens} tokens read; at most {cost.generated} generated"
    yield f"about {format_duration(cost.seconds)} on this machine (measured: {pluralize(cost.measured, 'question')} of these)"
    if job.run is not None:
        cached = (
            cached_untrained(cache_dir(), job.what(job.run.student)).finished()
            is not None
        )
        yield (
            "the untrained student was evaluated on them before"
            if cached
            else "the untrained student: as much again"
        )
