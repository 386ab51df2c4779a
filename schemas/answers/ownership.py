"""Tell the writer's own answer from one that is only spoken of. Pure.

"The wrong answer is (A)", "The student's answer is 40" and "Some might think the answer is
(A)" state no answer of the writer, and neither does one that is ruled out behind. Texts
are passed as `folding.fold` leaves them, in lower case.
"""

import re

from cotbuild.schemas.question import Question

_NOUN_CHARS = 60
"""How far before a noun the words may begin that say whose answer it is."""
_OPINION_CHARS = 120
_REJECTED = (
    r"wrong|incorrect|false|worst|alternative|(?:an)?other|runner-?up|least [a-z]{3,12}"
    r"|(?:second|third|next)[ -](?:best|most [a-z]{3,12})"
)
_UNSETTLED = (
    r"naive|obvious|intuitive|tempting|flawed|mistaken|partial|previous|initial|original"
    r"|earlier|first|(?<!only )(?<!best )(?<!likely )possible"
)
_OF_THE_TASK = (
    "question|problem|riddle|puzzle|equation|quiz|exercise|task|it|that|let|here|what"
    "|there"
)
_NOT_OWN = re.compile(
    rf"\b(?:(?P<rejected>{_REJECTED}) (?:possible |best )?(?:answer|option|choice|match)"
    rf"|(?P<unsettled>{_UNSETTLED}) (?:answer|guess)"
    rf"|(?!(?:{_OF_THE_TASK})'s)[a-z]{{2,20}}'s (?:final )?(?:answer|guess))\b"
)
_SAY = (
    r"(?:think|say|believe|assume|guess|argue|claim|conclude|suppose)"
    r"(?:s|d|ed)?|said|thought"
)
_OPINION = re.compile(
    r"\b(?:(?:some|many|most|others|people|students|someone|they|he|she|one (?:might|may|could)"
    r"|you (?:might|may|could)|the (?:student|textbook|book|author|teacher|user|passage))"
    rf"(?: (?!i\b|we\b)[a-z']{{1,15}}){{0,4}}? (?:{_SAY})"
    r"|(?:wrong|incorrect|mistake is|error is|mistaken|tempting|tempted) to "
    r"(?:think|say|believe|assume|guess|claim|conclude))"
    r"(?: that)?(?: the| their| his| her)?(?: (?:correct|final|right|best))? ?\Z"
)
_RULED_OUT = re.compile(
    r"\b(?:it|that|this|the answer) "
    r"(?:can ?not be|can't be|could ?not be|couldn't be|isn't|is not) (?:option |choice )?"
    r"[(\[*\"'$]{0,3}(?P<value>[a-z0-9]{1,12}(?:\.[0-9]{1,6})?)"
    # "it is not a metal" rules out no (A).
    r"(?=[)\]*\"'$.,;!?\n]|\Z)"
)


def is_of_another(low: str, cue: int, cue_end: int, question: Question) -> bool:
    """Return whether a cue names a wrong, an earlier or another one's answer.

    Words such as "least likely" that the question itself has say nothing of the kind.
    """
    for found in _NOT_OWN.finditer(low, max(0, cue - _NOUN_CHARS), cue_end):
        kind = (found["rejected"] or found["unsettled"] or "").split(" ")[0]
        is_asked_for = bool(kind) and kind in question.text.lower()
        # The noun, which ends a match, is the cue's.
        if found.end() > cue and not is_asked_for:
            return True
    return False


def is_opinion(low: str, cue: int) -> bool:
    """Return whether a cue is what others say: "some might think that the" (answer is)."""
    return _OPINION.search(low, max(0, cue - _OPINION_CHARS), cue) is not None


def is_ruled_out(low: str, answer: str, end: int) -> bool:
    """Return whether the text from `end` on says that it cannot be `answer`."""
    value = answer.lower()
    return any(found["value"] == value for found in _RULED_OUT.finditer(low, end))
