"""Numbers as languages with a decimal comma write them. Pure.

"1.234,56" and "3,5" can be told from their form. "1.234" and "1,234" cannot, and are
read as the rest of the text writes its numbers.
"""

import re

_NUMBER = re.compile(
    r"(?<![\w.,])[0-9]{1,15}(?:[.,][0-9]{1,15}){1,8}(?![\w]|[.,][0-9])"
)
_THREES = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+")
_DECIMAL_POINT = re.compile(r"(?<![\w.,])[0-9]{1,9}\.[0-9]{1,2}(?![\w.,])")
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])[0-9]{1,9},[0-9]{1,2}(?![\w.,])")
_SWAPPED = str.maketrans(".,", ",.")


def write_in_english(window: str, text: str, question: str) -> str | None:
    """Return `window` with the separators of its numbers as English has them.

    The length stays. None if a number can be read in two ways, and neither the text nor
    the question tells which.
    """
    pieces = []
    start = 0
    for found in _NUMBER.finditer(window):
        number = _write_number(found[0], text, question)
        if number is None:
            return None
        pieces += [window[start : found.start()], number]
        start = found.end()
    return "".join([*pieces, window[start:]])


def _write_number(number: str, text: str, question: str) -> str | None:
    marks = re.sub(r"[0-9]", "", number)
    if len(set(marks)) == 2:
        return number.translate(_SWAPPED) if marks[-1] == "," else number
    in_threes = _THREES.fullmatch(number) is not None and not number.startswith("0")
    if not in_threes:
        return number.translate(_SWAPPED) if marks == "," else number
    if len(marks) > 1:
        return number.replace(".", ",")
    return _write_ambiguous(number, marks, text, question)


def _write_ambiguous(number: str, mark: str, text: str, question: str) -> str | None:
    """Write a number of one mark and three digits after it."""
    both = f"{question}\n{text}"
    has_plain = re.search(rf"(?<!\d){number.replace(mark, '')}(?!\d)", both) is not None
    has_point = _DECIMAL_POINT.search(both) is not None
    has_comma = _DECIMAL_COMMA.search(both) is not None
    if has_plain or has_point != has_comma:
        groups_with_point = has_comma or not has_point
        is_group = has_plain or (mark == ".") == groups_with_point
        return number.replace(".", ",") if is_group else number.replace(",", ".")
    if has_point and has_comma:
        return None
    return number.replace(".", ",")
