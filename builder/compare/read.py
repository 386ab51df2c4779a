"""Find and read the answers of a student: a run, an evaluation, or a file of results."""

from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.compare.answers import (
    AnsweredQuestion,
    GradedAnswer,
    StudentAnswers,
    Writer,
)
from cotbuild.builder.compare.lm_eval import read_samples
from cotbuild.builder.evaluation.results import read_stored_results
from cotbuild.builder.study.folder import REGISTRATION, STUDY
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.evaluation import EVALUATION_RECORD, STUDENT, QuestionResult

RUN = "run.json"
METRICS = ("accuracy", "normalised", "free")
"""Metrics of `cotbuild evaluate` that grade each answer, the primary one first."""

_MAX_NAMED = 5


def read_student(path: Path, filter_name: str | None = None) -> StudentAnswers:
    """Read the answers of a student.

    `path` is the folder of an evaluation or of a run with one evaluation, a file of
    results (student.parquet, untrained.parquet), or samples of lm-evaluation-harness, of
    which `filter_name` reads those of one filter.

    Raises ConfigError if `path` is something else, DataError and StoreError if a file
    cannot be read.
    """
    if path.is_dir():
        path = _find_evaluation(path)
    if path.name == EVALUATION_RECORD:
        path = path.parent / f"{STUDENT}.parquet"
    if path.suffix == ".parquet":
        return _read_parquet(path)
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder. Pass the folder of `cotbuild evaluate` or of "
            "a run, or samples of lm-evaluation-harness."
        )
    return read_samples(path, filter_name)


def _find_evaluation(folder: Path) -> Path:
    """Return evaluation.json in a folder, or that of the run's only evaluation."""
    if (folder / EVALUATION_RECORD).is_file():
        return folder / EVALUATION_RECORD
    if (folder / RUN).is_file():
        return _only_evaluation(folder)
    if (folder / STUDY).is_file() or (folder / REGISTRATION).is_file():
        raise ConfigError(
            f"{folder}: a study, whose report compares its variants over all seeds. Run "
            "`cotbuild study` on it; `compare` takes one trained student a side."
        )
    runs = [one.parent for one in sorted(folder.glob(f"*/{RUN}"))]
    if runs:
        raise ConfigError(
            f"{folder}: holds {_count(runs, 'training run')}. `compare` takes one a side, "
            f"such as {runs[0]}. To compare several seeds a side, declare them in a study "
            "(`cotbuild study init`)."
        )
    samples = sorted(folder.glob("samples_*.jsonl"))
    if samples:
        raise ConfigError(
            f"{folder}: holds {_count(samples, 'file')} of samples of "
            f"lm-evaluation-harness. Pass one of them, such as {samples[0]}."
        )
    raise ConfigError(
        f"{folder}: holds neither an evaluation nor a run. Pass a folder that `cotbuild "
        "evaluate` or `cotbuild train` wrote."
    )


def _only_evaluation(run: Path) -> Path:
    found = sorted(run.glob(f"evaluations/*/{EVALUATION_RECORD}"))
    if not found:
        raise DataError(f"{run}: not evaluated. Run `cotbuild evaluate` on it first.")
    if len(found) > 1:
        names = ", ".join(one.parent.name for one in found[:_MAX_NAMED])
        more = ", …" if len(found) > _MAX_NAMED else ""
        raise ConfigError(
            f"{run}: has {_count(found, 'evaluation')}: {names}{more}. Pass one of them, "
            f"such as {found[0].parent}."
        )
    return found[0]


def _count(paths: list[Path], noun: str) -> str:
    return f"{len(paths)} {noun}{'' if len(paths) == 1 else 's'}"


def _read_parquet(path: Path) -> StudentAnswers:
    stored = read_stored_results(path)
    return StudentAnswers(
        place=str(path.parent if path.stem == STUDENT else path),
        writer=Writer.COTBUILD,
        questions=tuple(_make_questions(stored.results)),
        metrics=METRICS,
        evaluated=stored.evaluated,
    )


def _make_questions(results: list[QuestionResult]) -> Iterator[AnsweredQuestion]:
    for result in results:
        has_options = result.choice is not None
        primary = result.choice if has_options else result.answer
        yield AnsweredQuestion(
            id=result.question_id,
            target=result.target,
            answers={
                "accuracy": GradedAnswer(primary, result.correct),
                "normalised": GradedAnswer(
                    result.choice_normalised, result.correct_normalised
                ),
                "free": GradedAnswer(result.answer, result.correct_free),
            },
        )
