"""report/: a study's results as a page, tables and a picture.

The same record and results give the same bytes.
"""

from pathlib import Path

from cotbuild.builder.study.report.page import page
from cotbuild.builder.study.report.plots import pictures
from cotbuild.builder.study.report.tables import tables
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import write_bytes_atomic
from cotbuild.schemas.study.declaration import Study
from cotbuild.schemas.study.record import StudyRegistration
from cotbuild.schemas.study.results import StudyResults

PAGE, RESULTS, PICTURE = "index.html", "results.json", "accuracy.png"


def write_report(
    folder: Path, registered: StudyRegistration, results: StudyResults, study: Study
) -> Path:
    """Write it, the page last, and return the page's path. `study`: as it stands now.
    Raises StoreError.

    PICTURE is written once a recipe of the main setting has answers.
    """
    drawn = pictures(registered, results)
    files = {name: text.encode() for name, text in tables(results).items()}
    files[RESULTS] = (results.model_dump_json(indent=2) + "\n").encode()
    if "accuracy" in drawn:
        files[PICTURE] = drawn["accuracy"]
    files[PAGE] = page(registered, results, study, drawn).encode()
    try:
        for name, data in files.items():
            write_bytes_atomic(folder / name, data)
        if PICTURE not in files:
            (folder / PICTURE).unlink(missing_ok=True)  # of an earlier report
    except OSError as error:
        raise StoreError(
            f"{folder}: {error}. Expected a folder that can be written to. Run it again."
        ) from error
    return folder / PAGE
