"""Blocks of image networks against the same made of torch's layers, in float64 and with batch statistics.

Values, and gradients by the input and by every parameter, which torch's modules get by their names.
"""

import jax
import jax.numpy as jnp
import pytest
import torch
from torch import nn as torch_nn

from jdl import nn, tree
from jdl.nn.trees import nest
from tests.nn.test_layers_oracle import agree, normal

KEY = jax.random.key(0)


def torchs(path, w):
    """Give a parameter of ours, a tensor, the name and the layout that torch's module has it by."""
    part, name = path.rpartition("/")[::2]
    if name == "w":
        return f"{part}.weight".replace("/", "."), w.movedim((-1, -2), (0, 1))
    return f"{part}.{dict(b='bias', bias='bias', scale='weight')[name]}".replace("/", "."), w


def blocks_agree(net, module, xs, own=()):
    """Compare a block with a module whose parts have the same names; ``own`` parameters are the block's."""
    module = module.double()
    params, state = jax.eval_shape(net.init, KEY, jnp.zeros(xs.shape[1:]))
    weights = {path: normal(*leaf.shape) for path, leaf in tree.items(params)}

    def ours(x, *leaves):
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), state)
        return nn.batched(net)(nest(dict(zip(weights, leaves, strict=True))), zeros, x, key=KEY)[0]

    def theirs(x, *leaves):
        named = dict(torchs(*pair) for pair in zip(weights, leaves, strict=True))
        named |= {path: leaf for path, leaf in zip(weights, leaves, strict=True) if path in own}
        assert {name for name, _ in module.named_parameters()} <= named.keys()
        return torch.func.functional_call(module, named, (x.movedim(-1, 1),)).movedim(1, -1)

    agree(ours, theirs, xs, *weights.values())


def normed(channels, width, window, stride=1, groups=1, activation=None):
    steps = torch_nn.Sequential()
    steps.conv = torch_nn.Conv2d(channels, width, window, stride, window // 2, groups=groups, bias=False)
    steps.norm = torch_nn.BatchNorm2d(width)
    if activation is not None:
        steps.activation = activation
    return steps


class Residual(torch_nn.Module):
    """Torchvision's BasicBlock and Bottleneck."""

    def __init__(self, shortcut=None, **steps):
        super().__init__()
        self.names = list(steps)
        for name, step in steps.items():
            self.add_module(name, step)
        self.shortcut = shortcut or torch_nn.Identity()

    def forward(self, x):
        y = x
        for name in self.names:
            y = getattr(self, name)(y)
        return torch.relu(y + self.shortcut(x))


RELU = torch_nn.ReLU()


def test_resnet_block_equals_torchs_layers():
    module = Residual(normed(2, 4, 1, 2), first=normed(2, 4, 3, 2, activation=RELU), second=normed(4, 4, 3))
    blocks_agree(nn.resnet_block(4, 2), module, normal(3, 4, 5, 2))


def test_bottleneck_block_equals_torchs_layers():
    module = Residual(
        reduce=normed(8, 4, 1, activation=RELU),
        middle=normed(4, 4, 3, groups=2, activation=RELU),
        expand=normed(4, 8, 1),
    )
    blocks_agree(nn.bottleneck_block(8, ratio=2, groups=2), module, normal(3, 3, 4, 8))


class SqueezeExcite(torch_nn.Module):
    """Torchvision's ``ops.SqueezeExcitation``, with dense layers."""

    def __init__(self, width, inner, activation, gate):
        super().__init__()
        self.squeeze, self.excite = torch_nn.Linear(width, inner), torch_nn.Linear(inner, width)
        self.activation, self.gate = activation, gate

    def forward(self, x):
        scale = self.gate(self.excite(self.activation(self.squeeze(x.mean((2, 3))))))
        return x * scale[..., None, None]


class InvertedResidual(torch_nn.Module):
    def __init__(self, channels, width, expand, activation, excite, stride=1):
        super().__init__()
        inner = expand * channels
        self.expand = normed(channels, inner, 1, activation=activation)
        self.depthwise = normed(inner, inner, 3, stride, inner, activation)
        self.excite = excite or torch_nn.Identity()
        self.project = normed(inner, width, 1)
        self.added = stride == 1 and channels == width

    def forward(self, x):
        y = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + y if self.added else y


def test_mobilenets_inverted_residual_equals_torchs_layers():
    module = InvertedResidual(2, 3, 3, torch_nn.ReLU6(), None, stride=2)
    blocks_agree(nn.inverted_residual(3, 2, expand=3), module, normal(3, 4, 5, 2))


def test_efficientnets_inverted_residual_equals_torchs_layers():
    excite = SqueezeExcite(6, 2, torch_nn.SiLU(), torch_nn.Sigmoid())
    module = InvertedResidual(3, 3, 2, torch_nn.SiLU(), excite)
    net = nn.inverted_residual(
        3, expand=2, activation=nn.silu, excite=nn.squeeze_excite(3, activation=nn.silu)
    )
    blocks_agree(net, module, normal(2, 3, 4, 3))


class ConvNeXt(torch_nn.Module):
    def __init__(self, width, window, ratio):
        super().__init__()
        self.depthwise = torch_nn.Conv2d(width, width, window, padding=window // 2, groups=width)
        self.norm = torch_nn.LayerNorm(width, 1e-6)
        self.expand, self.project = (
            torch_nn.Linear(width, ratio * width),
            torch_nn.Linear(ratio * width, width),
        )
        self.gelu, self.scale = torch_nn.GELU("tanh"), torch_nn.Parameter(torch.ones(width))

    def forward(self, x):
        y = self.norm(self.depthwise(x).movedim(1, -1))
        return x + (self.scale * self.project(self.gelu(self.expand(y)))).movedim(-1, 1)


def test_convnext_block_equals_torchs_layers():
    net = nn.convnext_block(window=5, ratio=2)
    blocks_agree(net, ConvNeXt(3, 5, 2), normal(2, 4, 5, 3), own=("scale",))


@pytest.mark.parametrize("gate", [(nn.sigmoid, torch_nn.Sigmoid()), (nn.tanh, torch_nn.Tanh())])
def test_squeeze_excite_equals_torchs_layers(gate):
    net, module = nn.squeeze_excite(2, gate=gate[0]), SqueezeExcite(4, 2, RELU, gate[1])
    blocks_agree(net, module, normal(2, 3, 4, 4))


def test_patch_embed_equals_torchs_convolution():
    module = torch_nn.Conv2d(2, 5, (2, 3), (2, 3), dtype=torch.float64)

    def theirs(x, w, b):
        named = {"weight": w.movedim((-1, -2), (0, 1)), "bias": b}
        return torch.func.functional_call(module, named, (x.movedim(-1, 1),)).flatten(2).mT

    def ours(x, w, b):
        return nn.batched(nn.patch_embed(5, (2, 3)))({"w": w, "b": b}, {}, x)[0]

    agree(ours, theirs, normal(2, 5, 6, 2), normal(2, 3, 2, 5), normal(5))
