"""The rule of every field of every record in a request; see `fields`."""

from typing import Any

from pydantic_core import to_jsonable_python

from cotbuild.builder.service.requests.fields import (
    RequestContext,
    Rule,
    Rules,
    resolve_record,
)
from cotbuild.builder.service.requests.rules import (
    as_it_is,
    endpoints,
    fetches,
    file,
    folder,
    imported_files,
    model,
    models,
    optional_file,
    refused,
    repo,
    revision,
    secret,
    source,
    target,
    teacher_model,
    templates,
    tokenizer,
    training_settings,
    variant_files,
    word,
)
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.attempts import AttemptsConfig
from cotbuild.schemas.budget import Budget, Prices
from cotbuild.schemas.completion import Sampling
from cotbuild.schemas.config import BuildConfig, ExemplarsConfig, SourceConfig
from cotbuild.schemas.grading import GradingConfig
from cotbuild.schemas.import_recipe import ImportConfig, ImportRecipe
from cotbuild.schemas.service.requests import (
    AttributeRequest,
    EvaluateRequest,
    GenerateRequest,
    ImportRequest,
    JobRequest,
    PublishRequest,
    StudyRequest,
    TrainRequest,
    VariantsRequest,
)
from cotbuild.schemas.study.claims import (
    BeatsClaim,
    ClaimTier,
    EquivalentClaim,
    Gain,
    GainShare,
    KeepsClaim,
    NotWorseClaim,
)
from cotbuild.schemas.study.declaration import (
    Gate,
    HeldOutQuestions,
    PlannedComparison,
    StudyQuestions,
    StudyStage,
)
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import (
    HyperparameterSearch,
    Sensitivity,
    StudyPrecision,
    StudyV2,
)
from cotbuild.schemas.teacher_config import (
    ScriptedConfig,
    ServerConfig,
    TeacherConfig,
)
from cotbuild.schemas.training import TrainConfig
from cotbuild.schemas.transform import (
    Constant,
    Cut,
    Echo,
    Filler,
    LeakOnly,
    Mask,
    Reverse,
    Sample,
    Shuffle,
    Sort,
    Strip,
    Swap,
    Top,
    Vocabulary,
)
from cotbuild.schemas.variant import MixPart, Selection, VariantSpec


def _all(names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), as_it_is)


_REQUEST = _all("kind target priority labels")

RULES: Rules = {
    GenerateRequest: {
        **_REQUEST,
        **_all("config budget allow_unscored retry_failed"),
        "api_key_from": secret,
    },
    ImportRequest: {**_REQUEST, **_all("config")},
    VariantsRequest: {
        **_REQUEST,
        **_all("variants specs selection seed"),
        "files": variant_files,
    },
    PublishRequest: {
        **_REQUEST,
        **_all("tag private configs license languages allow_partial move_tag message"),
        **_all("dry_run"),
        "repo": repo,
        "source": source,
        "files": variant_files,
    },
    TrainRequest: {**_REQUEST, **_all("config"), "build": target},
    EvaluateRequest: {
        **_REQUEST,
        **_all("variant spec split limit mapping teacher_rationales batch_tokens"),
        **_all("precision"),
        "run": target,
        "model": model,
        "revision": revision,
        "build": target,
        "source": source,
        "config_name": revision,
        "base": model,
        "rationales_from": target,
    },
    AttributeRequest: {
        **_REQUEST,
        **_all("method steps max_steps max_error min_rank_correlation"),
        **_all("limit batch_tokens"),
        "build": target,
    },
    StudyRequest: {**_REQUEST, **_all("study keep")},
    Budget: _all("max_requests max_output_tokens max_cost prices gpus"),
    Prices: _all("input output gpu_hour"),
    BuildConfig: {
        **_all("format_version source teacher imported mode attempts decode on_length"),
        **_all("longer_tokens choice_tokens exemplars system sampling samples seed"),
        **_all("grading"),
        "templates": templates,
    },
    SourceConfig: {
        **_all("split rows sample sample_seed limit eval_splits file_format header"),
        **_all("rows_under columns tags kind target_is labels on_bad_row drop_overlap"),
        "name": source,
        "config_name": revision,
        "revision": revision,
        "images": folder,
        "fetch_images": fetches,
    },
    TeacherConfig: {
        **_all("recorded window max_attempts stall_s max_answer_s profile omit rename"),
        **_all("extra_body seed_bits server scripted"),
        "model": teacher_model,
        "endpoints": endpoints,
        "revision": revision,
    },
    ServerConfig: {
        **_all("max_num_seqs max_model_len max_num_batched_tokens kv_cache_gib"),
        **_all("enforce_eager start_timeout_s max_restarts"),
        "dtype": word,
        "extra_args": refused,
    },
    ScriptedConfig: _all(
        "no_answer_frac length_frac rejected_frac unavailable_frac latency_s"
    ),
    ImportConfig: {
        **_all("recipe file_format header rows_under"),
        "files": imported_files,
        "order_from": optional_file,
    },
    ImportRecipe: {
        **_all("name version about made_by licence url join columns where once"),
        **_all("question_form choice_form choice_separator order_about answer"),
        **_all("target_shown"),
    },
    AttemptsConfig: {**_all("columns only"), "file": file},
    ExemplarsConfig: _all("split count seed"),
    Sampling: {
        **_all("temperature top_p top_k min_p presence_penalty frequency_penalty"),
        **_all("repetition_penalty max_tokens stop"),
    },
    GradingConfig: _all("closing_sentence math_metric"),
    VariantSpec: {
        **_all(
            "name version about placement label_source label_form options prompt cue"
        ),
        **_all("transforms aligned format train_on mix draws"),
        "tokenizer": tokenizer,
    },
    MixPart: _all("spec share"),
    Selection: {
        **_all("verdicts having without min_words max_words per_question share"),
        **_all("min_chrf2 min_bleu min_rouge_l near_duplicates attempt evaluation"),
        **_all("agrees balance"),
    },
    Shuffle: _all("do unit within block"),
    Reverse: _all("do unit"),
    Sort: _all("do unit"),
    Mask: _all("do words share layout symbol"),
    Cut: _all("do end count share like"),
    Top: _all("do by count order mentions file"),
    Sample: _all("do count like mentions"),
    Vocabulary: _all("do weights like"),
    Swap: _all("do label"),
    Filler: _all("do word like"),
    Echo: _all("do"),
    Constant: _all("do text"),
    Strip: _all("do what random"),
    LeakOnly: _all("do"),
    TrainConfig: {
        **_all("variant seed rows epochs lr warmup_frac weight_decay batch_rows"),
        **_all("batch_tokens gradient_checkpointing checkpoint_every max_tokens loss"),
        **_all("rationale_weight lora_rank precision compile_layers"),
        "student": model,
        "revision": revision,
    },
    StudyV1: {
        **_all("format_version name dev test metric margin paired comparisons gate"),
        **_all("stages"),
        "source": target,
        "train": training_settings,
        "grid": training_settings,
    },
    StudyV2: {
        **_all("format_version name dev test metric secondary_metrics free_answers"),
        **_all(
            "precision rows_per_seed looks hoped hyperparameters gate tiers secondary"
        ),
        **_all("sensitivity stages"),
        "source": target,
        "train": training_settings,
    },
    StudyQuestions: _all("split skip first"),
    HeldOutQuestions: _all("split unseen count by"),
    PlannedComparison: _all("name says a b claim"),
    StudyPrecision: _all("training evaluation"),
    HyperparameterSearch: {
        **_all("variants seeds"),
        "grid": training_settings,
    },
    Sensitivity: {
        **_all("name variants seeds"),
        "grid": training_settings,
    },
    ClaimTier: _all("name opens_with claims"),
    BeatsClaim: _all("name says claim a b"),
    NotWorseClaim: _all("name says claim a b margin"),
    EquivalentClaim: _all("name says claim a b margin"),
    KeepsClaim: _all("name says claim a base full share"),
    GainShare: _all("share of"),
    Gain: _all("full base"),
    Gate: _all("variant standard_errors"),
    StudyStage: {**_all("name variants seeds rows losses"), "students": models},
}
"""Every field of the records in a request. A test compares it with the records."""


def resolve_request(
    request: JobRequest,
    settings: ServiceSettings,
    owner: str,
    *,
    is_starting: bool = False,
) -> dict[str, Any]:
    """Return a request as plain values, its references replaced by paths.

    `owner` is who submitted it, `is_starting` whether its process starts now, so that
    the folders it reads must exist. Raises ConfigError in one line if the service does
    not take what a field holds, or an upload is missing.
    """
    context = RequestContext(settings, RULES, owner, is_starting)
    values: dict[str, Any] = to_jsonable_python(resolve_record(request, "", context))
    return values
