"""What of torch's table does not apply to jdl, and why: whole modules, and some cases of others."""

from collections.abc import Callable
from typing import Any

import numpy as np

Test = Callable[[Any], bool]  # of what torch computed: ``compare_oracle.Theirs``

NOT_COMPARED = {
    "nn.FractionalMaxPool2d": "pooling over random windows: jdl has none",
    "nn.FractionalMaxPool3d": "pooling over random windows: jdl has none",
    "nn.HingeEmbeddingLoss": "of distances of pairs: jdl has losses of the pairs themselves",
    "nn.KLDivLoss": "all inputs of its cases are NaN: logarithms of negative numbers",
}

# The pattern of module names, which of its cases are left out, and why.
EXCEPT: list[tuple[str, Test, str]] = [
    (
        "nn.CrossEntropyLoss",
        lambda case: bool(np.isnan(case.outputs[0]).any()),
        "a mean over no row, for all are ignored: NaN",
    ),
    (
        "nn.InstanceNorm*",
        lambda case: case.module.track_running_stats and not case.module.training,
        "running statistics in prediction: jdl's instance norm has none",
    ),
    (
        "nn.Softplus",
        lambda case: case.module.threshold < 20,
        "torch's threshold beyond which it is linear, far below what rounding asks for",
    ),
    (
        "nn.LSTM",
        lambda case: case.module.proj_size > 0,
        "a projection of the state: jdl's lstm has none",
    ),
    (
        "nn.LPPool*",
        lambda case: bool(np.isnan(case.outputs[0]).any()),
        "a fractional power of negative numbers, NaN in torch: jdl's is of their size",
    ),
    (
        "nn.MultiheadAttention",
        lambda case: case.module.bias_k is not None or case.module.add_zero_attn,
        "a key that comes from no input, learned or zero: jdl's attention has none",
    ),
    (
        "nn.MultiLabelMarginLoss",
        lambda case: any(len(set(row)) < len(row) for row in np.atleast_2d(case.leaves["input.1"])),
        "a row that lists a label twice, which torch counts twice",
    ),
    (
        "nn.PoissonNLLLoss",
        lambda case: case.module.full,
        "the full likelihood: torch approximates the factorial, jdl computes it",
    ),
    (
        "nn.*Softm*",
        lambda case: not case.leaves["input.0"].shape,
        "along an axis that a scalar has not: an error in jdl",
    ),
]
