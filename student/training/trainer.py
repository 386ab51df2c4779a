"""TRL's trainer with our updates: accelerate, peft, checkpoints and schedule are
theirs, an update's loss is ours.
"""

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Precision, TrainConfig, UpdateMetrics
from cotbuild.student.model import Student, resolve_precision
from cotbuild.student.training.batches import MicroBatch, compute_losses
from cotbuild.student.training.examples import TrainingExamples
from cotbuild.student.training.run_dir import WHOLE
from cotbuild.student.training.updates import UpdateBatch, UpdateDataset

OnUpdate = Callable[[UpdateMetrics], None]
FULL_LR, LORA_LR = 5e-5, 2e-4
CHECKPOINTS_A_RUN = 10
GRAD_NORM = 1.0
"""Gradients are scaled down to this norm."""


class StudentTrainer(SFTTrainer):
    """An item of its data loader is a whole update, cut into micro-batches here."""

    def __init__(
        self,
        student: Student,
        examples: TrainingExamples,
        config: TrainConfig,
        args: SFTConfig,
        on_update: OnUpdate,
    ) -> None:
        self._config, self._on_update = config, on_update
        self._losses, self._tokens, self._since = torch.zeros(3), 0, time.monotonic()
        super().__init__(
            model=student.model,
            args=args,
            train_dataset=Dataset.from_dict(
                {"key": examples.keys}
            ),  # only to satisfy it: see get_train_dataloader
            data_collator=_only_item,
            processing_class=student.tokenizer,
            peft_config=_lora(student.model, config),
        )
        self.updates = UpdateDataset(
            examples,
            config,
            student.pad_id,
            self.args.process_index,
            self.args.world_size,
        )
        self.remove_callback(PrinterCallback)  # prints to stdout

    def get_train_dataloader(self) -> DataLoader[UpdateBatch]:
        """Updates in order, once: not accelerate's, since each process takes its own
        share of every update.
        """
        return DataLoader(self.updates, batch_size=1, collate_fn=_only_item)

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: object = None,  # noqa: ARG002
    ) -> torch.Tensor:
        """Run the micro-batches of an `UpdateBatch` backward; gradients are exchanged
        at the last one.
        """
        model.train()
        losses = torch.zeros(3, device=self.args.device)
        batches: list[MicroBatch] = inputs["micro_batches"]
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            self.accelerator.gradient_state._set_sync_gradients(last)
            with self._exchange(model, last):
                with self.compute_loss_context_manager():
                    found = compute_losses(model, self._on_device(batch))
                # Processes' gradients are averaged, and the weights are those of a sum.
                self.accelerator.backward(found[0] * self.args.world_size)
            losses += found.detach()
        self._losses = cast(torch.Tensor, self.accelerator.reduce(losses, "sum"))
        self._tokens = inputs["tokens"]
        if not math.isfinite(float(self._losses[0])):
            raise ConfigError(
                f"lr {self._config.lr}: the loss is {float(self._losses[0])} at update {self.state.global_step + 1}. "
                "Expected a finite one. Lower --lr."
            )
        return self._losses[0]

    def _on_device(self, batch: MicroBatch) -> MicroBatch:
        tensors = cast(dict[str, torch.Tensor], batch)
        moved = {name: tensor.to(self.args.device) for name, tensor in tensors.items()}
        return cast(MicroBatch, moved)

    def _exchange(
        self, model: torch.nn.Module, last: bool
    ) -> contextlib.AbstractContextManager[Any]:
        """DeepSpeed does without: it is told by sync_gradients."""
        if last or self.is_deepspeed_enabled:
            return contextlib.nullcontext()
        return cast(
            contextlib.AbstractContextManager[Any], self.accelerator.no_sync(model)
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """An update that is done, told to `on_update` in the main process."""
        super().log(logs, start_time)
        if "grad_norm" not in logs:
            return
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        if self.is_world_process_zero():
            loss, label, rationale = self._losses.tolist()
            step, steps = self.state.global_step, len(self.updates)
            self._on_update(
                UpdateMetrics(
                    step=step,
                    steps=steps,
                    epoch=round(self._config.epochs * step / steps, 4),
                    loss=loss,
                    label_loss=label,
                    rationale_loss=rationale,
                    lr=logs["learning_rate"],
                    grad_norm=logs["grad_norm"],
                    tokens=self._tokens,
                    seconds=seconds,
                    tokens_per_s=self._tokens / max(seconds, 1e-9),
                )
            )

    def floating_point_ops(self, inputs: object) -> int:  # noqa: ARG002
        """Not counted: theirs reads fields that an update does not have."""
        return 0

    def create_model_card(self, *args: object, **kwargs: object) -> None:
        """None: a checkpoint is no release."""

    def _save_checkpoint(self, model: torch.nn.Module, trial: object) -> None:
        """As theirs, with a mark behind it that tells a whole one from one that was cut
        off.
        """
        super()._save_checkpoint(model, trial)  # type: ignore[no-untyped-call]
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            (
                Path(str(self.args.output_dir))
                / f"checkpoint-{self.state.global_step}"
                / WHOLE
            ).touch()


class StopOnRequest(TrainerCallback):
    """Ends a run behind the update at hand, with a checkpoint."""

    def __init__(self) -> None:
        self.asked = False

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **kwargs: object,  # noqa: ARG002
    ) -> TrainerControl:
        if self.asked:
            control.should_save = control.should_training_stop = True
        return control


def _only_item(items: list[Any]) -> Any:
    return items[0]


def _lora(model: PreTrainedModel, config: TrainConfig) -> Any:
    """LoRA on every linear layer but the head, scaled by 2, without dropout; None: all
    weights train.
    """
    if config.lora_rank is None:
        return None
    from peft import LoraConfig
    from transformers.pytorch_utils import Conv1D

    transposed = any(
        isinstance(module, Conv1D) for module in model.modules()
    )  # GPT-2's way to be linear
    rank = config.lora_rank
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        fan_in_fan_out=transposed,
    )


def resolve_learning_rate(config: TrainConfig) -> float:
    """The stated one, or the usual one of what trains."""
    if config.lr is not None:
        return config.lr
    return FULL_LR if config.lora_rank is None else LORA_LR


def make_trainer_args(
    config: TrainConfig, checkpoints: Path, updates: int, *, keep: bool = True
) -> SFTConfig:
    """AdamW; the rate rises in a line over `warmup_frac` of the updates, then falls in
    a line to 0.

    In a line, not a cosine: of the two usual ones it has no more to choose. `keep`
    False: no checkpoint is written.
    """
    gpu = torch.accelerator.is_available()
    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=updates,
        per_device_train_batch_size=1,
        optim="adamw_torch",
        learning_rate=resolve_learning_rate(config),
        lr_scheduler_type="linear",
        warmup_steps=math.ceil(config.warmup_frac * updates),
        weight_decay=config.weight_decay,
        max_grad_norm=GRAD_NORM,
        seed=config.seed,
        bf16=resolve_precision(config) is Precision.BFLOAT16,
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
        gradient_checkpointing=config.gradient_checkpointing,
        ddp_find_unused_parameters=False,
        average_tokens_across_devices=False,
        save_strategy="steps" if keep else "no",
        save_steps=config.checkpoint_every or math.ceil(updates / CHECKPOINTS_A_RUN),
        save_total_limit=2,  # the older one goes before the newer has its mark
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
