"""TRL's trainer with cotbuild's updates and loss.

Devices, LoRA, checkpoints and the learning-rate schedule are those of accelerate, peft
and transformers; what an update holds and its loss are ours.
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
    set_seed,
)
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

from cotbuild.schemas.errors import DivergedError
from cotbuild.schemas.training import (
    Execution,
    Optimizer,
    Precision,
    TrainConfig,
    UpdateMetrics,
)
from cotbuild.student.model import Student
from cotbuild.student.precision import resolve_precision
from cotbuild.student.training.batches import (
    MicroBatch,
    UpdateBatch,
    UpdateDataset,
    compute_losses,
)
from cotbuild.student.training.examples import TrainingExamples
from cotbuild.student.training.execution import cast_weights_once
from cotbuild.student.training.run_dir import CHECKPOINT_COMPLETE

OnUpdate = Callable[[UpdateMetrics], None]

FULL_LR, LORA_LR = 5e-5, 2e-4
"""Default learning rates when all weights train, and when LoRA matrices do."""

CHECKPOINTS_PER_RUN = 10

MAX_GRAD_NORM = 1.0
"""Gradients are scaled down to this norm."""


# -- settings ----------------------------------------------------------------------------


def resolve_learning_rate(config: TrainConfig) -> float:
    """Return the peak learning rate: the configured one, or the default."""
    if config.lr is not None:
        return config.lr
    return FULL_LR if config.lora_rank is None else LORA_LR


def make_trainer_args(
    config: TrainConfig,
    checkpoints: Path,
    updates: int,
    optimizer: Optimizer = Optimizer.FUSED_ADAMW,
    *,
    keep: bool = True,
) -> SFTConfig:
    """Return the trainer's settings; with `keep` False no checkpoint is written.

    The optimiser is AdamW. The learning rate rises linearly over `warmup_frac` of the
    updates, then falls linearly to 0. Linear rather than cosine, since it has no
    further setting.
    """
    has_gpu = torch.accelerator.is_available()
    default_save_steps = math.ceil(updates / CHECKPOINTS_PER_RUN)
    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=updates,
        per_device_train_batch_size=1,
        optim=optimizer.value,
        learning_rate=resolve_learning_rate(config),
        lr_scheduler_type="linear",
        warmup_steps=math.ceil(config.warmup_frac * updates),
        weight_decay=config.weight_decay,
        max_grad_norm=MAX_GRAD_NORM,
        seed=config.seed,
        bf16=resolve_precision(config) is Precision.BFLOAT16,
        use_cpu=not has_gpu,
        dataloader_pin_memory=has_gpu,
        gradient_checkpointing=config.gradient_checkpointing,
        ddp_find_unused_parameters=False,
        average_tokens_across_devices=False,
        save_strategy="steps" if keep else "no",
        save_steps=config.checkpoint_every or default_save_steps,
        save_total_limit=2,  # the older one goes before the newer one is complete
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )


def _lora_config(model: PreTrainedModel, config: TrainConfig) -> Any:
    """Return peft's settings, or None if all weights train.

    LoRA is on every linear layer but the head, scaled by 2, without dropout.
    """
    if config.lora_rank is None:
        return None
    from peft import LoraConfig
    from transformers.pytorch_utils import Conv1D

    # GPT-2 has its linear layers as Conv1D, whose weights are transposed.
    transposed = any(isinstance(module, Conv1D) for module in model.modules())
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=2 * config.lora_rank,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        fan_in_fan_out=transposed,
    )


# -- trainer -----------------------------------------------------------------------------


class StudentTrainer(SFTTrainer):
    """A trainer whose data loader yields whole updates, as lists of micro-batches.

    `on_update` is called after every update, in the main process.
    """

    def __init__(
        self,
        student: Student,
        examples: TrainingExamples,
        config: TrainConfig,
        args: SFTConfig,
        execution: Execution,
        on_update: OnUpdate,
    ) -> None:
        self._config, self._on_update = config, on_update
        self._losses = torch.zeros(3)
        self._tokens = self._label_tokens = self._rationale_tokens = 0
        self._last_update_at = time.monotonic()
        # TRL 1.0 draws LoRA's first weights before it seeds; later versions seed first.
        set_seed(config.seed)
        # With more, transformers would run replicas of the model in one process, which
        # TRL refuses. Several GPUs take several processes: `accelerate launch`.
        args._n_gpu = min(1, args.n_gpu)
        super().__init__(
            model=student.model,
            args=args,
            # Required, but not used: see get_train_dataloader.
            train_dataset=Dataset.from_dict({"key": examples.keys}),
            data_collator=_only_item,
            processing_class=student.tokenizer,
            peft_config=_lora_config(student.model, config),
        )
        self.updates = UpdateDataset(
            examples,
            config,
            student.pad_id,
            self.args.process_index,
            self.args.world_size,
            micro_batch_cost=execution.micro_batch_cost,
        )
        self.remove_callback(PrinterCallback)  # prints to stdout

    def get_train_dataloader(self) -> DataLoader[UpdateBatch]:
        """Return the updates in order, once.

        Not wrapped by accelerate, since each process takes its own share of an update.
        """
        return DataLoader(self.updates, batch_size=1, collate_fn=_only_item)

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: object = None,  # noqa: ARG002
    ) -> torch.Tensor:
        """Run forward and backward over the micro-batches of an `UpdateBatch`.

        Processes exchange gradients at the last one. An update without rows has no
        gradients, so the optimiser changes neither weights nor moments. Returns the
        update's loss; raises DivergedError if it is not finite.
        """
        model.train()
        losses = torch.zeros(3, device=self.args.device)
        batches: list[MicroBatch] = inputs["micro_batches"]
        with self._weights_cast_once():
            for number, batch in enumerate(batches):
                is_last = number == len(batches) - 1
                self.accelerator.gradient_state._set_sync_gradients(is_last)
                losses += self._run_micro_batch(model, batch, is_last)
        self._losses = cast(torch.Tensor, self.accelerator.reduce(losses, "sum"))
        self._tokens = inputs["tokens"]
        self._label_tokens = inputs["label_tokens"]
        self._rationale_tokens = inputs["rationale_tokens"]
        loss = float(self._losses[0])
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} at update {self.state.global_step + 1} with "
                f"lr {self._config.lr}. Lower the learning rate."
            )
        return self._losses[0]

    def _run_micro_batch(
        self, model: torch.nn.Module, batch: MicroBatch, is_last: bool
    ) -> torch.Tensor:
        """Run one forward and backward pass and return its losses, [3]."""
        with self._gradient_exchange(model, is_last):
            with self.compute_loss_context_manager():
                losses = compute_losses(model, self._on_device(batch))
            # Gradients are averaged over processes, but the weights are those of a sum.
            share = losses[0] * self.args.world_size
            with torch.autocast(self.args.device.type, enabled=False):
                self.accelerator.backward(share)
        return losses.detach()

    def _weights_cast_once(self) -> contextlib.AbstractContextManager[None]:
        """Keep the bfloat16 copies of the weights for a whole update.

        Not of weights that are sharded over processes, where copies of all of them would
        fill the memory, and not with gradient checkpointing, which makes copies that
        have no gradient.
        """
        alone = self.args.world_size == 1 and not self.is_deepspeed_enabled
        if not (self.args.bf16 and alone) or self.args.gradient_checkpointing:
            return contextlib.nullcontext()
        return cast_weights_once(self.args.device)

    def _on_device(self, batch: MicroBatch) -> MicroBatch:
        tensors = cast(dict[str, torch.Tensor], batch)
        moved = {name: tensor.to(self.args.device) for name, tensor in tensors.items()}
        return cast(MicroBatch, moved)

    def _gradient_exchange(
        self, model: torch.nn.Module, is_last: bool
    ) -> contextlib.AbstractContextManager[Any]:
        """Suppress the exchange of gradients before the last micro-batch.

        DeepSpeed needs no such context: it follows the accelerator's sync_gradients.
        """
        if is_last or self.is_deepspeed_enabled:
            return contextlib.nullcontext()
        no_sync = self.accelerator.no_sync(model)
        return cast(contextlib.AbstractContextManager[Any], no_sync)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Report a finished update to `on_update`, in the main process."""
        super().log(logs, start_time)
        if "grad_norm" not in logs:
            return
        now = time.monotonic()
        seconds, self._last_update_at = now - self._last_update_at, now
        if not self.is_world_process_zero():
            return
        loss, label_loss, rationale_loss = self._losses.tolist()
        step, steps = self.state.global_step, len(self.updates)
        self._on_update(
            UpdateMetrics(
                step=step,
                steps=steps,
                epoch=round(self._config.epochs * step / steps, 4),
                loss=loss,
                label_loss=label_loss,
                rationale_loss=rationale_loss,
                lr=logs["learning_rate"],
                grad_norm=logs["grad_norm"],
                tokens=self._tokens,
                seconds=seconds,
                tokens_per_s=self._tokens / max(seconds, 1e-9),
                label_tokens=self._label_tokens,
                rationale_tokens=self._rationale_tokens,
            )
        )

    def floating_point_ops(self, inputs: object) -> int:  # noqa: ARG002
        """Return 0: transformers' count reads fields that an update does not have."""
        return 0

    def create_model_card(self, *args: object, **kwargs: object) -> None:
        """Write no model card: a checkpoint is not a release."""

    def _save_checkpoint(self, model: torch.nn.Module, trial: object) -> None:
        """Save a checkpoint, then mark it as complete."""
        super()._save_checkpoint(model, trial)  # type: ignore[no-untyped-call]
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            name = f"checkpoint-{self.state.global_step}"
            (Path(str(self.args.output_dir)) / name / CHECKPOINT_COMPLETE).touch()


def check_weights_are_finite(model: torch.nn.Module, config: TrainConfig) -> None:
    """Raise DivergedError if the last update left weights that are not finite.

    Those of an earlier update make the next loss infinite or NaN.
    """
    for name, weights in model.named_parameters():
        if weights.requires_grad and not bool(torch.isfinite(weights).all()):
            raise DivergedError(
                f"the weights {name!r} are not finite after the last update with lr "
                f"{config.lr}. Lower the learning rate."
            )


class StopOnRequest(TrainerCallback):
    """Ends a run after the current update, with a checkpoint, once `requested` is set."""

    def __init__(self) -> None:
        self.requested = False

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **kwargs: object,  # noqa: ARG002
    ) -> TrainerControl:
        if self.requested:
            control.should_save = control.should_training_stop = True
        return control


def _only_item(items: list[Any]) -> Any:
    return items[0]
