r"""The rules by which an answer is read: a table of cues, each with what bounds its value.

A rule reads one way in which a text states its answer. Its *cue* is what introduces the
answer ("the answer is", `\boxed{`), or what stands behind it (" is correct"). Its
*bound* says how far the answer reaches from there. Its *strength* says how much it
counts: what a formal rule reads goes before what weak ones read, and those before a line
that is nothing but an answer. Among rules of one strength the last statement counts, in
a text that puts its answer first the first one.

Cues are matched in folded text in lower case (see `folding.fold`). All patterns take
linear time, since teachers do emit 100 KB of one character: repeats are possessive,
bounded, or over characters that cannot follow them. A rule is tried only where the text
holds one of its words, and a pattern that begins with a literal word is fast.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from cotbuild.schemas.question import QuestionKind

_ALL = frozenset(QuestionKind)
_CHOICE = frozenset({QuestionKind.CHOICE})
_NUMBER = frozenset({QuestionKind.NUMBER})
_YES_NO = frozenset({QuestionKind.YES_NO})
_TEXT = frozenset({QuestionKind.TEXT})
_NOT_TEXT = _ALL - _TEXT


class Strength(StrEnum):
    """How much a rule's statements count."""

    FORMAL = "formal"
    """Words or marks that do nothing but introduce an answer."""
    WEAK = "weak"
    """Words of reasoning; they count where no formal statement names an answer, and
    where they take it back in the last sentence.
    """
    ALONE = "alone"
    """No cue: a line or clause that is nothing but an answer."""


class Bound(StrEnum):
    """How far the answer reaches from its cue."""

    CLAUSE = "clause"
    """To the end of its clause, or of the quotes, bold or maths it is set in."""
    BRACES = "braces"
    """To the brace that closes the cue's; the whole content is the answer."""
    TAG = "tag"
    """To the closing tag; the whole content is the answer."""
    LINE = "line"
    """To the end of the line; the whole line is the answer."""
    CELL = "cell"
    """To the end of the table's cell."""
    BEFORE = "before"
    """The answer stands before the cue, from the start of its clause."""
    NOTHING = "nothing"
    """There is none: the cue says that there is no single answer."""


class Rule(NamedTuple):
    """One way to state an answer."""

    id: str
    """Recorded with each answer that the rule reads."""
    strength: Strength
    bound: Bound
    kinds: frozenset[QuestionKind]
    """The kinds of question it reads answers of."""
    words: tuple[str, ...]
    """The rule is tried on texts that hold one of them; empty: on all."""
    cue: re.Pattern[str] | None
    """None: the text itself, see `alone`."""
    reads: str
    """What it reads, in a line."""
    example: str
    closes: bool = False
    """Whether its clause must end behind the answer: "so (A) is wrong" states nothing."""
    last: bool = False
    """Whether only the last sentence of the text counts."""


# --- parts of cues ---
# "The answer must be a planet", which opens most PaLM rationales, is a demand and no
# answer, even if an option fits it.
_IS = (
    r"(?:is|was|would be|will be|becomes|equals|can only be"
    r"|(?:appears|seems|turns out|has|ought|comes out) to be"
    r"|(?:must|should|has to|could) be(?! an? | the ))\b"
)
_SAYS = (
    r"(?:[*_]{0,3} ?(?:[:=]|- |-{1,2}>|[\u2192\u21d2\u27a1])"
    rf"|[ *_]{{1,4}}{_IS}(?: indeed\b)?|is(?=[a-z]\b))"
)
# "the answer (arabic numerals) is", "the answer, in dollars, is"
_GLOSS = r"[*_]{0,3}(?: ?\([^()\n]{1,60}\)|, ?[^,.:;!?\n]{1,40},)[*_ ]{0,4}"
_OF_THE_QUESTION = (
    r" (?:to|for|of) (?:the|this|that|your|our) (?:[a-z]{1,12} ){0,2}?"
    r"(?:question|problem|riddle|equation|puzzle|query|exercise|task|quiz)"
)
_OF_ANYTHING = r" (?:to|for|in|of|as|that|from|among|here|at) [^.,:;!?\n()]{0,60}?"
_PRAISE = (
    "correct",
    "best",
    "right",
    "final",
    "closest",
    "likely",
    "appropriate",
    "suitable",
    "accurate",
    "logical",
    "chosen",
    "selected",
    "plausible",
    "probable",
    "reasonable",
)
# "2 points/answer = 48", "the wrong answer is"
_NO_ANSWER_NOUN = (
    r"(?<!each )(?<!/)(?<!wrong )(?<!incorrect )(?<!false )(?<!another )(?<!other )"
)


def _preceded(noun: str) -> str:
    """Return look-behinds for the text before `noun`, to put after it.

    A scan that starts from a literal word is three times as fast.
    """
    return "|".join(f"(?<={praise} {noun})" for praise in _PRAISE)


_LINE_HEAD = r"(?:\A|\n)[ *_#>|-]{0,12}"
_MY = r"(?:my |the |your |our )?"
_SO = r"\b(?:so|therefore|thus|hence|consequently|accordingly|overall|ultimately)\b,? "
_SO_IT_IS = r"(?:(?:it|this|that) (?:is|must be|should be|has to be) )?"
# Letters only: "so it is stronger" is reasoning, and repeats an option in 9 of 9,650
# GPT-3 rationales on QuaRel.
_LETTER = (
    r"(?=[ *_(\"'\[$`]{0,5}(?:(?:option|choice|answer|letter) )?[(\[*$]{0,3}(?!a )"
    r"[^\W_](?![\w'-]))"
)
_YES_NO_WORD = r"(?=[*_(\"']{0,3}(?:yes|no|true|false)\b)"
_CORRECT = (
    r"(?:correct|best|right|accurate|likely|logical|appropriate|suitable|closest"
    r"|plausible|probable|reasonable|final)"
)
_IS_CALLED = (
    r" (?:is|would be|must be|should be|has to be|(?:seems|appears) to be|seems|remains) "
    r"(?:clearly |definitely |therefore |thus |indeed |likely |probably )?"
)

RULES = (
    Rule(
        id="answer_is",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_ALL,
        words=("answer",),
        cue=re.compile(
            r"answer(?<!each answer)(?<!/answer)(?<!wrong answer)(?<!incorrect answer)"
            r"(?<!another answer)(?<!other answer)"  # "2 points/answer = 48"
            rf"(?:{_SAYS}|(?: choice| option| letter| here)(?:{_SAYS})"
            rf"|{_GLOSS}(?:[:=]|{_IS}:?)|{_OF_THE_QUESTION} {_IS}:?)"
        ),
        reads="what follows “answer” and “is”, “:”, “=” or a dash, with a gloss between",
        example="Therefore, the answer (in dollars) is 42.",
    ),
    Rule(
        id="answer_of",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_NOT_TEXT,
        words=("answer",),
        cue=re.compile(rf"answer(?<!each answer)(?<!/answer){_OF_ANYTHING} {_IS}:?"),
        reads="what follows “answer to/for/in … is”",
        example="The answer in Arabic numerals is 42.",
    ),
    Rule(
        id="answer_letter",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=("answer ",),
        cue=re.compile(
            rf"(?:{_LINE_HEAD}|\b(?:so|final|correct|best|therefore),? )answer "
            r"(?=[(\[*\"']{0,3}[^\W_][)\]*\"']{0,3}(?:[.,:;!]? ?(?:\n|\Z)|[.:] | ?- | because\b))"
        ),
        reads="a letter directly behind “answer”, at the start of a line",
        example="Answer D.",
        closes=True,
    ),
    Rule(
        id="best_option",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_ALL,
        words=("option", "choice", "match"),
        cue=re.compile(
            "|".join(
                rf"{noun}(?:{_preceded(noun)}){_SAYS}"
                for noun in ("option", "choice", "match")
            )
        ),
        reads="what follows “the correct/best/final option (choice, match) is”",
        example="The best choice would be option B.",
    ),
    Rule(
        id="best_option_of",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=("option", "choice", "statement", "letter", "alternative", "response"),
        cue=re.compile(
            "|".join(
                rf"{noun}(?:{_preceded(noun)})(?:{_OF_ANYTHING} {_IS}:?|{_GLOSS}{_IS})"
                for noun in ("option", "choice")
            )
            + "|"
            + "|".join(
                rf"{noun}(?:{_preceded(noun)})(?:{_SAYS}|{_OF_ANYTHING} {_IS}:?)"
                for noun in ("statement", "letter", "alternative", "response")
            )
        ),
        reads="the same with words between, and “the correct statement (letter, …) is”",
        example="The correct option that describes it is (B).",
        closes=True,
    ),
    Rule(
        id="label_head",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_ALL,
        words=("final", "ans", "label", "prediction", "classification"),
        cue=re.compile(
            rf"(?:{_LINE_HEAD}{_MY}(?:final(?: (?:result|label|prediction|verdict|decision"
            r"|output|choice|value))?|(?:predicted )?label|prediction|classification)"
            r"|\bans)(?<!trans)[*_.]{0,4} ?(?:[:=]|- |-{1,2}>| is\b)"
        ),
        reads="a line that opens with “Final:”, “Label:” or “Prediction:”, and “Ans:”",
        example="FINAL: 42",
        closes=True,
    ),
    Rule(
        id="choice_head",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=(
            "choice",
            "option",
            "correct",
            "selection",
            "pick",
            "decision",
            "verdict",
        ),
        cue=re.compile(
            rf"{_LINE_HEAD}{_MY}(?:final |correct |selected |chosen |best )?"
            r"(?:choice|option|correct|selection|pick|decision|verdict)"
            r"[*_]{0,3} ?(?:[:=]|- |-{1,2}>)"
        ),
        reads="a line that opens with “Choice:”, “Correct:”, “Verdict:” or the like",
        example="My pick: B",
        closes=True,
    ),
    Rule(
        id="result_head",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_NOT_TEXT,
        words=("result", "solution", "output"),
        cue=re.compile(
            rf"{_LINE_HEAD}(?:result|solution|output)[*_]{{0,3}} ?(?:[:=]|-{{1,2}}>)"
        ),
        reads="a last line that opens with “Result:”, “Solution:” or “Output:”",
        example="Result: 42",
        closes=True,
        last=True,
    ),
    Rule(
        id="answer_heading",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_ALL,
        words=("answer",),
        cue=re.compile(
            rf"{_LINE_HEAD}{_MY}(?:final |correct |best |short )?answer[ *_#]{{0,6}}"
            r"\n[ \n]{0,8}(?=\S)"
        ),
        reads="what stands below a heading “Answer”",
        example="### Final Answer\n\n42",
        closes=True,
    ),
    Rule(
        id="answer_cell",
        strength=Strength.FORMAL,
        bound=Bound.CELL,
        kinds=_NOT_TEXT,
        words=("answer",),
        cue=re.compile(
            r"\|[ *_]{0,4}(?:the )?(?:final |correct |best )?answer[ *_:]{0,4}\| ?"
        ),
        reads="the cell of a table beside “Answer”",
        example="| Answer | 42 |",
    ),
    Rule(
        id="hash_marks",
        strength=Strength.FORMAL,
        bound=Bound.LINE,
        kinds=_ALL,
        words=("####",),
        cue=re.compile(r"####(?<!#####)(?!#) ?"),
        reads="a line that holds nothing but the answer behind “####”",
        example="#### 42",
    ),
    Rule(
        id="boxed",
        strength=Strength.FORMAL,
        bound=Bound.BRACES,
        kinds=_ALL,
        words=("boxed", "fbox"),
        cue=re.compile(r"\\(?:boxed|fbox|framebox) ?\{"),
        reads="the content of a LaTeX box",
        example=r"So \boxed{\frac{3}{4}}.",
    ),
    Rule(
        id="answer_tag",
        strength=Strength.FORMAL,
        bound=Bound.TAG,
        kinds=_ALL,
        words=("answer", "ans>"),
        cue=re.compile(
            r"<(?:final_?)?ans(?:wer)?>|\[(?:final_?)?answer\](?!\()|<\|answer\|>"
        ),
        reads="the content of an answer tag",
        example="<answer>42</answer>",
    ),
    Rule(
        id="answer_depends",
        strength=Strength.FORMAL,
        bound=Bound.NOTHING,
        kinds=_ALL,
        words=("answer",),
        cue=re.compile(
            rf"answer(?:{_OF_ANYTHING})? (?:really |largely |still |also |therefore |thus )?"
            r"(?:depends|varies|(?:would|will|may|can|could) (?:depend|vary)|is dependent)\b"
        ),
        reads="that the answer depends on something",
        example="The answer depends on the season.",
    ),
    Rule(
        id="so_option",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=(),
        cue=re.compile(_SO + r"(?:it (?:is|must be|should be|has to be))?" + _LETTER),
        reads="a letter behind “so”, “therefore”, “thus” or “hence”",
        example="Moss is soft. So it must be B.",
        closes=True,
    ),
    Rule(
        id="we_choose",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=(),
        cue=re.compile(
            r"\b(?:(?:we|i|let's)(?: would|'d|'ll| will| can| should| must)?"
            r" (?:choose|select|pick|go with|go for|opt for|guess|say|vote for)|going with"
            r"|my (?:guess|pick|choice|selection) (?:is|would be))\b:?" + _LETTER
        ),
        reads="a letter that the writer chooses",
        example="I'd go with B.",
        closes=True,
    ),
    Rule(
        id="called_correct",
        strength=Strength.WEAK,
        bound=Bound.BEFORE,
        kinds=_CHOICE,
        words=(),
        cue=re.compile(
            rf"{_IS_CALLED}(?:the )?(?:only |most )?{_CORRECT}"
            r"(?:(?: and only)?(?: possible)? (?:answer|option|choice|match)\b| ?[.!\n]| ?\Z)"
            rf"|{_IS_CALLED}(?:the|my|our) (?:answer|choice)\b"
            r"| (?:fits|works|matches) best\b| makes (?:the )?most sense\b"
        ),
        reads="an option that is called the answer, correct, the best, …",
        example="Option B is correct.",
    ),
    Rule(
        id="is_the_answer",
        strength=Strength.WEAK,
        bound=Bound.BEFORE,
        kinds=_NUMBER | _YES_NO,
        words=("answer",),
        cue=re.compile(
            r" (?:is|would be|must be) (?:the|my|our) (?:final |correct |right )?answer\b"
        ),
        reads="a number, yes or no that is called the answer",
        example="42 is the answer.",
    ),
    Rule(
        id="closest_to",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=("closest",),
        cue=re.compile(
            r"\bclosest (?:to|(?:[a-z]{1,10} ){0,3}?(?:is|would be))\b:?" + _LETTER
        ),
        reads="the letter that something is closest to",
        example="That is closest to D.",
        closes=True,
    ),
    Rule(
        id="is_option",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=("option ", "choice "),
        cue=re.compile(
            r"\b(?:(?:corresponds?|equal|equivalent) to|match(?:es)?|which is|that is"
            r"|this is|it is|it's|that's|must be|should be|leaves(?: us with)?|leaving(?: only)?"
            r") (?=[*_]{0,3}(?:option|choice) )" + _LETTER
        ),
        reads="an option named in the last sentence: “which is option …”",
        example="This corresponds to option C.",
        closes=True,
        last=True,
    ),
    Rule(
        id="must_be_option",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=(" be ",),
        cue=re.compile(
            r"\b(?:it|this|that) (?:must|should|has to|ought to) be " + _LETTER
        ),
        reads="a letter that it must be, in the last sentence",
        example="It must be B.",
        closes=True,
        last=True,
    ),
    Rule(
        id="so_number",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_NUMBER,
        words=(),
        cue=re.compile(_SO + _SO_IT_IS + r"(?=[*_$(\"'\\]{0,4}[-+]?[$£€]?\d)"),
        reads="a number alone behind “so”, “hence”, …, in the last sentence",
        example="Hence, **42**.",
        closes=True,
        last=True,
    ),
    Rule(
        id="comes_out",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_NUMBER,
        words=(" out ",),
        cue=re.compile(r"\b(?:comes|works) out (?:to(?: be)?|as|at)\b"),
        reads="what something comes out to, in the last sentence",
        example="It comes out to 42.",
        closes=True,
        last=True,
    ),
    Rule(
        id="a_line",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_ALL - _CHOICE,
        words=("a:",),
        cue=re.compile(r"(?:\A|\n)[ *_]{0,4}a[*_]{0,3}: ?"),
        reads="a last line that opens with “A:”",
        example="A: 42",
        closes=True,
        last=True,
    ),
    Rule(
        id="so_yes_no",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_YES_NO,
        words=(),
        cue=re.compile(
            _SO
            + r"(?:overall,? |in (?:short|conclusion),? )?(?:it is )?"
            + _YES_NO_WORD
        ),
        reads="yes or no behind “so”, “therefore”, “thus” or “hence”",
        example="It floats. Therefore, yes.",
    ),
    Rule(
        id="closing_yes_no",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_YES_NO,
        words=(),
        cue=re.compile(
            r"(?<=[.!?\n])"
            r"(?=[*_\"' ]{0,6}(?:yes|no|true|false)\b[.!*_\"' ]{0,4}\Z)"
        ),
        reads="a last sentence that is yes or no",
        example="It sinks. No.",
    ),
    Rule(
        id="undecided",
        strength=Strength.WEAK,
        bound=Bound.NOTHING,
        kinds=_YES_NO | _NUMBER,
        words=("depends", " to ", "cannot", "answer", "enough"),
        cue=re.compile(
            r"\b(?:it (?:really |all |entirely |largely |just )?depends"
            r"|(?:hard|difficult|impossible|not possible) to (?:say|tell|determine|know|decide)"
            r"|cannot be (?:determined|answered|known)"
            r"|no (?:single|definite|definitive|clear) answer|not enough information)\b"
        ),
        reads="a last sentence that says that it cannot be told",
        example="It depends on the season.",
        last=True,
    ),
    Rule(
        id="taken_back",
        strength=Strength.WEAK,
        bound=Bound.NOTHING,
        kinds=_ALL,
        words=("wait", "actually", "hmm", "oops", "mistake", "no,"),
        cue=re.compile(
            r"(?:\A|[.!?\n] ?)[\"'*(]{0,2}(?:(?:wait|actually|hmm+|oops|no)\b[^.!?\n]{0,40}?"
            r"(?:(?:not|n't) (?:right|correct)|wrong|incorrect|a mistake|an error)"
            r"|i (?:made|have made) (?:a mistake|an error))"
        ),
        reads="a last sentence that takes the answer back",
        example="Wait, that is not right.",
        last=True,
    ),
    Rule(
        id="closing_sentence",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_NUMBER,
        words=(),
        cue=None,
        reads="the only number of a last sentence that opens with “so”, “therefore”, …; "
        "off unless asked for",
        example="Therefore, there are 49 chairs.",
        last=True,
    ),
    Rule(
        id="opening",
        strength=Strength.ALONE,
        bound=Bound.CLAUSE,
        kinds=_ALL,
        words=(),
        cue=None,
        reads="the answer that a text opens with, before its reason",
        example="(B) because it is hard.",
    ),
    Rule(
        id="lone_line",
        strength=Strength.ALONE,
        bound=Bound.LINE,
        kinds=_ALL,
        words=(),
        cue=None,
        reads="a line that is nothing but an answer",
        example="It is hard.\n\n**B**",
    ),
)

BY_ID = {rule.id: rule for rule in RULES}


def select_rules(kind: QuestionKind, strength: Strength) -> tuple[Rule, ...]:
    """Return the rules with a cue that read answers of `kind`, of one strength."""
    return _SELECTED[kind, strength]


_SELECTED = {
    (kind, strength): tuple(
        rule
        for rule in RULES
        if rule.cue is not None and rule.strength is strength and kind in rule.kinds
    )
    for kind in QuestionKind
    for strength in Strength
}


def any_word(low: str, words: tuple[str, ...]) -> bool:
    """Return whether a text holds one of the words; True without words."""
    return not words or any(word in low for word in words)
