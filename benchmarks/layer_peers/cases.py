"""The layers compared: their sizes and options, in words that every library's peer reads."""

from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """One layer: ``kind`` says which, ``shape`` is its input's with the batch first and channels last."""

    kind: str
    shape: tuple[int, ...]
    options: dict[str, Any] = {}
    steps: int = 10  # forward and backward passes in one loop

    def input(self) -> np.ndarray:
        """Draw the input."""
        return np.random.default_rng(0).normal(size=self.shape).astype(np.float32)

    @property
    def spatial(self) -> int:
        """The number of spatial axes."""
        return len(self.shape) - 2


IMAGES = (16, 28, 28, 32)
TEXTS = (8, 64, 128)
SERIES = (32, 64, 64)


def conv(width: int, window: int = 3, stride: int = 1, groups: int = 1) -> dict[str, int]:
    """Give a convolution's options."""
    return {"width": width, "window": window, "stride": stride, "groups": groups}


LARGER = {"width": 32, "window": 4, "stride": 2}


CASES = {
    "conv_1d": Case("conv", (32, 256, 32), conv(32, window=5)),
    "conv_2d": Case("conv", IMAGES, conv(32)),
    "conv_2d_1x1": Case("conv", IMAGES, conv(64, window=1)),
    "conv_2d_strided": Case("conv", IMAGES, conv(64, stride=2)),
    "conv_2d_grouped": Case("conv", (32, 14, 14, 64), conv(64, groups=4)),
    "conv_2d_depthwise": Case("conv", (32, 14, 14, 64), conv(64, groups=64)),
    "conv_3d": Case("conv", (4, 8, 16, 16, 16), conv(16)),
    "conv_transpose_1d": Case("conv_transpose", (32, 128, 32), LARGER),
    "conv_transpose_2d": Case("conv_transpose", (16, 14, 14, 32), LARGER),
    "conv_transpose_3d": Case("conv_transpose", (4, 4, 8, 8, 32), LARGER),
    "max_pool": Case("max_pool", IMAGES, {"window": 2, "stride": 2}),
    "max_pool_overlapping": Case("max_pool", IMAGES, {"window": 3, "stride": 2}),
    "average_pool": Case("average_pool", IMAGES, {"window": 2, "stride": 2}),
    "average_pool_overlapping": Case("average_pool", IMAGES, {"window": 3, "stride": 2}),
    "max_pool_3d": Case("max_pool", (8, 8, 16, 16, 16), {"window": 2, "stride": 2}),
    "lp_pool": Case("lp_pool", IMAGES, {"window": 2, "stride": 2, "p": 2.0}),
    "adaptive_average_pool": Case("adaptive_average_pool", IMAGES, {"size": 7}),
    "batch_norm": Case("batch_norm", IMAGES),
    "layer_norm": Case("layer_norm", (32, 64, 256)),
    "group_norm": Case("group_norm", IMAGES, {"groups": 8}),
    "instance_norm": Case("instance_norm", IMAGES),
    "rms_norm": Case("rms_norm", (32, 64, 256)),
    "attention": Case("attention", TEXTS, {"heads": 8}),
    "attention_causal": Case("attention", TEXTS, {"heads": 8, "causal": True}),
    "attention_gqa": Case("attention", TEXTS, {"heads": 8, "causal": True, "kv_heads": 2}),
    "attention_window": Case("attention", (4, 256, 128), {"heads": 8, "causal": True, "window": 32}),
    "rnn": Case("rnn", SERIES, {"width": 64}),
    "lstm": Case("lstm", SERIES, {"width": 64}),
    "gru": Case("gru", SERIES, {"width": 64}),
}
