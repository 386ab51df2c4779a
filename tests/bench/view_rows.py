"""What pages of rows take on a build of a million rows, with pyarrow beside.

The build has the columns, files and row groups that cotbuild writes, and rationales of 60
made-up words. Each question is asked first of a database that knows nothing, then again
with another value of the same condition, as somebody does who clicks through facets.
pyarrow answers the same question with a scanner over the same files, in the same run.
Times are of two threads; the page cache is warm.

Run as `PYTHONPATH=. python tests/bench/view_rows.py`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from harness import load, spread, table

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.facets import read_facets
from cotbuild.builder.view.histogram import read_histogram
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.rows import read_page
from tests.support.big_builds import RARE_WORD, write_big_build

_LISTED = ["question_id", "question", "rationale", "choices", "verdict", "flags"]


class Question(NamedTuple):
    """Something a page shows, in two ways."""

    name: str
    ask: Callable[[Database, int], str]
    """Asks by the page's own code, the n-th time; returns what there is to say of it."""
    ask_pyarrow: Callable[[int], object] | None


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=7)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--build", type=Path, help="a build made before, to keep")
    args = options.parse_args()
    print(load())
    pa.set_cpu_count(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        place = args.build or Path(folder, "build")
        if not place.exists():
            write_big_build(place, args.rows)
        measure(StoredBuild.open(place), args.times, args.threads)


def measure(build: StoredBuild, times: int, threads: int) -> None:
    """Print a table of what each question took, ms: first, then median and range."""
    rows = []
    for question in _questions(build):
        with Database([build.folder], threads=threads) as database:
            spent = [
                _time(partial(question.ask, database, number))
                for number in range(times)
            ]
            said = question.ask(database, 0)
        beside = "–"
        if question.ask_pyarrow is not None:
            asks = [partial(question.ask_pyarrow, number) for number in range(3)]
            beside = spread((_time(ask) for ask in asks), ".0f")
        rows.append(
            (question.name, f"{spent[0]:.0f}", spread(spent[1:], ".0f"), beside, said)
        )
    table(("", "first, ms", "again, ms", "pyarrow, ms", ""), rows)
    print(f"{build.manifest.num_planned:,} rows, {threads} threads of {os.cpu_count()}")


def _time(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - started)


def _questions(build: StoredBuild) -> Iterator[Question]:
    scan = ds.dataset(str(build.folder / RATIONALES), format="parquet")
    templates = ["elicit_choice@2", "elicit_number@1", "rationalize_choice@2"]
    verdicts = ["incorrect", "truncated", "no_answer", "correct"]
    flags = ["cut", "markup", "names_target", "repeats_itself"]

    def page(
        query: dict[str, str], after: str | None = None
    ) -> Callable[[Database], str]:
        def ask(database: Database) -> str:
            found = read_page(database, build, RowFilter.from_query(query), after)
            return found.stopped or f"{found.total} match"

        return ask

    def head(condition: Any) -> object:
        return scan.head(50, columns=_LISTED, filter=condition)

    def cycle(values: Sequence[str], number: int) -> str:
        return values[number % len(values)]

    yield Question(
        "first page",
        lambda db, _: page({})(db),
        lambda _: scan.head(50, columns=_LISTED),
    )
    yield Question(
        "verdict",
        lambda db, n: page({"verdict": cycle(verdicts, n)})(db),
        lambda n: (
            head(pc.field("verdict") == cycle(verdicts, n)),
            scan.count_rows(filter=pc.field("verdict") == cycle(verdicts, n)),
        ),
    )
    yield Question(
        "template and verdict",
        lambda db, n: page(
            {"template": cycle(templates, n), "verdict": cycle(verdicts, n)}
        )(db),
        None,
    )
    yield Question("flag", lambda db, n: page({"flag": cycle(flags, n)})(db), None)
    yield Question(
        "characters from",
        lambda db, n: page({"min_chars": str(400 + n)})(db),
        lambda n: scan.count_rows(
            filter=pc.utf8_length(pc.field("rationale")) >= 400 + n
        ),
    )
    yield Question(
        "facets of a flag",
        lambda db, n: str(
            read_facets(
                db, build, RowFilter.from_query({"flag": cycle(flags, n)})
            ).stopped
            or "all counted"
        ),
        None,
    )
    yield Question(
        "histogram of a verdict",
        lambda db, n: (
            read_histogram(
                db,
                build,
                RowFilter.from_query({"verdict": cycle(verdicts, n)}),
                "chars",
            ).stopped
            or "all counted"
        ),
        None,
    )
    deep = _cursor_at(build, build.manifest.num_planned * 9 // 10)
    yield Question(
        "deep page", lambda db, _: page({}, deep)(db), lambda _: _skip(scan, None)
    )
    yield Question(
        "deep page, verdict",
        lambda db, n: page({"verdict": cycle(verdicts, n)}, deep)(db),
        lambda n: _skip(scan, pc.field("verdict") == cycle(verdicts, n)),
    )
    yield Question(
        "one question", lambda db, n: page({"id": f"q{n * 1000:07d}"})(db), None
    )
    yield Question("tag", lambda db, n: page({"tag": f"area:a{n % 7}"})(db), None)
    words = [RARE_WORD, RARE_WORD.upper(), RARE_WORD[:9], RARE_WORD[1:], RARE_WORD[2:]]
    yield Question(
        "text contains, each time another",
        lambda db, n: page({"text": words[n % len(words)] + " " * (n // len(words))})(
            db
        ),
        lambda n: scan.count_rows(
            filter=pc.match_substring(
                pc.field("rationale"), words[n % len(words)], ignore_case=True
            )
        ),
    )


def _skip(scan: Any, condition: Any) -> object:
    """Fifty rows from nine tenths on, as an offset finds them."""
    numbers = (
        scan.to_table(columns=["sample_index"], filter=condition).num_rows * 9 // 10
    )
    return scan.scanner(columns=_LISTED, filter=condition).take(
        pa.array(range(numbers, numbers + 50))
    )


def _cursor_at(build: StoredBuild, position: int) -> str:
    with Database([build.folder]) as database:
        first = read_page(database, build, RowFilter())
    assert first.next is not None
    name, _, _ = first.next.rpartition("-")
    return f"{name}-{position}"


if __name__ == "__main__":
    main()
