"""The languages in which answers are read, beside English.

To add one, add a row to the module of its region, and a table of texts to
tests/schemas/answers/languages.
"""

from cotbuild.schemas.answers.languages.east_asian import EAST_ASIAN
from cotbuild.schemas.answers.languages.eastern import EASTERN
from cotbuild.schemas.answers.languages.language import Language
from cotbuild.schemas.answers.languages.southern import SOUTHERN
from cotbuild.schemas.answers.languages.western import WESTERN

LANGUAGES: tuple[Language, ...] = (*WESTERN, *EASTERN, *SOUTHERN, *EAST_ASIAN)
