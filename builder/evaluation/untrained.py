"""The untrained model beside a student: found, evaluated once, and copied."""

from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.evaluation.models import ResolvedModel, find_model
from cotbuild.builder.evaluation.results import ResultsFile, cached_untrained
from cotbuild.builder.evaluation.task import EvaluationTask, untrained_student
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.model_names import hub_commit
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.evaluation import EvaluationInputs, QuestionResult
from cotbuild.schemas.training import StudentRun


def prepare_untrained(
    task: EvaluationTask, run: StudentRun, base: str | None, out: Path, ui: Ui
) -> Callable[[], list[QuestionResult]]:
    """Return a function that gives the results of the model before training.

    They are kept in the user's cache, so that ten runs of one model on the same
    questions evaluate it once, and copied to `out`. Raises ConfigError if the model has
    to be evaluated and cannot be found.
    """
    inputs = untrained_inputs(task, run)
    copy = ResultsFile(out, "untrained", inputs)
    copied = copy.read_finished()
    if copied is not None:
        return lambda: copied
    cached = cached_untrained(cache_dir(), inputs)
    results = cached.read_finished()
    if results is not None:
        return lambda: _write_copy(copy, results)
    model = _find_base_model(run, base, ui)
    trained = task.student
    untrained = EvaluationTask(
        student=untrained_student(
            model, trained.spec, trained.layout, trained.precision
        ),
        items=task.items,
        plan=task.plan._replace(seen=frozenset()),
        inputs=inputs,
    )
    return lambda: _write_copy(copy, untrained.collect_results(cached, ui))


def untrained_inputs(task: EvaluationTask, run: StudentRun) -> EvaluationInputs:
    """Return the inputs of the evaluation of the model before training."""
    return task.inputs.model_copy(update={"student": run.student})


def _write_copy(
    file: ResultsFile, results: list[QuestionResult]
) -> list[QuestionResult]:
    return file.collect(lambda _: enumerate(results), lambda *_: None)


def _find_base_model(run: StudentRun, base: str | None, ui: Ui) -> ResolvedModel:
    """Find the model that a run was trained from.

    Raises ConfigError if it cannot be found or its weights have changed.
    """
    name = base or run.config.student
    if run.student.startswith("local:") and not Path(name).expanduser().is_dir():
        raise ConfigError(
            f"the untrained model is a folder named {name!r}, and the run does not "
            "record where it is. Pass --base FOLDER."
        )
    revision = hub_commit(run.student) if run.student.startswith("hub:") else None
    model = find_model(name, revision, ui.say)
    if model.identity != run.student:
        raise ConfigError(
            f"--base {name!r} has weights {model.identity[:24]!r}, but the run began "
            f"with {run.student[:24]!r}. Pass --base with the folder that it was "
            "trained from."
        )
    return model
