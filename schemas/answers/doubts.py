"""Tell what states an answer from what only speaks of one. Pure.

"If the answer is (A), …", "I doubt that the answer is 42", "The answer is not B" and "Is
the answer B?" name an answer, and none of them gives it. Texts are passed as
`folding.fold` leaves them, in lower case.
"""

import re

from cotbuild.schemas.question import QuestionKind

_SENTENCE_CHARS = 240
"""How far before a cue its sentence is looked at."""
_HINTS = (
    "if", "unless", "when", "depend", "long as", "had", "should", "suppos", "assum",
    "imagin", "whether", "in case", "provided", "were", "then", "that case",
    "this case", "n't", "not", "never", "doubt", "unlikely", "unclear",
)  # fmt: skip
"""One of them stands before whatever is supposed or denied."""
_SENTENCE_START = re.compile(
    r"[.!?;\n](?=[\s\"'*)\]])|\n|(?<=[a-z)\]\"'])[.!?](?=[A-Z])"
    r"|(?<=[a-z]), ?(?=The (?:[a-z]+ )?\Z)"
)
_CONDITION = re.compile(
    r"(?:\A|[,:(\"'*-] ?|\b(?:and|or|but|only|even|that|so|then|now|let's|let us|we|i"
    r"|can|could|may|to) )"
    r"(?:if|unless|suppose|supposing|assume|assuming|imagine|in case|provided that)\b"
    r"|\A(?:were|had|should|depending on|as long as)\b"
)
_INVERTED = re.compile(r"(?:were|had|should)\b")
_CONCLUSION = re.compile(r"\b(?:so|therefore|thus|hence|but|consequently)\b")
_IN_CONDITION = re.compile(
    r"\b(?:if|unless|suppose|supposing|assume|assuming|imagine|whether)"
    r"(?: (?:that|the|my|our|we|you|i|then|instead))*(?: [a-z]+){0,2} ?\Z"
)
_IF_WE = re.compile(
    r"(?:if|assuming|suppose) (?:that )?(?:we|you|i|one) (?:add|multiply|divide|subtract"
    r"|count|look|consider|compare|use|take|convert|calculate|compute|solve|plug|substitute"
    r"|put|sum|combine|simplify|do|follow|check)\b"
)
_WHEN = re.compile(r"when(?:ever)? (?!(?:we|you|i|one|considering|looking|asked)\b)")
_SUPPOSED = re.compile(
    r"\A[^\w]*(?:(?:now|but|and|so|let us|let's),? )?(?:suppose|assume|imagine|say|if)\b"
)
_THEN = re.compile(r"\A(?:then|in that case|in this case)\b")
_ORDINAL = re.compile(
    r"\b(?:step|question|problem|part|case|page|chapter|figure|table|equation|example"
    r"|line|number of)s? ?#?\Z"
)
_ABOUT_ANSWER = re.compile(r"\b(?:this|that|my|your|our|its|the above) (?:final )?\Z")
_DENIED_BEFORE = re.compile(
    r"(?:n't|\bnot|\bnever|\bcannot|\bunlikely|\bunclear"
    r"|(?<!\bno )(?<!\bnot )(?<!n't )(?<!\bwithout )(?<!\bwithout a )\bdoubt)"
    r"(?: (?:necessarily|really|at all|yet))?"
    r"(?: (?:think|believe|say|see|clear|true|sure|certain|mean|imply|feel|agree|know"
    r"|likely|obvious|possible))?"
    r"(?: (?:that|why|how|if|what))?(?: (?:the|my|our))?(?: [a-z]{3,12})? ?\Z"
)
_DENIED_VALUE = re.compile(
    r"[ *_(\"'$\\\n]*+(?:(?:definitely|clearly|certainly|probably|simply|surely|thus"
    r"|therefore|obviously) )?(?:not\b(?! (?:only|just)\b)|never\b|n't\b|no longer\b"
    r"|anything but\b|neither\b(?=[^.\n]{0,60}\bnor\b))"
)
_COMPARED = re.compile(
    r"[ *_(\"'$\n]*+(?:(?:some|any)(?:thing|where) )?"
    r"(?:(?:less|more|greater|larger|smaller|fewer|higher|lower|bigger|other) than"
    r"|at (?:least|most)|up to|over|under|between|below|above|no (?:more|less|fewer)"
    r"|not (?:more|less))\b"
)
_CONDITION_BEHIND = re.compile(
    r"[)\]*_\"'` ]*+,? ?(?:(?:only |but only )?(?:if|unless|when|provided|as long as"
    r"|depending|assuming|except|in (?:some|most|certain) cases|for some|most of the time"
    r"|some of the time|sometimes|usually|to (?:some|a certain) extent)|(?:but )?only (?:in|for|on"
    r"|at|during|after|before|with)|but (?:it depends|not (?:always|if|when)"
    r"|(?:it|this|that)(?:'s| is) (?:debatable|unclear|uncertain|not (?:certain|clear))))\b"
)
_YES_AND_NO = re.compile(
    r"[^.!?\n]{0,40}?(?:[,;]|\band|\bbut) (?:also |it is |then )?(?P<other>yes|no)\b"
    r"(?! (?:doubt|matter|question|problem|need|one|longer|way|other)\b)"
)
_PART_QUESTION = re.compile(r"\b(?:first|second|third|next|previous|sub-?) ?question")
_REVISED = re.compile(
    r"[)\]*_\"'`}$ ]*+(?:\.{2,}|\u2026|,|;| -|\() ?(?:(?:oh|hmm+|um|no),? )?"
    r"(?:wait|actually|sorry|scratch that|correction|i mean|or rather|make that|no, (?:it|the))\b"
)
_QUESTION_BEHIND = re.compile(r"[)\]*_\"'`}$\\. ]*+\?")
_CLOSED = re.compile(
    r"[)\]}\"'*_>$`\\ ]*+(?:[.!;\n\u3002]|\Z|[\u2705\u2714]|:(?=[ \n])"
    r"|,(?! ?(?:which|but|is|are|can|could|may|might|not|although|though|or|and|however"
    r"|would|seems)\b)"
    r"| ?\(| ?- | ?\b(?:because|since|as|given|due|for)\b)"
)
_UNIT_WORDS = re.compile(
    r"[*_]{0,3}(?:[ ,]{0,2}[^\W\d]{1,20}[/^]?\d?){0,4}+[)\]}\"'*_>$`\\% ]*+(?:[.!;\n]|\Z)"
)


def read_before(view: str, low: str, cue: int) -> str:
    """Return the text from the start of its sentence to the cue at `cue`.

    It is empty where nothing is supposed or denied.
    """
    start = max(0, cue - _SENTENCE_CHARS)
    for hint in _HINTS:
        if low.find(hint, start, cue) >= 0:
            return read_sentence_before(view, cue)
    return ""


def is_hypothetical(view: str, prefix: str, cue: int, kind: QuestionKind) -> bool:
    """Return whether the cue at offset `cue` stands in a condition or what follows of it.

    `prefix` is what `read_before` gives for it. A condition of doing a sum ("If we add
    them, the answer is 42") is none.
    """
    if not prefix:
        return False
    if _IN_CONDITION.search(prefix):
        return True
    if kind is QuestionKind.YES_NO and _WHEN.match(prefix):
        return _CONCLUSION.search(prefix) is None
    conditions = list(_CONDITION.finditer(prefix))
    condition = conditions[-1] if conditions else None
    if condition is None:
        return _THEN.match(prefix) is not None and _follows_supposition(view, cue)
    if _CONCLUSION.search(prefix, condition.end()):
        return False
    if kind is QuestionKind.NUMBER:
        # "Had he eaten 10, the answer would be 40"
        return _INVERTED.match(condition[0]) is not None
    words = prefix[condition.start() :].lstrip(" ,:(\"'*-")
    return _IF_WE.search(words) is None


def _follows_supposition(view: str, cue: int) -> bool:
    """Return whether the sentence before that of the cue supposes something."""
    prefix = read_sentence_before(view, cue)
    end = cue - len(prefix)
    before = read_sentence_before(view, max(0, end - 2)) if end > 2 else ""
    return _SUPPOSED.match(before) is not None


def is_remark(low: str, cue: int, value: int) -> bool:
    """Return whether the cue only remarks on an answer: "this answer is based on …"."""
    if not low[value:].lstrip(" *").startswith(("based on", "not ")):
        return False
    return _ABOUT_ANSWER.search(low, max(0, cue - 30), cue) is not None


def is_ordinal(low: str, cue_end: int, value: int) -> bool:
    """Return whether a number only counts something out: "Step 3"."""
    return _ORDINAL.search(low, cue_end, value) is not None


def is_denied(prefix: str) -> bool:
    """Return whether a cue is denied by what stands before: "I doubt that the answer is"."""
    return bool(prefix) and _DENIED_BEFORE.search(prefix) is not None


def is_denied_value(low: str, value: int) -> bool:
    """Return whether the value at offset `value` is denied: "not 42"."""
    return _DENIED_VALUE.match(low, value) is not None


def is_compared(low: str, value: int) -> bool:
    """Return whether the number at `value` is only compared with: "less than 42"."""
    return _COMPARED.match(low, value) is not None


def is_revised(low: str, end: int) -> bool:
    """Return whether an answer that ends at `end` is taken back in its sentence."""
    return _REVISED.match(low, end) is not None


def goes_both_ways(low: str, answer: str, end: int) -> bool:
    """Return whether a yes that ends at `end` goes on with a no, or the reverse."""
    found = _YES_AND_NO.match(low, end)
    return found is not None and found["other"] != answer


def is_of_a_part(low: str, cue: int, cue_end: int) -> bool:
    """Return whether a cue speaks of a part of the question: "the first question"."""
    return _PART_QUESTION.search(low, cue, cue_end) is not None


def has_condition_behind(low: str, end: int) -> bool:
    """Return whether "if …", "only if …" or "unless …" follows at `end`."""
    return _CONDITION_BEHIND.match(low, end) is not None


def is_asked(low: str, end: int) -> bool:
    """Return whether a question mark follows an answer that ends at `end`."""
    return _QUESTION_BEHIND.match(low, end) is not None


def is_closed(low: str, end: int, kind: QuestionKind) -> bool:
    """Return whether the clause ends behind an answer that ends at `end`.

    A reason may follow, and behind a number its unit. "(A) is also wrong" goes on.
    """
    if _CLOSED.match(low, end):
        return True
    return kind is QuestionKind.NUMBER and _UNIT_WORDS.match(low, end) is not None


def read_sentence_before(view: str, cue: int) -> str:
    """Return the text from the start of its sentence to `cue`, in lower case."""
    window_start = max(0, cue - _SENTENCE_CHARS)
    start = window_start
    for mark in _SENTENCE_START.finditer(view, window_start, cue):
        start = mark.end()
    return view[start:cue].lower().lstrip(" *_\"'>#-")
