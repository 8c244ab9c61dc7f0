#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/normalization.json: what PyTorch's normalization layers compute, with their gradients,
second derivatives and running statistics.

Run: /usr/bin/python3 -W ignore tools/golden_normalization.py   (PyTorch 1.13 or later; the same numbers every time)

Two layers are younger than PyTorch 1.13. RMSNorm is stated here by its formula, and LayerNorm gets its option `bias`.
"""

import torch

from golden import layer_case, write


class RMSNorm(torch.nn.Module):
    """torch.nn.RMSNorm of PyTorch 2.4: eps is by default the machine epsilon of the dtype, which is float32 in Gradus."""

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True):
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.dims = tuple(range(-len(shape), 0))
        self.eps = torch.finfo(torch.float32).eps if eps is None else eps
        self.weight = torch.nn.Parameter(torch.ones(shape)) if elementwise_affine else None

    def forward(self, x):
        y = x / torch.sqrt((x * x).mean(self.dims, keepdim=True) + self.eps)
        return y if self.weight is None else y * self.weight


class LayerNorm(torch.nn.LayerNorm):
    """torch.nn.LayerNorm of PyTorch 2.1, which may do without a bias."""

    def __init__(self, normalized_shape, bias=True, **options):
        super().__init__(normalized_shape, **options)
        if not bias:
            self.register_parameter("bias", None)


torch.nn.RMSNorm = RMSNorm
torch.nn.LayerNorm = LayerNorm

# Type, positional arguments, options, shape of the input. Where a channel has two values, eps is large: they always become
# -1 and 1, so that with a small eps the gradient is what is left of nothing, and float32 holds no digit of it.

LAYERS = [
    ("BatchNorm1d", [4], {}, [6, 4]),
    ("BatchNorm1d", [3], {"momentum": 0.3, "eps": 0.01}, [4, 3, 5]),
    ("BatchNorm1d", [2], {"affine": False, "eps": 0.5}, [2, 2]),
    ("BatchNorm1d", [3], {"momentum": None}, [1, 3, 4]),
    ("BatchNorm2d", [3], {}, [3, 3, 4, 2]),
    ("BatchNorm2d", [2], {"trackRunningStats": False, "affine": False}, [3, 2, 3, 2]),
    ("BatchNorm2d", [1], {"momentum": 1.0, "eps": 0.5}, [2, 1, 1, 1]),
    ("BatchNorm2d", [3], {"momentum": 0.0}, [1, 3, 3, 2]),
    ("BatchNorm3d", [2], {}, [2, 2, 2, 3, 2]),
    ("BatchNorm3d", [3], {"trackRunningStats": False}, [1, 3, 2, 2, 2]),
    ("BatchNorm3d", [2], {"affine": False, "momentum": None}, [2, 2, 1, 2, 3]),
    ("InstanceNorm1d", [3], {}, [2, 3, 5]),
    ("InstanceNorm1d", [3], {"affine": True, "trackRunningStats": True}, [2, 3, 5]),
    ("InstanceNorm1d", [3], {"affine": True, "trackRunningStats": True, "momentum": 0.4}, [3, 4]),
    ("InstanceNorm1d", [2], {"eps": 0.1}, [2, 6]),
    ("InstanceNorm2d", [3], {"affine": True}, [2, 3, 3, 4]),
    ("InstanceNorm2d", [2], {"trackRunningStats": True}, [3, 2, 2, 3]),
    ("InstanceNorm2d", [2], {"affine": True, "trackRunningStats": True}, [2, 3, 4]),
    ("InstanceNorm3d", [2], {"affine": True, "trackRunningStats": True}, [2, 2, 2, 3, 2]),
    ("InstanceNorm3d", [3], {}, [3, 2, 2, 3]),
    ("GroupNorm", [2, 4], {}, [2, 4, 3, 2]),
    ("GroupNorm", [3, 6], {"affine": False}, [2, 6, 5]),
    ("GroupNorm", [1, 4], {"eps": 0.01}, [3, 4]),
    ("GroupNorm", [4, 4], {}, [1, 4, 2, 2]),
    ("LayerNorm", [5], {}, [3, 2, 5]),
    ("LayerNorm", [[2, 5]], {"eps": 0.001}, [3, 2, 5]),
    ("LayerNorm", [4], {"elementwiseAffine": False}, [3, 4]),
    ("LayerNorm", [4], {"bias": False}, [2, 3, 4]),
    ("LayerNorm", [[3, 2]], {}, [3, 2]),
    ("RMSNorm", [5], {}, [3, 2, 5]),
    ("RMSNorm", [[2, 3]], {"eps": 0.5}, [4, 2, 3]),
    ("RMSNorm", [4], {"elementwiseAffine": False}, [4]),
    ("LocalResponseNorm", [3], {}, [2, 5, 4]),
    ("LocalResponseNorm", [2], {"alpha": 0.9, "beta": 0.6, "k": 1.5}, [2, 4, 3, 2]),
    ("LocalResponseNorm", [5], {"alpha": 2.0, "beta": 1.0, "k": 0.5}, [1, 3, 2, 2, 2]),
    ("LocalResponseNorm", [1], {"alpha": 0.5}, [2, 3, 2]),
    ("LocalResponseNorm", [4], {"alpha": 0.5, "beta": 2.0}, [2, 6, 3]),
]

# Batches without samples: nothing is computed, but running statistics, gradients and shapes have to be right.
EMPTY = [
    ("BatchNorm1d", [3], {}, [0, 3]),
    ("BatchNorm2d", [3], {}, [0, 3, 4, 2]),
    ("BatchNorm2d", [3], {"momentum": None}, [0, 3, 4, 2]),
    ("InstanceNorm1d", [3], {"affine": False}, [0, 3, 4]),
    ("GroupNorm", [1, 3], {}, [0, 3, 2]),
    ("LayerNorm", [3], {}, [0, 3]),
    ("LayerNorm", [0], {}, [2, 0]),
    ("RMSNorm", [3], {}, [0, 3]),
    ("LocalResponseNorm", [2], {}, [0, 3, 2]),
]


def main():
    write("normalization", {
        "layers": [layer_case(*row, second=True) for row in LAYERS],
        "empty": [layer_case(*row) for row in EMPTY],
    })


main()
