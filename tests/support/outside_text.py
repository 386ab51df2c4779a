"""Every function that reads outside text, and texts that make slow ones slow."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from pydantic import ValidationError

from cotbuild.builder import visible
from cotbuild.builder.card import licences, markdown
from cotbuild.builder.cli.inspect import rationale_lines
from cotbuild.builder.compare.lm_eval_responses import Responses
from cotbuild.builder.imports import embedded_questions, values
from cotbuild.builder.imports import run as import_run
from cotbuild.builder.imports.rows import read_stated_answer
from cotbuild.builder.media import values as media_values
from cotbuild.builder.retry_after import parse_retry_after
from cotbuild.builder.service.jobs.outcome import find_error
from cotbuild.builder.sources import (
    choice_targets,
    choices,
    ids,
    inputs,
    languages,
    make,
    option_columns,
    overlap,
    python_text,
    question_form,
    targets,
)
from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.datasets import alma, esnli, gsm8k, quarel, scienceqa
from cotbuild.builder.sources.files import csv_dialect, csv_rows
from cotbuild.builder.teachers.http import wire
from cotbuild.builder.teachers.http.advice import advise_on_rejection
from cotbuild.builder.teachers.http.finish_reasons import normalise_reason
from cotbuild.builder.teachers.http.replies import parse_reply
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.http.served_models import parse_models
from cotbuild.builder.teachers.http.server_errors import parse_error
from cotbuild.builder.teachers.vllm.process import find_last_error
from cotbuild.builder.variants import diff, leak_measure, select, units
from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.corpus import LoadedCorpus, WordTable
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.prompts import student, student_form, template
from cotbuild.schemas import prompt_form
from cotbuild.schemas.answers import (
    choice_readers,
    choose,
    compare,
    expressions,
    extract,
    flags,
    grade,
    json_answer,
    json_objects,
    latex,
    limits,
    line_heads,
    mentions,
    number_words,
    numbers,
    patterns,
    plain_readers,
    prose_words,
    readers,
    stated_numbers,
    turn,
    wrappers,
)
from cotbuild.schemas.answers.prose_scores import open_scorer
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.finish_reasons import fold_reason
from cotbuild.schemas.json_text import parse_json, parse_json_values, parse_record_json
from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.yaml_text import parse_yaml
from tests.support.weathering import KINDS, question

ReadText = Callable[[str], object]

UNITS = (
    # one character
    "a", "9", ".", ",", "-", "*", "_", "(", "[", "{", "<", "#", "`", "\\", "\"", "'", "$", "/", ":", "=", "|", "&",
    " ", "\n", "\t", "\r", "\u3000", "\u200b", "\u202e", "é", "\u0301", "\0", "\U0001f600", "İ",
    # alternations and marks
    "a ", "a.", ". ", ".)", ".!?", ".A", "a\n", " \n", "- ", "* ", "**a", "()", "[]", "{}", "(a) ", "(B)", "B. ",
    "A: moss\n", "\\\"", "\\a", "'a", "&amp;", "www.", "a:b ",
    # digits
    "1,", "1,234,", "111{,}", "111\\,", "1.1", "1/2 ", "1 1", "-5 ", "=5 ", "$1", "12 ", "10^", "2 million ", "1-",
    "1:1", "9 or ",
    # words, cues and what almost is one
    "moss ", "river ", "river water ", "very ", "a b c d e ", "the ", "yes or ", "no ", "so the ", "therefore, ",
    "answer is ", "The answer is (a) or ", "answer: ", "the correct option is ", " is correct", "Option B is correct. ",
    "option A, B, C, ", "#### ", "\\boxed{", "\\frac{1}{", "<answer>", "<think>", "</think>", "<thi", "\nQ:",
    "\nQ: Which of these weathers slowest?", "because ", "none of the ", "answer is none of the ", "i cannot ", "1. ",
    "<|", "<a ", "<a b=", "\n#", "[INST", "a.b. ", "e.g. ", "likely ", "\\text{", "Answer:\n", "Reasoning:\n",
    # JSON, YAML, the wire
    '{"rationale": "', '"answer": ', '"rationale"  :  ', '{"a":', "[1,", "\\u00", "\\ud800", "```json\n", "- a: ",
    "vllm:num_requests_running{", "vllm:num_requests_running 1\n", "{\"error\":", "Mon, 01 Jan 2026 00:00:00 GMT ",
    # datasets
    "(A)", "(A)a(B)", " or", " or the", "<<1", "<<1>>", "cc by ", "mit ",
    # statements
    "\\boxed{(", "answer (a) is ", "answer, b, is ", "answer to a ", "final: ", "\nAns: ", "| answer | ", "if so, ",
    "<|channel|>analysis<|message|>", "<|end|>", "<reasoning>", "[THINK]", "\n\nPremise: ", "\nQuestion 1: ",
    "it depends. ", "not the answer is ", "** (", "\\(", "\\text{a} ", "a is the answer. ", "closest to b. ",
    # more of them
    '**', '- - ', 'therefore, it is a ', 'B\n', 'x', '-5', 'a b ', 'sorry ', 'the answer is none of the ',
    'a b c d e f g ', 'moss', 'the the ', 'B: ', 'option B ', '12,000,', 'yes. ', 'No', '*B*', 'Lake ',
    "答案是", "答案是A、", "die antwort ist ", "also ", "ответ ", "정답은 ", "B가 ", "如果", "です", "1.234,", "उत्तर ",
    'granite moss ', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'a\u3000granite\x85', 'river **',
    'shop ', '’', 'é’', '(B', '12.', '1,000',
)  # fmt: skip
"""Repeated to any length."""


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _for_kinds(read: Callable[[str, Question], object]) -> ReadText:
    questions = [question(kind) for kind in KINDS]

    def read_all(text: str) -> None:
        for one in questions:
            read(text, one)

    return read_all


def _form_columns(text: str) -> None:
    with suppress(ValueError):
        question_form.find_form_columns(text)


def _unless_refused(read: ReadText) -> ReadText:
    def read_or_refuse(text: str) -> None:
        with suppress(CotbuildError, BadRow, ValidationError, ValueError):
            read(text)

    return read_or_refuse


def _derive(name: str) -> ReadText:
    variant = CompiledVariant.compile(builtin_variants()[name])

    def derive(text: str) -> None:
        example = RationaleExample(question(), 0, text, "B")
        with LoadedCorpus([example], {}) as corpus:
            variant.derive(example, 0, corpus)

    return derive


_NEEDS_A_FILE = ("pieces", "attributed", "listed")
_LIKE_ANOTHER = ("control", "no_options", "masked_25", "dropped_50")
"""Ends of the names of variants that derive as another one does."""
_TRANSFORMED = [
    name
    for name, spec in builtin_variants().items()
    if spec.transforms and not any(part in name for part in _NEEDS_A_FILE)
]
_LAYOUT = student.layout_of(builtin_variants()["both_sides"])
_SECRET = SecretFilter("sk-sk-sk-sk-sk-0")
_PROSE = Question.create("It rains.", kind=QuestionKind.PROSE, target="Es regnet.")
_ROW: Mapping[str, object] = MappingProxyType(
    {
        "question_id": "q", "sample_index": 0, "choices": [], "failure": None, "purpose": "elicit", "other_steps": (),
        "answer": None, "target": "B", "verdict": "no_answer", "flags": (),
    }
)  # fmt: skip


def _with_option(text: str) -> None:
    target = question(options=(text, "moss"), target="A")
    compare.option_table(target)
    mentions.find_mentions(text, target)


def _with_many_options(text: str) -> None:
    options = [f"river w{number}" for number in range(len(text) // 256)]
    choices = tuple(
        Choice(label=f"L{number}", text=option) for number, option in enumerate(options)
    )
    asked = question().model_copy(update={"choices": choices})
    mentions.find_mentions(" ".join(options), asked)


def _with_target(text: str) -> None:
    asked = question("text", target=text)
    mentions.names_target(text, asked)
    compare.is_correct(text, asked)


def _count_words(text: str) -> None:
    table = WordTable()
    table.add(text)
    table.freeze()


def _select(text: str) -> None:
    duplicates = select.NearDuplicates(0.8)
    for _ in range(2):
        duplicates.check_and_add(text.split())


def _render(text: str) -> None:
    for one in template.builtin_templates().values():
        choices = question().choices
        one.render_user_turn(text, choices, "A")


FUNCTIONS: Mapping[str, ReadText] = {
    # answers
    "fold": patterns.fold,
    "sentence_end": lambda text: patterns.sentence_end(text, 0),
    "clause": lambda text: patterns.clause(text, 0),
    "extract_answer": _for_kinds(extract.extract_answer),
    "extract_answer first": _for_kinds(
        lambda text, one: extract.extract_answer(text, one, answer_first=True)
    ),
    "extract_answer given": _for_kinds(
        lambda text, one: extract.extract_answer(text, one, given=True)
    ),
    "grade_completion": _for_kinds(lambda text, one: grade.grade_completion(one, text)),
    "grade_completion as JSON": _for_kinds(
        lambda text, one: grade.grade_completion(
            one, '{"rationale": "' + text + '", "answer": "' + text, as_json=True
        )
    ),
    "read_json_object": _for_kinds(json_answer.read_json_object),
    "find_json_answer": _for_kinds(json_answer.find_json_answer),
    "find_objects": json_objects.find_objects,
    "read_json_answer": _for_kinds(json_answer.read_json_answer),
    "read_json_answer of a string": _for_kinds(
        lambda text, one: json_answer.read_json_answer(
            '{"answer": "' + text + '"}', one
        )
    ),
    "readers": _for_kinds(lambda text, one: readers.READERS[one.kind](text, one)),
    "opens_with_label": lambda text: choice_readers.opens_with_label(text, question()),
    "read_bounded": _for_kinds(readers.read_bounded),
    "read_option_before": _for_kinds(
        lambda text, one: readers.read_option_before(text, 0, len(text), one)
    ),
    "names_foreign_label": lambda text: choice_readers.names_foreign_label(
        text, question()
    ),
    "extract_answer with the closing rule": _for_kinds(
        lambda text, one: extract.extract_answer(text, one, closing_sentence=True)
    ),
    "find_statements": _for_kinds(
        lambda text, one: choose.find_statements(text, text.lower(), one)
    ),
    "strip_wrappers": lambda text: wrappers.strip_wrappers(text, 0, len(text)),
    "match_wrapped": lambda text: wrappers.match_wrapped(text, 0),
    "match_braces of a value": lambda text: wrappers.match_braces(text, 0),
    "limits_answer": lambda text: limits.limits_answer(text.lower(), question()),
    "answers_other_case": lambda text: limits.answers_other_case(
        text.lower(), "yes", 0
    ),
    "is_limited": lambda text: limits.is_limited(text.lower(), 0, question()),
    "answers_parts": lambda text: limits.answers_parts(text.lower(), "yes", question()),
    "split_reasoning": turn.split_reasoning,
    "split_think_tags": turn.split_think_tags,
    "find_turn_end of a question with heads": lambda text: turn.find_turn_end(
        text.lower(),
        question().model_copy(update={"text": f"Premise: {text}\nHypothesis: b"}),
    ),
    "find_turn_end of a form with heads": lambda text: turn.find_turn_end(
        text.lower(), question(), ("text", "label")
    ),
    "find_question_heads": line_heads.find_question_heads,
    "find_form_heads": line_heads.find_form_heads,
    "find_turn_end": lambda text: turn.find_turn_end(text.lower(), question()),
    "casefold_text": compare.casefold_text,
    "normalise_text": compare.normalise_text,
    "parse_number": numbers.parse_number,
    "read_whole_number of maths": lambda text: numbers.read_whole_number(
        text, maths=True
    ),
    "read_whole_number": lambda text: numbers.read_whole_number(text, with_words=True),
    "read_number of a text": numbers.read_number,
    "read_number of a number": lambda text: numbers.read_number("12 " + text),
    "read_number_of_prose": numbers.read_number_of_prose,
    "read_bounded_number": plain_readers.read_bounded_number,
    "match_number_words": number_words.match_number_words,
    "match_number_words of one": lambda text: number_words.match_number_words(
        "two " + text
    ),
    "read_stated_number": lambda text: stated_numbers.read_stated_number(
        text, question("number")
    ),
    "read_stated_number of words": lambda text: stated_numbers.read_stated_number(
        "two " + text, question("number")
    ),
    "read_bounded_stated_number": stated_numbers.read_bounded_stated_number,
    "read_bounded_stated_number of words": lambda text: (
        stated_numbers.read_bounded_stated_number("two " + text)
    ),
    "fold_expression": expressions.fold_expression,
    "parse_labels": expressions.parse_labels,
    "find_match": lambda text: compare.find_match(text, question("text", target=text)),
    "undress": latex.undress,
    "fold_latex": latex.fold_latex,
    "pair_braces": latex.pair_braces,
    "is_correct": _for_kinds(compare.is_correct),
    "answers_differ": _for_kinds(
        lambda text, one: compare.answers_differ([text, text + "1", None], one)
    ),
    "find_mentions": _for_kinds(mentions.find_mentions),
    "find_mentions of an option": _with_option,
    "find_mentions of many options": _with_many_options,
    "names_target": _with_target,
    "find_flags": _for_kinds(flags.find_flags),
    "repeats_itself": flags.repeats_itself,
    "has_markup": flags.has_markup,
    "is_refusal": _for_kinds(flags.is_refusal),
    "grade_completion of prose": lambda text: grade.grade_completion(_PROSE, text),
    "grade_completion of prose first": lambda text: grade.grade_completion(
        _PROSE, text, answer_first=True
    ),
    "grade_completion of prose as JSON": lambda text: grade.grade_completion(
        _PROSE, '{"rationale": "' + text + '", "answer": "' + text, as_json=True
    ),
    "split_words": prose_words.split_words,
    "find_tokenizer": lambda text: prose_words.find_tokenizer([text]),
    "score of prose": lambda text: open_scorer().score(text, [text[1:]]),
    # variants
    "words": units.words,
    "word_spans": units.word_spans,
    "bare": units.bare,
    "sentences": units.sentences,
    **{f"derive {name}": _derive(name) for name in _TRANSFORMED},
    "find_named_answers": _for_kinds(leak_measure.find_named_answers),
    "find_named_answers_loosely": _for_kinds(leak_measure.find_named_answers_loosely),
    "find_named_answers_loosely of an option": lambda text: (
        leak_measure.find_named_answers_loosely(text, question(options=(text, "a")))
    ),
    "NearDuplicates": _select,
    "WordTable": _count_words,
    "mark_differences": lambda text: diff.mark_differences(text, text[::-1]),
    # prompts
    "render_user_turn": _render,
    "parse_template": _unless_refused(
        lambda text: template.parse_template(text, "here")
    ),
    "question_digest": student.question_digest,
    "format_label": lambda text: student.format_label(
        question().choices, text, builtin_variants()["post_cot"].label_form
    ),
    "compose_completion": lambda text: student.compose_completion(_LAYOUT, text, text),
    "is_unambiguous": lambda text: student.is_unambiguous(_LAYOUT, text, text),
    "check_prompt_form": _unless_refused(prompt_form.check_prompt_form),
    "fill_prompt_form": lambda text: student_form.fill_prompt_form(
        "$question\n$options\n$question", question(), [text]
    ),
    # cards and the terminal
    "escape_hidden": visible.escape_hidden,
    "shell_quote": visible.shell_quote,
    "inline_text": markdown.inline_text,
    "code_span": markdown.code_span,
    "code_block": lambda text: markdown.code_block(text, limit=len(text)),
    "details_block": lambda text: markdown.details_block(text, [text]),
    "bibtex_text": markdown.bibtex_text,
    "normalize_licence": licences.normalize_licence,
    "rationale_lines": lambda text: list(
        rationale_lines(
            {**_ROW, "question": text, "rationale": text, "completion": text}
        )
    ),
    "diff lines": lambda text: list(diff._wrap(text)),
    # imports
    "fold_reason": fold_reason,
    "describe_failure": lambda text: values.describe_failure({"message": text}),
    "join_reasoning": values.join_reasoning,
    "read_target": embedded_questions.read_target,
    # sources
    "clean_text": make.clean_text,
    "language_name": languages.language_name,
    "find_direction": lambda text: languages.find_direction(text, [text[:9], "en"]),
    "alma.matches": lambda text: alma.matches({"translation": {text: "", "en": ""}}),
    "esnli.rationales": lambda text: esnli.rationales({"explanation_1": text}),
    "scienceqa.rationales": lambda text: scienceqa.rationales(
        {"lecture": text, "solution": text}
    ),
    "parse_choices": _unless_refused(choices.parse_choices),
    "split_lettered": choices.split_lettered,
    "parse_list_text": _unless_refused(python_text.parse_list_text),
    "parse_list_text of numpy": _unless_refused(
        lambda text: python_text.parse_list_text(f"array(['{text}'")
    ),
    "double_quotes": csv_rows.double_quotes,
    "choose_delimiter": lambda text: csv_dialect.choose_delimiter(
        text.splitlines(keepends=True)[:100], ",", is_whole=True
    ),
    "derive_content_id": lambda text: make.derive_content_id(text, [("A", text)]),
    "targets.parse_number": targets.parse_number,
    "targets.parse_yes_no": targets.parse_yes_no,
    "targets.parse_texts": _unless_refused(targets.parse_texts),
    "find_choice_label": _unless_refused(
        lambda text: choice_targets.find_choice_label(
            text, [("A", text), ("B", "b")], "index0"
        )
    ),
    "ChoiceEvidence": lambda text: choice_targets.ChoiceEvidence().add(
        text, [("A", text), ("B", "b")]
    ),
    "find_option_runs": lambda text: option_columns.find_option_runs([text, "A"]),
    "read_inputs": _unless_refused(
        lambda text: inputs.read_inputs(
            {}, {"hint": lambda _: text, "facts": lambda _: [text, text]}
        )
    ),
    "question form": lambda text: question_form.make_form_getter(
        "A: {a}", {"a": lambda row: row["a"]}
    )({"a": text}),
    "find_form_columns": lambda text: _form_columns(text),
    "overlap.normalise_text": overlap.normalise_text,
    "DigestSet": lambda text: ids.DigestSet().add(text),
    "read_stated_answer": _for_kinds(lambda text, one: read_stated_answer(text, one)),
    "is_closer": lambda text: import_run.is_closer(
        text, import_run._words(text), import_run._words(text)
    ),
    "quarel": _unless_refused(
        lambda text: quarel.to_question(
            {"question": "ice (A) " + text + " (B) " + text, "answer": "(A)"},
            question().source,
        )
    ),
    "quarel without choices": lambda text: quarel.matches(
        {"question": text, "answer": "(A)"}
    ),
    "gsm8k": _unless_refused(
        lambda text: gsm8k.to_question(
            {"question": text, "answer": text}, question().source
        )
    ),
    # the wire
    "parse_reply": lambda text: parse_reply(_encode(text), _SECRET),
    "parse_reply of a message": lambda text: parse_reply(
        b'{"choices": [{"message": {"content": "' + _encode(text) + b'"}}]}', _SECRET
    ),
    "parse_error": lambda text: parse_error(_encode(text), _SECRET),
    "parse_error of a message": lambda text: parse_error(
        b'{"error": {"message": "' + _encode(text) + b'"}}', _SECRET
    ),
    "parse_models": lambda text: parse_models(_encode(text)),
    "normalise_reason": lambda text: normalise_reason(text, _SECRET),
    "advise_on_rejection": advise_on_rejection,
    "redact": _SECRET.redact,
    "parse_load": _unless_refused(lambda text: wire.parse_load(_encode(text))),
    "parse_retry_after": parse_retry_after,
    "find_last_error": find_last_error,
    "find_error": lambda text: find_error(text.splitlines()),
    # samples of lm-evaluation-harness
    "Responses of a text": lambda text: Responses.read({"filtered_resps": [text]}),
    "Responses of options": lambda text: Responses.read(
        {
            "filtered_resps": [[text, "True"], ["-1", "False"]],
            "arguments": [["p", text], ["p", text]],
        }
    ).find_answer("acc_norm"),
    # pictures
    "parse_picture_value": _unless_refused(media_values.parse_picture_value),
    "parse_picture_value of a data URI": _unless_refused(
        lambda text: media_values.parse_picture_value(f"data:image/png,{text}")
    ),
    "parse_picture_value of base64": _unless_refused(
        lambda text: media_values.parse_picture_value(f"iVBORw0KGgo{text}")
    ),
    "parse_json": _unless_refused(parse_json),
    "parse_json_values": _unless_refused(
        lambda text: parse_json_values(text, allow_nan=True)
    ),
    "parse_record_json": _unless_refused(parse_record_json),
    "parse_yaml": _unless_refused(lambda text: parse_yaml(text, "here")),
    "short_repr": short_repr,
}

SUSPECTS: Mapping[str, tuple[str, ...]] = {
    "sentence_end": (".", "e.g. "),
    "clause": (".", "because "),
    "extract_answer": (
        ".",
        "answer is ",
        "111{,}",
        "answer:\n- 4\n",
        "answer is 1 of 4, which is ",
        "some think that the ",
        "it is not ",
    ),
    "extract_answer first": ("\nQ: ", "a\n"),
    "extract_answer given": (" \n",),
    "grade_completion": ("<think>", "1.1"),
    "grade_completion as JSON": ('\\"',),
    "grade_completion of prose": ("\nAnswer:", "\n* ", "\n\nq"),
    "grade_completion of prose first": ("\nWhy:", "**"),
    "read_json_object": ('{"rationale": "', '"answer"  '),
    "find_json_answer": ('{"answer": "B"}\n', '{"a": '),
    "find_objects": ('{"a": ', "{'a': '", '{"a": [1, ', '{"a": "\\'),
    "read_json_answer": ('"answer": ', "{"),
    "read_json_answer of a string": (".", "111{,}"),
    "readers": (".", "(A) or ", "granite (A) "),
    "split_reasoning": ("<think>", "<thi"),
    "find_turn_end": ("\nQ: ", "\n>"),
    "normalise_text": (".", "1,"),
    "parse_number": ("9", "1,"),
    "read_whole_number of maths": ("\\frac{1}{", "111\\,"),
    "read_whole_number": ("a ", "1 1"),
    "read_number of a text": ("1 a of ", "1 1", "111{,}", "=5 ", "$1"),
    "read_number of a number": ("a ", "km/"),
    "read_number_of_prose": ("a ", "9 or "),
    "match_number_words": ("hundred ", "one-"),
    "match_number_words of one": ("thousand, two ", "hundred "),
    "read_stated_number": ("two ", "one, ", "\n- "),
    "read_stated_number of words": ("hundred ", ", two", "(2) "),
    "read_bounded_stated_number": ("two ", "(2"),
    "read_bounded_stated_number of words": ("(2) ", "a "),
    "fold_expression": ("=5 ", "a ", "\\frac{1}{"),
    "parse_labels": ("A, ", "(A) "),
    "find_match": ("1,", "(a) "),
    "undress": ("$1", "\\text{", "\\a"),
    "fold_latex": ("\\frac{1}{", "\\text{", "\\frac{"),
    "pair_braces": ("{", "{}"),
    "find_mentions": ("river ", "111{,}"),
    "find_mentions of many options": ("x",),
    "find_mentions of an option": ("river ", "river, ", "a", "1.1.", "!"),
    "names_target": ("river ", "a"),
    "find_flags": ("<a ",),
    "repeats_itself": ("very ", "a b c d e "),
    "answers_differ": ("x",),
    "has_markup": ("**a", "<a b="),
    "is_refusal": ("none of the ", "i cannot "),
    "sentences": (".", "A. "),
    "find_named_answers_loosely": ("1,", "’"),
    "NearDuplicates": ("very ", "a b c d e "),
    "mark_differences": ("very ", "a b c d "),
    "diff lines": ("\u3000", "a-"),
    "rationale_lines": ("a", "\t"),
    "parse_template": ("- a: ", "["),
    "parse_yaml": ("- a: ", "&a "),
    "parse_json": ("[", '"\\u00'),
    "parse_json_values": ("{} ", "[", "1 ", "{}"),
    "parse_list_text": ("['a' ", "(", "'\\", "{'a':", "1 "),
    "double_quotes": ("\\", '\\"', '"'),
    "choose_delimiter": ('"', ";", ",", 'a";'),
    "parse_record_json": ("[1,", '"\\ud800'),
    "normalize_licence": ("cc by ", "mit "),
    "escape_hidden": ("\u202e", "é\u200d"),
    "code_block": ("`", "\u202e"),
    "quarel": (" or", "."),
    "quarel without choices": ("(A)", "(A)a(B)"),
    "gsm8k": ("<<1", "####"),
    "parse_load": ("vllm:num_requests_running 1\n", "vllm:num_requests_running{"),
    "redact": ("sk-", "\\\\", "%25"),
    "advise_on_rejection": ("maximum context length ", "unsupported ", "'max_tokens' "),
    "parse_picture_value of a data URI": ("%2", "%41"),
    "parse_picture_value of base64": ("A ", "="),
    "find_error": ("error: a\n", "another cotbuild process is "),
    "find_last_error": ("Error: a\n", "Model architectures ", "No module named '"),
    "parse_retry_after": ("9", "Mon, 01 Jan 2026 00:00:00 GMT "),
    **{
        f"derive {name}": () if name.endswith(_LIKE_ANOTHER) else ("river ",)
        for name in _TRANSFORMED
    },
}
"""The texts of each function that the quick tests take; others take two of any kind."""

THOROUGH = frozenset(
    {
        "extract_answer", "extract_answer first", "extract_answer given", "grade_completion", "read_json_object",
        "find_mentions", "has_markup", "is_refusal", "repeats_itself", "find_named_answers_loosely", "sentences",
        "normalise_text", "diff lines", "rationale_lines",
    }
)  # fmt: skip
"""Functions that the slow test takes through a quarter of the texts; others through a
sixteenth."""
