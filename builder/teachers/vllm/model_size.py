"""How much memory a model takes on GPUs, from its files and its config.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotbuild.builder.hub.commits import cached_file
from cotbuild.builder.hub.model_files import HubModel, look_up_model
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.model_names import hub_commit, is_folder
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.schemas.json_text import parse_json
from cotbuild.schemas.teacher_config import TeacherConfig

INDEX = "model.safetensors.index.json"
DTYPE_BYTES = {"float32": 4, "float": 4, "float16": 2, "half": 2, "bfloat16": 2}
MAX_JSON_BYTES = 64 << 20
"""Longest config or index that is read: the index of a model has a line a tensor."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What decides on how many GPUs a model runs. None: not stated by its files."""

    weight_bytes: int
    """The weights, in the data type in which they are loaded."""
    num_heads: int | None = None
    num_kv_heads: int | None = None
    kv_bytes_per_token: int | None = None
    """KV cache of one token, of all layers and heads."""

    def kv_bytes(self, num_tokens: int, tensor_parallel: int) -> int:
        """Return the KV cache of `num_tokens` on each of `tensor_parallel` GPUs."""
        per_token = self.kv_bytes_per_token or 0
        # A GPU has at least one of the heads.
        shares = min(tensor_parallel, self.num_kv_heads or 1)
        return num_tokens * per_token // shares

    def divides_into(self, tensor_parallel: int) -> bool:
        """Return whether vLLM can share the attention heads among so many GPUs."""
        heads, kv_heads = self.num_heads, self.num_kv_heads
        if heads is None:
            return tensor_parallel & (tensor_parallel - 1) == 0  # a power of two
        if heads % tensor_parallel:
            return False
        if kv_heads is None or kv_heads == 0:
            return True
        return kv_heads % tensor_parallel == 0 or tensor_parallel % kv_heads == 0


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model, as far as they are known."""

    sizes: Mapping[str, int]
    """Names at the top of the folder to bytes."""
    config_json: Path | None
    index_json: Path | None = None


def find_model_files(config: TeacherConfig, identity: str) -> ModelFiles:
    """Find the files of the model that `identity` names, without downloading weights.

    Of a Hub id that is not in the cache the Hub is asked, unless it is switched off;
    where it does not answer, nothing is known.
    """
    if config.model == "embedded":
        return _read_folder(embedded_folder(cache_dir()))
    if is_folder(config.model):
        return _read_folder(Path(config.model).expanduser())
    commit = hub_commit(identity)
    cached = cached_file("model", config.model, commit, "config.json")
    if cached is not None:
        files = _read_folder(cached.parent)
        if files.index_json is not None or weight_file_bytes(files.sizes):
            return files
    found: HubModel | None = look_up_model(config.model, commit)
    if found is None:
        return ModelFiles({}, cached)
    return ModelFiles(found.sizes, found.config_json or cached)


def _read_folder(folder: Path) -> ModelFiles:
    try:
        sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    except OSError:
        return ModelFiles({}, None)
    config_json = folder / "config.json" if "config.json" in sizes else None
    return ModelFiles(sizes, config_json, folder / INDEX if INDEX in sizes else None)


def read_model_size(files: ModelFiles, dtype: str | None) -> ModelSize | None:
    """Return the size of a model that is loaded as `dtype`, as in ServerConfig.

    None if its weights are not known.
    """
    stored_bytes = _indexed_bytes(files.index_json) or weight_file_bytes(files.sizes)
    if not stored_bytes:
        return None
    config = _read_json(files.config_json)
    return model_size(config, stored_bytes, dtype)


def model_size(
    config: Mapping[str, Any], stored_bytes: int, dtype: str | None
) -> ModelSize:
    """Return the size of a model by its config.json, loaded as `dtype`."""
    text_config = config.get("text_config")
    parts = [text_config, config] if isinstance(text_config, dict) else [config]

    def number(*names: str) -> int | None:
        for part in parts:
            for name in names:
                value = part.get(name)
                if type(value) is int and 0 < value < 1 << 31:
                    return value
        return None

    stored_dtype = str(
        config.get("dtype") or config.get("torch_dtype") or parts[0].get("dtype")
    )
    stored_dtype = stored_dtype.removeprefix("torch.")
    value_bytes = DTYPE_BYTES.get(dtype or "auto", 2)
    is_quantized = "quantization_config" in config
    weight_bytes = stored_bytes
    if stored_dtype in DTYPE_BYTES and not is_quantized:
        weight_bytes = stored_bytes * value_bytes // DTYPE_BYTES[stored_dtype]
    heads = number("num_attention_heads", "n_head")
    layers = number("num_hidden_layers", "n_layer")
    latent = number("kv_lora_rank")
    kv_heads = number("num_key_value_heads") or heads
    if latent is not None and layers is not None:
        # Multi-head latent attention keeps one vector for all heads, on each GPU.
        values = latent + (number("qk_rope_head_dim") or 0)
        return ModelSize(weight_bytes, heads, None, layers * values * value_bytes)
    hidden = number("hidden_size", "n_embd")
    head_dim = number("head_dim") or (hidden // heads if hidden and heads else None)
    kv_bytes = None
    if layers and kv_heads and head_dim:
        kv_bytes = 2 * layers * kv_heads * head_dim * value_bytes
    return ModelSize(weight_bytes, heads, kv_heads, kv_bytes)


def weight_file_bytes(sizes: Mapping[str, int]) -> int:
    """Return the bytes of the files that vLLM loads; 0 if there are none.

    Some models hold their weights twice: as safetensors for transformers, and
    consolidated or as pickles beside them.
    """

    def total(suffix: str, *, consolidated: bool) -> int:
        return sum(
            size
            for name, size in sizes.items()
            if name.endswith(suffix) and name.startswith("consolidated") == consolidated
        )

    return (
        total(".safetensors", consolidated=False)
        or total(".safetensors", consolidated=True)
        or total(".bin", consolidated=False)
        or total(".pt", consolidated=False)
        or max(
            (size for name, size in sizes.items() if name.endswith(".gguf")), default=0
        )
    )


def _indexed_bytes(index_json: Path | None) -> int:
    """Return the total that an index of safetensors states; 0 if it states none."""
    metadata = _read_json(index_json).get("metadata")
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    if type(size) is float and size.is_integer():
        size = int(size)
    return size if type(size) is int and 0 < size < 1 << 60 else 0


def _read_json(path: Path | None) -> Mapping[str, Any]:
    """Return the object in a file; empty if there is none."""
    try:
        if path is None or path.stat().st_size > MAX_JSON_BYTES:
            return {}
        value = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
