"""The formal rules: words and marks that do nothing but introduce an answer."""

import re
from functools import partial

from cotbuild.schemas.answers.cue_parts import (
    COLON,
    GLOSS,
    IS,
    LINE_HEAD,
    MY,
    OF_ANYTHING,
    OF_THE_QUESTION,
    SAYS,
    preceded,
)
from cotbuild.schemas.answers.rule import (
    ALL,
    CHOICE,
    NOT_TEXT,
    NUMBER,
    Bound,
    Rule,
    Strength,
)

_formal_rule = partial(Rule, strength=Strength.FORMAL)

FORMAL_RULES = (
    _formal_rule(
        id="answer_is",
        kinds=ALL,
        words=("answer",),
        cues=(
            re.compile(
                # Not "2 points/answer = 48".
                r"answer(?<!each answer)(?<!/answer)"
                rf"(?:{GLOSS}(?:[:=]|{IS}:?)|{SAYS}|(?: choice| option| letter| here){SAYS}"
                rf"|{OF_THE_QUESTION} {IS}:?)"
            ),
        ),
        reads="what follows “answer” and “is”, “:”, “=” or a dash, with a gloss between",
        example="Therefore, the answer (in dollars) is 42.",
    ),
    _formal_rule(
        id="answer_of",
        kinds=NOT_TEXT,
        words=("answer",),
        cues=(re.compile(rf"answer(?<!each answer)(?<!/answer){OF_ANYTHING} {IS}:?"),),
        reads="what follows “answer to/for/in … is”",
        example="The answer in Arabic numerals is 42.",
    ),
    _formal_rule(
        id="answer_letter",
        kinds=CHOICE,
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
    _formal_rule(
        id="answer_number",
        kinds=NUMBER,
        words=("answer ",),
        cues=(
            re.compile(
                rf"{LINE_HEAD}{MY}(?:final |correct )?answer (?=[*_$(]{{0,3}}[-+]?[$£€]?[0-9])"
            ),
        ),
        reads="a number directly behind “answer”, on a last line",
        example="Answer 42",
        closes=True,
        last=True,
    ),
    _formal_rule(
        id="best_option",
        kinds=ALL,
        words=("option", "choice", "match"),
        cues=tuple(
            re.compile(rf"{noun}(?:{preceded(noun)}){SAYS}")
            for noun in ("option", "choice", "match")
        ),
        reads="what follows “the correct/best/final option (choice, match) is”",
        example="The best choice would be option B.",
    ),
    _formal_rule(
        id="best_option_of",
        kinds=CHOICE,
        words=("option", "choice", "statement", "letter", "alternative", "response"),
        cues=(
            *(
                re.compile(
                    rf"{noun}(?:{preceded(noun)})(?:{OF_ANYTHING} {IS}:?|{GLOSS}{IS})"
                )
                for noun in ("option", "choice")
            ),
            *(
                re.compile(
                    rf"{noun}(?:{preceded(noun)})(?:{SAYS}|{OF_ANYTHING} {IS}:?)"
                )
                for noun in ("statement", "letter", "alternative", "response")
            ),
        ),
        reads="the same with words between, and “the correct statement (letter, …) is”",
        example="The correct option that describes it is (B).",
        closes=True,
    ),
    _formal_rule(
        id="label_head",
        kinds=ALL,
        words=("final", "ans", "label", "prediction", "classification"),
        cues=(
            re.compile(
                rf"{LINE_HEAD}{MY}(?:final(?: (?:result|label|prediction|verdict"
                r"|decision|output|choice|value))?|(?:predicted )?label|prediction"
                rf"|classification){COLON}"
            ),
            re.compile(rf"ans(?<![a-z]ans){COLON}"),
        ),
        reads="a line that opens with “Final:”, “Label:” or “Prediction:”, and “Ans:”",
        example="FINAL: 42",
        closes=True,
    ),
    _formal_rule(
        id="choice_head",
        kinds=CHOICE,
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
                rf"{LINE_HEAD}{MY}(?:final |correct |selected |chosen |best )?"
                r"(?:choice|option|correct|selection|pick|decision|verdict)"
                r"[*_]{0,3} ?(?:[:=]|- |-{1,2}>)"
            ),
        ),
        reads="a line that opens with “Choice:”, “Correct:”, “Verdict:” or the like",
        example="My pick: B",
        closes=True,
    ),
    _formal_rule(
        id="result_head",
        kinds=NOT_TEXT,
        words=("result", "solution", "output"),
        cues=(
            re.compile(
                rf"{LINE_HEAD}(?:result|solution|output)[*_]{{0,3}} ?(?:[:=]|-{{1,2}}>)"
            ),
        ),
        reads="a last line that opens with “Result:”, “Solution:” or “Output:”",
        example="Result: 42",
        closes=True,
        last=True,
    ),
    _formal_rule(
        id="answer_heading",
        kinds=ALL,
        words=("answer",),
        cues=(
            re.compile(
                rf"{LINE_HEAD}{MY}(?:final |correct |best |short )?answer[ *_#]{{0,6}}"
                # The line break is the value's: it tells a list mark from a sign.
                r"(?=\n[ \n]{0,8}\S)"
            ),
        ),
        reads="what stands below a heading “Answer”",
        example="### Final Answer\n\n42",
        closes=True,
    ),
    _formal_rule(
        id="answer_cell",
        bound=Bound.CELL,
        kinds=NOT_TEXT,
        words=("answer",),
        cues=(
            re.compile(
                r"\|[ *_]{0,4}(?:the )?(?:final |correct |best )?answer[ *_:]{0,4}\| ?"
            ),
        ),
        reads="the cell of a table beside “Answer”",
        example="| Answer | 42 |",
    ),
    _formal_rule(
        id="hash_marks",
        bound=Bound.LINE,
        kinds=ALL,
        words=("####",),
        cues=(re.compile(r"####(?<!#####)(?!#) ?"),),
        reads="a line that holds nothing but the answer behind “####”",
        example="#### 42",
    ),
    _formal_rule(
        id="boxed",
        bound=Bound.BRACES,
        kinds=ALL,
        words=("boxed", "fbox"),
        cues=(re.compile(r"\\(?:boxed|fbox|framebox) ?\{"),),
        reads="the content of a LaTeX box",
        example=r"So \boxed{\frac{3}{4}}.",
    ),
    _formal_rule(
        id="answer_tag",
        bound=Bound.TAG,
        kinds=ALL,
        words=("answer", "ans>"),
        cues=(
            re.compile(
                r"<(?:final_?)?ans(?:wer)?>|\[(?:final_?)?answer\](?!\()|<\|answer\|>"
            ),
        ),
        reads="the content of an answer tag",
        example="<answer>42</answer>",
    ),
    _formal_rule(
        id="answer_depends",
        bound=Bound.NOTHING,
        kinds=ALL,
        words=("answer",),
        cues=(
            re.compile(
                rf"answer(?:{OF_ANYTHING})? (?:really |largely |still |also |therefore |thus )?"
                r"(?:depends|varies|(?:would|will|may|can|could) (?:depend|vary)"
                r"|(?:can ?not|can't|could not) be (?:determined|known|given|found))\b"
            ),
        ),
        reads="that the answer depends on something, or cannot be known",
        example="The answer depends on the season.",
    ),
)
