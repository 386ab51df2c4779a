"""report/: a study's results as a page, tables and a picture. The same record and results give the same bytes."""

from pathlib import Path

from cotbuild.builder.durable import write_bytes, write_text
from cotbuild.builder.study.page import page
from cotbuild.builder.study.pictures import pictures
from cotbuild.builder.study.tables import tables
from cotbuild.schemas.study import Study
from cotbuild.schemas.study_record import Registered
from cotbuild.schemas.study_results import StudyResults

PAGE, RESULTS, PICTURE = "index.html", "results.json", "accuracy.png"


def write_report(folder: Path, registered: Registered, results: StudyResults, study: Study) -> Path:
    """Write it, the page last, and return the page's path. `study`: as it stands now. OSError as it comes.

    PICTURE is written once a recipe of the main setting has answers.
    """
    drawn = pictures(registered, results)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables(results).items():
        write_text(folder / name, text)
    write_text(folder / RESULTS, results.model_dump_json(indent=2) + "\n")
    if "accuracy" in drawn:
        write_bytes(folder / PICTURE, drawn["accuracy"])
    else:
        (folder / PICTURE).unlink(missing_ok=True)  # of an earlier report
    write_text(folder / PAGE, page(registered, results, study, drawn))
    return folder / PAGE
