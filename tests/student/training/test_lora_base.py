"""The base model of a LoRA run is the one that it was trained on, or an error."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.model_folder import model_folder_digest
from cotbuild.schemas.training import Precision, TrainConfig, VariantRows
from cotbuild.student.model import load_student
from cotbuild.student.training.lora_base import BASE
from cotbuild.student.training.run_dir import load_trained
from cotbuild.student.training.train import BaseStudent, train_student
from tests.support.student_builds import make_build, variant_rows
from tests.support.tiny import FAMILIES, save_tiny, tiny_student

COMMIT, NEWER_COMMIT = "a" * 40, "b" * 40
CONFIG = TrainConfig(
    variant="post_cot",
    student="tiny",
    rows=4,
    epochs=1,
    batch_rows=4,
    lora_rank=2,
    precision=Precision.FLOAT32,
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> VariantRows:
    folder = tmp_path_factory.mktemp("lora")
    return variant_rows(make_build(folder, 12, ("post_cot",)))


def train_on_folder(rows: VariantRows, where: Path, out: Path) -> Path:
    """Train LoRA matrices on a model in a folder, with the identity it has."""
    identity = f"local:{model_folder_digest(where)}"
    train_student(CONFIG, rows, BaseStudent(str(where), identity), out)
    return out


def as_older_version(run: Path, where: str) -> None:
    """Give a run the record of its base that versions before base.json left."""
    (run / BASE).unlink(missing_ok=True)
    path = run / "model" / "adapter_config.json"
    config = json.loads(path.read_text())
    config |= {"base_model_name_or_path": where, "revision": None}
    path.write_text(json.dumps(config))


def base_weights(run: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a loaded run that LoRA leaves as they were."""
    model = load_trained(run).model
    return {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): value
        for name, value in model.state_dict().items()
        if "lora_" not in name
    }


# -- folders -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_run_says_where_its_base_is_and_the_model_does_not(
    family: str, rows: VariantRows, tmp_path: Path
) -> None:
    where = save_tiny(tmp_path / "tiny", family)
    run = train_on_folder(rows, where, tmp_path / "run")
    assert json.loads((run / BASE).read_text())["folder"] == str(where)
    adapter = json.loads((run / "model" / "adapter_config.json").read_text())
    identity = json.loads((run / "run.json").read_text())["student"]
    assert adapter["base_model_name_or_path"] == identity
    here = str(tmp_path).encode()
    for path in (run / "model").iterdir():
        assert here not in path.read_bytes(), path.name
    untrained = tiny_student(family).model.state_dict()
    found = base_weights(run)
    assert found.keys() == untrained.keys()
    for name, value in found.items():
        assert torch.equal(value, untrained[name]), name


@pytest.mark.parametrize("older", [False, True])
def test_a_base_with_other_weights_is_refused(
    older: bool, rows: VariantRows, tmp_path: Path
) -> None:
    where = save_tiny(tmp_path / "tiny", "llama")
    run = train_on_folder(rows, where, tmp_path / "run")
    if older:
        as_older_version(run, str(where))
    load_trained(run)
    save_tiny(where, "llama", seed=7)
    said = (
        rf"^{run}: the base model of this LoRA run, '{where}', has changed: it is not"
    )
    with pytest.raises(ConfigError, match=said) as caught:
        load_trained(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("older", [False, True])
def test_a_base_that_was_moved_can_be_named(
    older: bool, rows: VariantRows, tmp_path: Path
) -> None:
    where = save_tiny(tmp_path / "tiny", "gpt2")
    run = train_on_folder(rows, where, tmp_path / "run")
    if older:
        as_older_version(run, str(where))
    moved = where.rename(tmp_path / "moved")
    said = (
        rf"'{where}' any more. Put the model back, or write its FOLDER to {run / BASE}"
    )
    with pytest.raises(ConfigError, match=said) as caught:
        load_trained(run)
    sample = str(caught.value).partition(f"{BASE}: ")[2]
    (run / BASE).write_text(sample.replace("FOLDER", str(moved)))
    assert base_weights(run)


def test_a_resumed_run_names_the_folder_it_was_resumed_with(
    rows: VariantRows, tmp_path: Path
) -> None:
    where = save_tiny(tmp_path / "tiny", "llama")
    run = train_on_folder(rows, where, tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"finished": False}))
    moved = where.rename(tmp_path / "moved")
    train_on_folder(rows, moved, run)
    assert json.loads((run / BASE).read_text())["folder"] == str(moved)
    assert load_trained(run).model is not None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"folder": 3}'])
def test_a_damaged_record_of_the_base_is_one_line(
    content: str, rows: VariantRows, tmp_path: Path
) -> None:
    where = save_tiny(tmp_path / "tiny", "llama")
    run = train_on_folder(rows, where, tmp_path / "run")
    (run / BASE).write_text(content)
    with pytest.raises(ConfigError, match="or write its FOLDER to") as caught:
        load_trained(run)
    assert "\n" not in str(caught.value)


def test_a_run_of_all_weights_has_no_base(rows: VariantRows, tmp_path: Path) -> None:
    where = save_tiny(tmp_path / "tiny", "llama")
    config = CONFIG.model_copy(update={"lora_rank": None})
    train_student(config, rows, BaseStudent(str(where), "local:x"), tmp_path / "run")
    assert not (tmp_path / "run" / BASE).exists()
    shutil.rmtree(where)
    load_trained(tmp_path / "run")


# -- the Hub -----------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the Hub with two commits of a model; its main is the newer one."""
    hub = tmp_path / "hub"
    repo = hub / "models--org--tiny"
    save_tiny(repo / "snapshots" / COMMIT, "llama", seed=0)
    save_tiny(repo / "snapshots" / NEWER_COMMIT, "llama", seed=1)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(NEWER_COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return hub


# peft asks main for the size of the vocabulary when it saves, and warns if it is offline.
@pytest.mark.filterwarnings("ignore:Unable to fetch remote file")
@pytest.mark.filterwarnings("ignore:Could not find a config file")
@pytest.mark.parametrize("older", [False, True])
def test_the_base_is_the_commit_trained_on(
    older: bool, hub: Path, rows: VariantRows, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    base = BaseStudent("org/tiny", f"hub:org/tiny@{COMMIT}", COMMIT)
    train_student(CONFIG, rows, base, run)
    assert not (run / BASE).exists()
    adapter = json.loads((run / "model" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "org/tiny"
    assert adapter["revision"] == COMMIT
    if older:
        as_older_version(run, "org/tiny")
    else:
        load_student(run / "model", "x")  # peft itself finds the commit
    untrained = tiny_student("llama", seed=0).model.state_dict()
    for name, value in base_weights(run).items():
        assert torch.equal(value, untrained[name]), name
    shutil.rmtree(hub / "models--org--tiny" / "snapshots" / COMMIT)
    with pytest.raises(ConfigError, match="student 'org/tiny' could not be loaded"):
        load_trained(run)


# -- precision ---------------------------------------------------------------------------


def test_a_bfloat16_checkpoint_is_trained_and_read_in_float32(
    rows: VariantRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a GPU would load its own type: the loading is that of such a machine."""
    where, student = tmp_path / "tiny", tiny_student("llama")
    student.model.to(torch.bfloat16).save_pretrained(where)  # type: ignore[arg-type]
    student.tokenizer.save_pretrained(where)
    run = train_on_folder(rows, where, tmp_path / "run")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        "cotbuild.student.model.inference_device", lambda: torch.device("cpu")
    )
    assert load_student(where, "x").model.dtype == torch.bfloat16
    types = {value.dtype for value in load_trained(run).model.parameters()}
    assert types == {torch.float32}
    low = load_trained(run, Precision.BFLOAT16).model
    assert low.get_input_embeddings().weight.dtype == torch.bfloat16
