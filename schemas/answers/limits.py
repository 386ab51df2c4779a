"""Tell a yes or no that holds only in some cases, or for a part of the question. Pure.

"In winter, the answer is no" and "The answer is no for a deep pond, for a shallow one it
is yes" give no answer to a question of yes or no. Texts are as `folding.fold` leaves
them, in lower case.
"""

import re
from itertools import islice

from cotbuild.schemas.answers import doubts
from cotbuild.schemas.question import Question

_PREPOSITION = (
    r"(?:in|for|during|on|at|by|within|throughout|under|among|outside|until|without)"
)
_LIMIT = re.compile(
    r"(?:\A|[,;:(] ?|\b(?:but|and|while|whereas|yet|however,?|so,?|thus,?|therefore,?) )"
    rf"{_PREPOSITION} (?P<case>[^,;:.()]{{1,60}})[,:]? ?\Z"
)
_LEAD = re.compile(
    r"(?:(?:we|i|you|one) (?:can |could |would |may )?(?:say|conclude|think|believe) )?"
    r"(?:that )?(?:then )?(?:the|my|our|your)"
    r"(?: (?:final|correct|right|best|short|simple|likely|expected|overall))?[ *_\"']{0,4}\Z"
)
_HARMLESS = re.compile(
    r"(?:(?!spring|evening|morning)[a-z]{2,20}ing|(?:the )?(?:present|moment|time of writing"
    r"|definitions?|rules?|laws?)|me|general|fact|conclusion|short|summary|sum|brief|essence|effect|reality|truth|total"
    r"|addition|particular|other words|the end|light of|view of|order|terms|contrast"
    r"|comparison|response|my|our|its|all|example|instance|clarity|now|once|first|sure"
    r"|certain|least|last|balance|reflection|definition|default|the whole|the other hand"
    r"|the contrary|the basis|average|the purposes? of|the sake of|the most part|principle"
    r"|practice|logic|inference|deduction|process|consequence|return"
    r"|(?:(?:a|the|my|common|real|plain|simple|further|second|closer|deeper|final|careful) ){1,2}"
    r"(?:thoughts?|analysis|nutshell|word|inspection|examination|likelihood|probability"
    r"|sense|life|world|english|terms|look|estimation)|simplicity|elimination"
    r"|contradiction|extension|analogy|induction)\b"
)
_QUESTION_WORDS = (
    "this that these those such question questions passage text article paragraph "
    "sentence sentences statement claim problem answer evidence context information "
    "above given reason reasons conclusion following premise premises fact facts "
    "scenario case considering it them both either each every"
)
_ABOUT_QUESTION = frozenset(_QUESTION_WORDS.split())
"""Words of a phrase that speaks of the question: "for these reasons"."""
_NOT_ABOUT_QUESTION = re.compile(r"(?:some|most|many|certain|other|few) (?!words\b)")
_WORD = re.compile(r"[^\W_]+")
_SMALL_WORDS = frozenset(
    {"a", "an", "the", "of", "to", "and", "or", "is", "are", "was"}
)

_LIMIT_BEHIND = re.compile(
    r"[)\]*_\"'` ]*+\(?(?:,? ?at least )?"
    r"(?:in|for|during|on|at|under|within|among) (?P<case>[^\W_]+(?: [^\W_]+){0,3})"
    r"[*_)\"' ]{0,4}(?:at least)?(?:[.,;!\n]|\Z)"
)
_OTHER_CASE = re.compile(
    r"[^.!?\n]{0,60}?(?:[,;.]|\band|\bbut) ?(?:(?:but|and|while|however,?) )?"
    rf"{_PREPOSITION} [^,.;!?\n]{{1,40}}?,? "
    r"(?:(?:it|this|that|the answer)(?:'s| is| would be) )?(?P<other>yes|no)\b"
    r"(?! [a-z])"
)
_ANSWERED = re.compile(r"\?[\s\"'*_)-]{0,8}(?:a(?:nswer)?: ?)?(?P<answer>yes|no)\b")
_BEHIND_QUESTION = re.compile(
    r"\?[\s\"'*_)#-]{0,8}(?:(?:so|a:),? )?(?:the |my )?(?:final |correct )?[*_]{0,3}\Z"
)
_QUESTION_CHARS = 40
_SENTENCE_CHARS = 240
_MIN_WORDS = 4
_MAX_PARTS = 64


def limits_answer(sentence_before: str, question: Question) -> bool:
    """Return whether a cue's clause begins with a case: "in winter, the" (answer is …).

    `sentence_before` is what stands before the cue in its sentence. A phrase that speaks
    of the question or repeats its words limits nothing: "for these reasons, the".
    """
    lead = _LEAD.search(sentence_before)
    if lead is None:
        return False
    limit = _LIMIT.search(sentence_before[: lead.start()])
    if limit is None:
        return False
    return _is_case(limit["case"].strip(" *_\"'"), question)


def holds_in_one_case(low: str, answer: str, end: int) -> bool:
    """Return whether a condition, or the other answer, follows a yes or no at `end`."""
    return (
        doubts.has_condition_behind(low, end)
        or doubts.goes_both_ways(low, answer, end)
        or answers_other_case(low, answer, end)
    )


def is_limited(low: str, end: int, question: Question) -> bool:
    """Return whether a yes or no that ends at `end` holds in one case: "yes in winter"."""
    limit = _LIMIT_BEHIND.match(low, end)
    return limit is not None and _is_case(limit["case"], question)


def _is_case(case: str, question: Question) -> bool:
    """Return whether a phrase names a case, and does not speak of the question."""
    if _NOT_ABOUT_QUESTION.match(case):
        return True
    words = set(_WORD.findall(case))
    # "herons" of a question about a heron
    stems = {word.rstrip("s") for word in words - _SMALL_WORDS}
    if _HARMLESS.match(case) or words & _ABOUT_QUESTION:
        return False
    question_words = {word.rstrip("s") for word in _WORD.findall(question.text.lower())}
    return not stems <= question_words


def answers_other_case(low: str, answer: str, end: int) -> bool:
    """Return whether a yes that ends at `end` is a no in another case, or the reverse.

    As in "The answer is no on land, in water it is yes".
    """
    found = _OTHER_CASE.match(low, end)
    return found is not None and found["other"] != answer


def answers_in_turn(low: str, starts: tuple[int, int], question: Question) -> bool:
    """Return whether two statements each stand directly behind a question.

    The second one's may be the whole question again: then it is the answer.
    """
    found = [
        _BEHIND_QUESTION.search(low, max(0, start - _QUESTION_CHARS), start)
        for start in starts
    ]
    if found[0] is None or found[1] is None:
        return False
    return not _repeats_question(low, found[1].start(), question)


def answers_parts(low: str, answer: str, question: Question) -> bool:
    """Return whether a text asks and answers questions of its own, one of them otherwise.

    As in "Can it fly? No. Can it swim? Yes.", which calls neither the answer of the whole.
    """
    parts = list(islice(_ANSWERED.finditer(low), _MAX_PARTS))
    if all(part["answer"] == answer for part in parts):
        return False
    return not _repeats_question(low, parts[-1].start(), question)


def _repeats_question(low: str, mark: int, question: Question) -> bool:
    """Return whether the sentence that ends in the question mark at `mark` is the question.

    At least four words, all of them the question's.
    """
    sentence = re.split(r"[.!?:\n]", low[max(0, mark - _SENTENCE_CHARS) : mark])[-1]
    words = _WORD.findall(sentence)
    question_words = set(_WORD.findall(question.text.lower()))
    return len(words) >= _MIN_WORDS and question_words.issuperset(words)
