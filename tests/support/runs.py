"""Records of training runs, without a training."""

from collections.abc import Iterable

from cotbuild.schemas.training import Layout, RowsInfo, StudentRun, TrainConfig
from cotbuild.schemas.variant import VariantSpec


def run_of(
    placement: str,
    layout: Layout,
    transforms: tuple[dict[str, str], ...] = (),
    trained_on: Iterable[str] = (),
) -> StudentRun:
    """Return the record of a run on a variant; `trained_on` digests question texts."""
    spec = VariantSpec.parse(
        {"name": "v", "about": "a", "placement": placement, "transforms": transforms},
        "test",
    )
    data = RowsInfo(
        build="b",
        config_digest="c",
        split="train",
        spec=spec,
        fingerprint="f",
        num_rows=1,
        too_long=0,
        rationale_tokens_p99=9,
        question_digests=tuple(trained_on),
    )
    return StudentRun(
        config=TrainConfig(variant="v"),
        student="s",
        data=data,
        layout=layout,
        versions={},
    )
