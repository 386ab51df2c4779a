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
    cues: tuple[re.Pattern[str], ...]
    """Each begins with a literal word where it can; none: see `alone` and `choose`."""
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
_GLOSS = (
    r"[*_]{0,3}(?: ?\([^()\n]{1,60}\)|, ?[^,.:;!?\n]{1,40},| - [^-.:;!?\n]{1,40} -)"
    r"[*_ ]{0,4}"
)
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


_LINE_HEAD = r"\n[ *_#>|-]{0,12}"
_COLON = r"[*_.]{0,4} ?(?:[:=]|- |-{1,2}>| is\b)"
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
        cues=(
            re.compile(
                r"answer(?<!each answer)(?<!/answer)(?<!wrong answer)(?<!incorrect answer)"
                r"(?<!another answer)(?<!other answer)"  # "2 points/answer = 48"
                rf"(?:{_GLOSS}(?:[:=]|{_IS}:?)|{_SAYS}|(?: choice| option| letter| here){_SAYS}"
                rf"|{_OF_THE_QUESTION} {_IS}:?)"
            ),
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
        cues=(
            re.compile(rf"answer(?<!each answer)(?<!/answer){_OF_ANYTHING} {_IS}:?"),
        ),
        reads="what follows “answer to/for/in … is”",
        example="The answer in Arabic numerals is 42.",
    ),
    Rule(
        id="answer_letter",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=("answer ",),
        cues=tuple(
            re.compile(
                start
                + r"(?=[(\[*\"']{0,3}[^\W_][)\]*\"']{0,3}"
                + r"(?:[.,:;!]? ?(?:\n|\Z)|[.:] | ?- | because\b))"
            )
            for start in (
                r"\n[ *_#>|-]{0,12}answer ",
                r"answer (?:(?<=final answer )|(?<=correct answer )|(?<=best answer )"
                r"|(?<=so answer )|(?<=so, answer )|(?<=therefore, answer ))",
            )
        ),
        reads="a letter directly behind “answer”, at the start of a line",
        example="Answer D.",
        closes=True,
    ),
    Rule(
        id="answer_number",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_NUMBER,
        words=("answer ",),
        cues=(
            re.compile(
                rf"{_LINE_HEAD}{_MY}(?:final |correct )?answer (?=[*_$(]{{0,3}}[-+]?[$£€]?[0-9])"
            ),
        ),
        reads="a number directly behind “answer”, on a last line",
        example="Answer 42",
        closes=True,
        last=True,
    ),
    Rule(
        id="best_option",
        strength=Strength.FORMAL,
        bound=Bound.CLAUSE,
        kinds=_ALL,
        words=("option", "choice", "match"),
        cues=tuple(
            re.compile(rf"{noun}(?:{_preceded(noun)}){_SAYS}")
            for noun in ("option", "choice", "match")
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
        cues=(
            *(
                re.compile(
                    rf"{noun}(?:{_preceded(noun)})(?:{_OF_ANYTHING} {_IS}:?|{_GLOSS}{_IS})"
                )
                for noun in ("option", "choice")
            ),
            *(
                re.compile(
                    rf"{noun}(?:{_preceded(noun)})(?:{_SAYS}|{_OF_ANYTHING} {_IS}:?)"
                )
                for noun in ("statement", "letter", "alternative", "response")
            ),
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
        cues=(
            re.compile(
                rf"{_LINE_HEAD}{_MY}(?:final(?: (?:result|label|prediction|verdict"
                r"|decision|output|choice|value))?|(?:predicted )?label|prediction"
                rf"|classification){_COLON}"
            ),
            re.compile(rf"ans(?<![a-z]ans){_COLON}"),
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
        cues=(
            re.compile(
                rf"{_LINE_HEAD}{_MY}(?:final |correct |selected |chosen |best )?"
                r"(?:choice|option|correct|selection|pick|decision|verdict)"
                r"[*_]{0,3} ?(?:[:=]|- |-{1,2}>)"
            ),
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
        cues=(
            re.compile(
                rf"{_LINE_HEAD}(?:result|solution|output)[*_]{{0,3}} ?(?:[:=]|-{{1,2}}>)"
            ),
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
        cues=(
            re.compile(
                rf"{_LINE_HEAD}{_MY}(?:final |correct |best |short )?answer[ *_#]{{0,6}}"
                r"\n[ \n]{0,8}(?=\S)"
            ),
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
        cues=(
            re.compile(
                r"\|[ *_]{0,4}(?:the )?(?:final |correct |best )?answer[ *_:]{0,4}\| ?"
            ),
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
        cues=(re.compile(r"####(?<!#####)(?!#) ?"),),
        reads="a line that holds nothing but the answer behind “####”",
        example="#### 42",
    ),
    Rule(
        id="boxed",
        strength=Strength.FORMAL,
        bound=Bound.BRACES,
        kinds=_ALL,
        words=("boxed", "fbox"),
        cues=(re.compile(r"\\(?:boxed|fbox|framebox) ?\{"),),
        reads="the content of a LaTeX box",
        example=r"So \boxed{\frac{3}{4}}.",
    ),
    Rule(
        id="answer_tag",
        strength=Strength.FORMAL,
        bound=Bound.TAG,
        kinds=_ALL,
        words=("answer", "ans>"),
        cues=(
            re.compile(
                r"<(?:final_?)?ans(?:wer)?>|\[(?:final_?)?answer\](?!\()|<\|answer\|>"
            ),
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
        cues=(
            re.compile(
                rf"answer(?:{_OF_ANYTHING})? (?:really |largely |still |also |therefore |thus )?"
                r"(?:depends|varies|(?:would|will|may|can|could) (?:depend|vary)"
                r"|(?:can ?not|can't|could not) be (?:determined|known|given|found))\b"
            ),
        ),
        reads="that the answer depends on something, or cannot be known",
        example="The answer depends on the season.",
    ),
    Rule(
        id="so_option",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=(),
        cues=(
            re.compile(_SO + r"(?:it (?:is|must be|should be|has to be))?" + _LETTER),
        ),
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
        cues=(
            re.compile(
                r"\b(?:(?:we|i|let's)(?: would|'d|'ll| will| can| should| must)?"
                r" (?:choose|select|pick|go with|go for|opt for|guess|say|vote for)|going with"
                r"|my (?:guess|pick|choice|selection) (?:is|would be))\b:?" + _LETTER
            ),
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
        cues=(
            re.compile(
                rf"{_IS_CALLED}(?:the )?(?:only |most )?{_CORRECT}"
                r"(?:(?: and only)?(?: possible)? (?:answer|option|choice|match)\b| ?[.!\n]| ?\Z)"
                rf"|{_IS_CALLED}(?:the|my|our) (?:answer|choice)\b"
                r"| (?:fits|works|matches) best\b| makes (?:the )?most sense\b"
            ),
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
        cues=(
            re.compile(
                r" (?:is|would be|must be) (?:the|my|our) (?:final |correct |right )?answer\b"
            ),
        ),
        reads="a number, yes or no that is called the answer",
        example="42 is the answer.",
    ),
    Rule(
        id="result_is",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_NOT_TEXT,
        words=("result",),
        cues=(
            re.compile(r"\b(?:the|our|my|this|final) result (?:is|was|would be)\b:?"),
        ),
        reads="what the result is, in the last sentence",
        example="The result is 42.",
        closes=True,
        last=True,
    ),
    Rule(
        id="closest_to",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=("closest",),
        cues=(
            re.compile(
                r"\bclosest (?:to|(?:[a-z]{1,10} ){0,3}?(?:is|would be))\b:?" + _LETTER
            ),
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
        words=("option ", "choice ", "leav"),
        cues=(
            re.compile(
                r"\b(?:leaves(?: us with| only)?|leaving(?: us with| only)?) (?=[(\[])"
                + _LETTER
                + r"|\b(?:(?:corresponds?|equal|equivalent) to|match(?:es)?|which is|that is"
                r"|this is|it is|it's|that's|must be|should be|leaves(?: us with)?|leaving"
                r"(?: only)?) (?=[*_]{0,3}(?:option|choice) )" + _LETTER
            ),
        ),
        reads="an option named in the last sentence: “which is option …”",
        example="This corresponds to option C.",
        closes=True,
        last=True,
    ),
    Rule(
        id="is_letter",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=("is (", "is [", "is *"),
        cues=(re.compile(r"\bthe [^.!?:\n]{1,80}? is (?=[*_]{0,3}[(\[])" + _LETTER),),
        reads="a letter in brackets that something is, in the last sentence",
        example="Therefore, the sarcastic statement is (B).",
        closes=True,
        last=True,
    ),
    Rule(
        id="must_be_option",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_CHOICE,
        words=(" be ",),
        cues=(
            re.compile(
                r"\b(?:it|this|that) (?:must|should|has to|ought to) be " + _LETTER
            ),
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
        cues=(re.compile(_SO + _SO_IT_IS + r"(?=[*_$(\"'\\]{0,4}[-+]?[$£€]?\d)"),),
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
        cues=(re.compile(r"\b(?:comes|works) out (?:to(?: be)?|as|at)\b"),),
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
        cues=(re.compile(r"(?:\A|\n)[ *_]{0,4}a[*_]{0,3}: ?"),),
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
        cues=(
            re.compile(
                _SO
                + r"(?:overall,? |in (?:short|conclusion),? )?(?:it is )?"
                + _YES_NO_WORD
            ),
        ),
        reads="yes or no behind “so”, “therefore”, “thus” or “hence”",
        example="It floats. Therefore, yes.",
    ),
    Rule(
        id="overall_yes_no",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_YES_NO,
        words=("overall", "in ", "on ", "finally", "conclude"),
        cues=(
            re.compile(
                r"\b(?:overall|in (?:short|conclusion|summary)|all in all|finally|to conclude"
                r"|on (?:reflection|balance|second thoughts?)),? (?:it is )?"
                + _YES_NO_WORD
            ),
        ),
        reads="yes or no behind “overall”, “in short”, “on reflection”, …",
        example="On reflection, yes.",
        closes=True,
    ),
    Rule(
        id="closing_yes_no",
        strength=Strength.WEAK,
        bound=Bound.CLAUSE,
        kinds=_YES_NO,
        words=(),
        cues=(
            re.compile(
                r"(?<=[.!?\n])"
                r"(?=[*_\"' ]{0,6}(?:yes|no|true|false)\b[.!*_\"' ]{0,4}\Z)"
            ),
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
        cues=(
            re.compile(
                r"\b(?:it (?:really |all |entirely |largely |just )?depends"
                r"|(?:hard|difficult|impossible|not possible) to (?:say|tell|determine|know|decide)"
                r"|cannot be (?:determined|answered|known)"
                r"|no (?:single|definite|definitive|clear) answer|not enough information)\b"
            ),
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
        cues=(
            re.compile(
                r"(?:\A|[.!?\n] ?)[\"'*(]{0,2}(?:(?:wait|actually|hmm+|oops|no)\b[^.!?\n]{0,40}?"
                r"(?:(?:not|n't) (?:right|correct)|wrong|incorrect|a mistake|an error)"
                r"|i (?:made|have made) (?:a mistake|an error))"
            ),
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
        cues=(),
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
        cues=(),
        reads="the answer that a text opens with, before its reason",
        example="(B) because it is hard.",
    ),
    Rule(
        id="lone_line",
        strength=Strength.ALONE,
        bound=Bound.LINE,
        kinds=_ALL,
        words=(),
        cues=(),
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
        if rule.cues and rule.strength is strength and kind in rule.kinds
    )
    for kind in QuestionKind
    for strength in Strength
}


def select_rules_for_text(
    low: str, begin: int, kind: QuestionKind, strength: Strength
) -> list[Rule]:
    """Return those of `select_rules` whose words a text holds from `begin` on."""
    held = {word for word in _WORDS[kind, strength] if low.find(word, begin) >= 0}
    return [
        rule
        for rule in _SELECTED[kind, strength]
        if not rule.words or not held.isdisjoint(rule.words)
    ]


_WORDS = {
    key: tuple({word for rule in rules for word in rule.words})
    for key, rules in _SELECTED.items()
}
