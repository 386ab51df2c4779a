"""The first rows of a build, asked for before the build is made."""

from itertools import islice
from pathlib import Path

from cotbuild.builder.build.install import lock_build, refuse_other_content
from cotbuild.builder.generate.run import resolve
from cotbuild.builder.sources import remember_source
from cotbuild.builder.ui import Ui
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.rationale import Rationale


def preview_rows(
    config: BuildConfig, out: Path, ui: Ui, *, num_rows: int
) -> list[Rationale]:
    """Return the first rows of the build of `config`, in the order of the build.

    What has no stored answer is asked now. The answers go into the store in `out`,
    where `generate` finds them, so that nothing is asked or paid twice; a finished
    build there stays as it is. Raises as `generate` does, and StoreError if another
    process holds the build.
    """
    samples = min(config.samples, num_rows)
    num_questions = max(1, num_rows // samples)
    limit = min(config.source.limit or num_questions, num_questions)
    source = config.source.model_copy(update={"limit": limit})
    few = config.model_copy(update={"source": source, "samples": samples})
    refuse_other_content(out)
    job = resolve(few, out)
    with lock_build(out):
        remember_source(job.source, job.store.root)
        rows = job.collect_rows(ui, retry_failed=False).rows
        return list(islice(rows, num_rows))
