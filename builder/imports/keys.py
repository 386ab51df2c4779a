"""What rows and questions are joined by: a key of each, equal where they belong
together. Pure but for order files.
"""

from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.imports.embedded_questions import EmbeddedQuestionIndex
from cotbuild.builder.imports.read import get
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.make import choice_pairs, clean_field, clean_id
from cotbuild.schemas.answers.compare import casefold_text
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import ImportRecipe
from cotbuild.schemas.question import Question

RowKey = Callable[[Row, int], str]
"""A row and its number over all files to its key; raises BadRow."""


def row_key(recipe: ImportRecipe, order: list[str] | None) -> RowKey:
    """How rows are keyed; `order`: the ids that rows stand in the order of."""
    columns = recipe.columns
    match recipe.join:
        case "id":
            return lambda row, _: clean_id(get(row, columns["id"]))
        case "question":
            return lambda row, _: _written(row, columns)
        case "inside":
            numbers = EmbeddedQuestionIndex(recipe)
            return lambda row, _: str(numbers.of(row))
        case "order" if order is None:
            return lambda _, number: str(number)
        case "order":
            return lambda _, number: (
                order[number] if number < len(order) else ""
            )  # a wrong count is refused later


def question_key(
    recipe: ImportRecipe, order: list[str] | None
) -> Callable[[Question], str]:
    """How questions are keyed."""
    if recipe.join == "question":
        return lambda question: _asked(question, recipe)
    if recipe.join == "id" or order is not None:
        return lambda question: question.id
    return lambda question: str(question.source.row)


def _written(row: Row, columns: dict[str, str]) -> str:
    """The row's question as compared, with the choices where they have a column of
    their own.
    """
    text = clean_field(get(row, columns["question"]), "question")
    options = (
        [text for _, text in choice_pairs(get(row, columns["choices"]))]
        if "choices" in columns
        else []
    )
    return "\n".join(map(casefold_text, [text, *options]))


def _asked(question: Question, recipe: ImportRecipe) -> str:
    options = (
        [choice.text for choice in question.choices]
        if "choices" in recipe.columns
        else []
    )
    lines = [recipe.format_question(question), *options]
    return "\n".join(map(casefold_text, lines))


def read_order(path: Path) -> list[str]:
    """The ids of a file, in order. Raises DataError at a row without one."""
    ids = []
    for number, row in enumerate(FileRows(path)):
        try:
            if isinstance(row, BadRow):
                raise row
            ids.append(clean_id(row.get("id")))
        except BadRow as fault:
            raise DataError(
                f"{path.name} row {number} (from 0): {fault.message}"
            ) from fault
    return ids
