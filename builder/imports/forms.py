"""The forms in which files of answers come, recognised by their shape.

`FORMS` is the table: a form is a name, what writes it, and a function that finds the
columns of its fields in the first rows of a file. What is found is a mapping that a
user could have passed as `--map`, so a form does nothing that `--map` cannot do.
"""

from collections.abc import Callable
from typing import NamedTuple

from cotbuild.builder.imports.shapes import (
    Shape,
    is_list,
    is_object,
    is_options,
    is_scalar,
    is_string,
    is_target,
    is_text,
    is_text_or_texts,
)
from cotbuild.builder.imports.turns import REASONING_NAMES, find_conversation
from cotbuild.builder.sources.option_columns import RunRole, find_option_runs
from cotbuild.schemas.import_recipe import Join

Columns = dict[str, str]
FindColumns = Callable[[Shape], Columns | None]
"""Returns field to column or path, None where the rows have another shape."""

QUESTION_NAMES = ("question", "problem", "query", "prompt", "question_text")
TEXT_NAMES = (
    "response",
    "responses",
    "completion",
    "completions",
    "generation",
    "generations",
    "generated_text",
    "generated_texts",
    "generated_solution",
    "prediction",
    "predictions",
    "output",
    "outputs",
    "model_output",
    "model_outputs",
    "model_response",
    "raw_output",
    "raw_response",
    "model_answer",
    "response_text",
)
TARGET_NAMES = (
    "target",
    "answer",
    "answerKey",
    "gold",
    "gold_answer",
    "gold_label",
    "gt",
    "ideal",
    "ground_truth",
    "groundtruth",
    "reference",
    "reference_answer",
    "expected_answer",
    "correct_answer",
)
"""Not `label` and `solution`, which as often hold a rating and a worked solution."""
CHOICE_NAMES = ("choices", "options")
FINISH_NAMES = ("finish_reason", "finish_reasons", "stop_reason")


class ImportForm(NamedTuple):
    """One entry of the table."""

    name: str
    about: str
    """What writes it."""
    find_columns: FindColumns
    where: tuple[tuple[str, str], ...] = ()
    """Columns and the values of the rows to read."""
    once: tuple[str, ...] = ()
    """Columns whose values name a row, which is read once; those that rows have."""
    before: tuple[str, ...] = ()
    """Forms that its rows fit as well, and that it is taken before."""
    join: Join = "question"
    """How its rows are joined with the questions of a named source."""


# -- fields that several forms have ----------------------------------------------------


def _with_extras(columns: Columns, shape: Shape) -> Columns:
    """Add the id, the options, the target and how a text ended, if the rows have them."""
    paths = {
        "id": shape.find_column(("id",), is_scalar),
        "choices": shape.find_column(CHOICE_NAMES, is_options) or _find_options(shape),
        "target": shape.find_column(TARGET_NAMES, is_target),
        "reasoning": shape.find_column(REASONING_NAMES, is_text_or_texts),
        "finish_reason": shape.find_column(FINISH_NAMES, is_text_or_texts),
    }
    taken = columns.values()
    extras = {
        field: path for field, path in paths.items() if path and path not in taken
    }
    return {**extras, **columns}


def _find_options(shape: Shape) -> str:
    """Return the columns that hold an option each, such as "A,B,C,D"; "" for none."""
    for run in find_option_runs(shape.columns):
        if run.role is RunRole.OPTIONS and shape.has(run.columns[0], is_scalar):
            return ",".join(run.columns)
    return ""


# -- the forms -------------------------------------------------------------------------


def _find_chat(shape: Shape) -> Columns | None:
    columns = find_conversation(shape, role="role", content="content")
    return None if columns is None else _with_extras(columns, shape)


def _find_sharegpt(shape: Shape) -> Columns | None:
    columns = find_conversation(shape, role="from", content="value")
    return None if columns is None else _with_extras(columns, shape)


def _find_alpaca(shape: Shape) -> Columns | None:
    text = shape.find_column(("output", "response"), is_text)
    if not text or not shape.has("instruction", is_text):
        return None
    more = [name for name in ("input", "context") if shape.has_any(name, is_text)]
    lines = [f"{{{name}}}" for name in ("instruction", *more)]
    question = r"\n".join(lines) if more else "instruction"
    columns = {"question": question, "text": text}
    return _with_extras(columns, shape)


def _find_lm_eval(shape: Shape) -> Columns | None:
    # Samples of log-likelihoods hold pairs of a number and a flag in place of texts.
    if not shape.has("doc", is_object) or not shape.has("resps.0.0", is_string):
        return None
    prompt = "arguments.gen_args_0.arg_0"
    prompts = ("arguments.0.0", prompt, f"{prompt}.0")
    names = (*QUESTION_NAMES, "Question", "Problem", "input")
    in_doc = shape.texts_among(names, "doc.")
    in_prompt = [path for path in prompts if shape.has(path, is_text)]
    questions = in_doc + in_prompt
    if not questions:
        return None
    columns = {"question": questions[0], "text": "resps"}
    choices = [f"doc.{name}" for name in CHOICE_NAMES]
    in_doc_choices = [path for path in choices if shape.has(path, is_options)]
    if in_doc and in_doc_choices:
        columns["choices"] = in_doc_choices[0]
    if shape.has("target", is_target):
        columns["target"] = "target"
    return columns


def _find_inspect(shape: Shape) -> Columns | None:
    reply = "output.choices.*.message"
    if not shape.has("output.choices", is_list) or "input" not in shape.columns:
        return None
    columns = {
        "question": "input",
        "text": f"{reply}.content",
        "finish_reason": "output.choices.*.stop_reason",
    }
    content = "output.choices.0.message.content"
    if shape.has_any(f"{content}[type=reasoning].0", is_object):
        columns["reasoning"] = f"{reply}.content[type=reasoning].*.reasoning"
    if shape.has("target", is_target):
        columns["target"] = "target"
    if shape.has("choices", is_options):
        columns["choices"] = "choices"
    if shape.has_any("error", is_object):
        columns["error"] = "error"
    return columns


def _find_openai_batch(shape: Shape) -> Columns | None:
    body = "response.body"
    if not shape.has("custom_id", is_scalar) or "response" not in shape.columns:
        return None
    columns = {"id": "custom_id", "error": f"error,{body}.error"}
    if shape.has_any(f"{body}.output", is_list):
        columns["text"] = f"{body}.output[type=message].*.content"
        reason = f"{body}.incomplete_details.reason"
        if shape.has_any(reason, is_text):
            columns["finish_reason"] = reason
        return columns
    choices = f"{body}.choices"
    columns["finish_reason"] = f"{choices}.*.finish_reason"
    all_failed = shape.has("error", is_object) or shape.has(f"{body}.error", is_object)
    if shape.has_any(f"{choices}.0.message", is_object) or all_failed:
        columns["text"] = f"{choices}.*.message.content"
    elif shape.has_any(f"{choices}.0.text", is_text):
        columns["text"] = f"{choices}.*.text"
    else:
        return None
    if shape.has_any(f"{choices}.0.message.refusal", is_text):
        columns["text"] += f",{choices}.*.message.refusal"
    for name in REASONING_NAMES:
        if shape.has_any(f"{choices}.0.message.{name}", is_text):
            columns["reasoning"] = f"{choices}.*.message.{name}"
            break
    return columns


def _find_anthropic_batch(shape: Shape) -> Columns | None:
    message = "result.message"
    if not shape.has("custom_id", is_scalar):
        return None
    if not shape.has_any(f"{message}.content", is_list):
        return None
    columns = {
        "id": "custom_id",
        "text": f"{message}.content",
        "error": "result.error",
    }
    if shape.has_any(f"{message}.stop_reason", is_text):
        columns["finish_reason"] = f"{message}.stop_reason"
    if shape.has_any(f"{message}.content[type=thinking].0", is_object):
        columns["reasoning"] = f"{message}.content[type=thinking].*.thinking"
    return columns


def _find_openai_evals(shape: Shape) -> Columns | None:
    if not shape.has_any("data.sampled", is_text_or_texts):
        return None
    return {"question": "data.prompt", "text": "data.sampled"}


def _find_vllm_outputs(shape: Shape) -> Columns | None:
    if not shape.has("outputs.0.text", is_text) or not shape.has("prompt", is_text):
        return None
    columns = {
        "question": "prompt",
        "text": "outputs.*.text",
        "finish_reason": "outputs.*.finish_reason",
    }
    return _with_extras(columns, shape)


def _find_opencompass(shape: Shape) -> Columns | None:
    if not shape.has("prediction", is_text):
        return None
    if shape.has("origin_prompt.0.prompt", is_text):
        question = "origin_prompt[role=HUMAN].-1.prompt"
    elif shape.has("origin_prompt", is_text):
        question = "origin_prompt"
    else:
        return None
    return _with_extras({"question": question, "text": "prediction"}, shape)


def _find_math_eval(shape: Shape) -> Columns | None:
    question = shape.find_column(QUESTION_NAMES, is_text)
    if not question or not shape.has("code", is_text_or_texts):
        return None
    if not shape.has("gt", is_scalar):
        return None
    return {"question": question, "text": "code", "target": "gt"}


def _find_rows(shape: Shape) -> Columns | None:
    texts = find_texts(shape)
    if not texts or _find_alpaca(shape) is not None:
        return None
    question = shape.find_column((*QUESTION_NAMES, "input"), is_text)
    if not question:
        return None
    return _with_extras({"question": question, "text": texts[0]}, shape)


def find_texts(shape: Shape) -> list[str]:
    """Return the columns that are named like the text of a response.

    `text` is one where no other is: it is as often the text of a document.
    """
    texts = shape.find_columns(TEXT_NAMES, is_text_or_texts)
    return texts or shape.find_columns(("text",), is_text_or_texts)


FORMS = (
    ImportForm("chat", "chat messages with role and content", _find_chat),
    ImportForm("sharegpt", "conversations with from and value", _find_sharegpt),
    ImportForm("alpaca", "instruction, input and output", _find_alpaca),
    ImportForm(
        "lm_eval",
        "samples of lm-evaluation-harness",
        _find_lm_eval,
        # Each filter of a task logs all rows again.
        once=("doc_id", "doc_hash"),
    ),
    ImportForm(
        "inspect",
        "a log of Inspect",
        _find_inspect,
        before=("chat",),
    ),
    ImportForm(
        "openai_batch",
        "output of the OpenAI Batch API or of vllm run-batch",
        _find_openai_batch,
        join="id",
    ),
    ImportForm(
        "anthropic_batch",
        "results of the Anthropic Message Batches API",
        _find_anthropic_batch,
        join="id",
    ),
    ImportForm(
        "openai_evals",
        "a log of OpenAI Evals",
        _find_openai_evals,
        where=(("type", "sampling"),),
    ),
    ImportForm("vllm_outputs", "outputs of vLLM's generate", _find_vllm_outputs),
    ImportForm("opencompass", "predictions of OpenCompass", _find_opencompass),
    ImportForm(
        "math_eval",
        "outputs of math-evaluation-harness or of Qwen2.5-Math",
        _find_math_eval,
    ),
    ImportForm("rows", "a question and a response in each row", _find_rows),
)
"""The forms, in the order in which they are listed."""
