"""Record what the published packages compute, for ``test_packages.py`` to compare with.

    pip install torch==2.13.0 tabm==0.0.3 rtdl_num_embeddings==0.0.12 rtdl_revisiting_models==0.0.2
    python tests/models/record_packages.py

writes ``packages.safetensors`` beside this file: of each tiny network its inputs, its weights by the
package's names, and its outputs in prediction, in float32. The packages are imported where they are used:
the tests import this file, and have none of them.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

ROWS, NUMBERS, CARDINALITIES = 3, 4, [3, 5]


def record(name: str, module: Any, *inputs: Any) -> dict[str, np.ndarray]:
    """Give a network's arrays under its name, away from zeros, ones and equal values."""
    import torch

    for key, value in module.state_dict().items():
        if value.is_floating_point() and "impl" not in key:
            value += 0.3 * torch.randn(value.shape)
            if key.endswith("running_var"):
                value.abs_().add_(0.1)
    with torch.no_grad():
        found = {"output": module.eval()(*inputs)}
    found |= {f"input/{i}": value for i, value in enumerate(inputs)}
    found |= {f"weight/{key}": value for key, value in module.state_dict().items()}
    return {f"{name}/{key}": value.numpy().copy() for key, value in found.items()}


def main() -> None:
    """Record every network."""
    import rtdl_num_embeddings as embeddings
    import rtdl_revisiting_models as revisited
    import tabm
    import torch

    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    x = torch.randn(ROWS, NUMBERS)
    codes = torch.tensor([[0, 4], [2, 1], [1, 3]])
    many = torch.randn(200, NUMBERS).round(decimals=1)
    many[:, 1] = (many[:, 1] > 0).float() + (many[:, 1] > 1).float()  # with fewer bins than the others
    bins = embeddings.compute_bins(many, n_bins=5)
    pieces = lambda version, activation: embeddings.PiecewiseLinearEmbeddings(
        bins, 3, activation=activation, version=version
    )
    lines = embeddings.LinearReLUEmbeddings(NUMBERS, 3)
    small = {"n_num_features": NUMBERS, "cat_cardinalities": CARDINALITIES, "d_out": 2, "d_block": 6, "k": 3}
    make = lambda **options: tabm.TabM.make(**small, **options)
    plain = embeddings.PeriodicEmbeddings(NUMBERS, 3, n_frequencies=2, frequency_init_scale=0.3, lite=False)
    block = {"d_block": 8, "n_blocks": 3, "attention_n_heads": 2, "ffn_d_hidden": 5}
    none = {"attention_dropout": 0.0, "ffn_dropout": 0.0, "residual_dropout": 0.0}
    transformer = revisited.FTTransformer(
        n_cont_features=NUMBERS,
        cat_cardinalities=CARDINALITIES,
        d_out=2,
        ffn_d_hidden_multiplier=None,
        **block,
        **none,
    )
    blocks = {"d_block": 6, "d_hidden": 7, "n_blocks": 2, "d_hidden_multiplier": None}
    residual = revisited.ResNet(d_in=NUMBERS, d_out=2, dropout1=0.0, dropout2=0.0, **blocks)
    found = {"places": pieces("A", False).impl(x).numpy()}
    found |= record("pieces_a", pieces("A", True), x) | record("pieces_b", pieces("B", True), x)
    found |= record("lines", lines, x) | record("periodic", plain, x)
    found |= record("tabm_pieces", make(num_embeddings=pieces("B", False)), x, codes)
    found |= record("tabm_plain", make(), x, codes)
    found |= record("tabm_mini_lines", make(num_embeddings=lines, arch_type="tabm-mini"), x, codes)
    found |= record("ft_transformer", transformer, x, codes) | record("resnet", residual, x)
    whole = {key: np.ascontiguousarray(value) for key, value in found.items()}
    save_file(whole, Path(__file__).with_name("packages.safetensors"))


if __name__ == "__main__":
    main()
