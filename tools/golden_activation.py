#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/activation.json: what PyTorch's activation functions compute on random numbers, at
their kinks and far out, with gradients and second derivatives.

Run: /usr/bin/python3 -W ignore tools/golden_activation.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import torch

from golden import layer_case, normal, run_layer, stored, to_torch, write

# Type, positional arguments, options. ----------------------------------------------------------------------------------

ELEMENTWISE = [
    ("ReLU", [], {}), ("ReLU6", [], {}), ("LeakyReLU", [], {}), ("LeakyReLU", [0.2], {}), ("LeakyReLU", [-0.5], {}),
    ("ELU", [], {}), ("ELU", [0.7], {}), ("CELU", [], {}), ("CELU", [0.6], {}), ("SELU", [], {}),
    ("Sigmoid", [], {}), ("LogSigmoid", [], {}), ("Tanh", [], {}), ("SiLU", [], {}), ("Mish", [], {}),
    ("GELU", [], {}), ("GELU", [], {"approximate": "tanh"}), ("Softplus", [], {}), ("Softplus", [2, 1], {}),
    ("Softsign", [], {}), ("Tanhshrink", [], {}), ("Softshrink", [], {}), ("Softshrink", [0.1], {}), ("Softshrink", [0], {}),
    ("Hardshrink", [], {}), ("Hardshrink", [1.0], {}), ("Hardtanh", [], {}), ("Hardtanh", [-0.3, 0.6], {}),
    ("Hardswish", [], {}), ("Threshold", [0.1, 20.0], {}), ("Threshold", [-1.0, -2.0], {}),
]

# PyTorch 1.13 has no second derivative of these; they are straight lines in pieces, so that it is 0.
ONCE = [("Hardsigmoid", [], {})]

# Type, positional arguments, options, shape of the input.
SHAPED = [
    ("PReLU", [], {}, [3, 4]),
    ("PReLU", [], {}, []),
    ("PReLU", [3], {}, [2, 3]),
    ("PReLU", [3], {"init": 0.1}, [2, 3, 2, 2]),
    ("PReLU", [], {}, [5]),
    ("Softmax", [1], {}, [3, 4]),
    ("Softmax", [0], {}, [3, 4]),
    ("Softmax", [-2], {}, [2, 3, 2]),
    ("LogSoftmax", [-1], {}, [2, 3, 4]),
    ("LogSoftmax", [0], {}, [4]),
    ("Softmin", [1], {}, [3, 4]),
    ("Softmin", [-1], {}, [2, 2, 3]),
    ("Softmax2d", [], {}, [2, 3, 2, 2]),
    ("Softmax2d", [], {}, [3, 2, 2]),
    ("GLU", [], {}, [3, 4]),
    ("GLU", [1], {}, [2, 4, 3]),
    ("GLU", [0], {}, [6]),
    ("GLU", [-2], {}, [2, 2, 3]),
]

EMPTY = [
    ("ReLU", [], {}, [0, 3]), ("PReLU", [3], {}, [0, 3, 2]), ("GELU", [], {}, [0]), ("Softmax", [1], {}, [0, 3]),
    ("Softmax", [0], {}, [0, 3]), ("LogSoftmax", [1], {}, [2, 0]), ("Softmin", [1], {}, [2, 0]),
    ("GLU", [], {}, [0, 4]), ("GLU", [], {}, [2, 0]),
]

# Where functions change from one piece to the next; the halves and the tenths of options are among them.
KINKS = [0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 0.5, -0.5, 2.0, -2.0]
# PyTorch before 2.8 gives Hardswish at its kinks one slope in the vectors of a kernel and another in what is left over.
NO_KINKS = {"Hardswish": {3.0, -3.0}}
# Where exponentials overflow or vanish in float32. Each size stands alone, so that the tolerance is its own.
FAR = [20.5, 90.0, 1e4]


def at_points(kind, args, options, points):
    """A layer on given numbers, as layer_case writes it; the gradient that arrives is random."""
    layer = getattr(torch.nn, kind)(*args, **to_torch(options))
    x = torch.tensor(points)
    seed = normal(len(points))
    state = {name: stored(t) for name, t in layer.state_dict().items()}
    return {"type": kind, "args": args + ([options] if options else []), "state": state, "input": stored(x),
            "seed": stored(seed), "train": run_layer(layer, x, seed)}


def main():
    everywhere = ELEMENTWISE + ONCE
    write("activation", {
        "elementwise": [layer_case(*row, [3, 5], second=row in ELEMENTWISE) for row in everywhere],
        "shaped": [layer_case(*row, second=True) for row in SHAPED],
        "empty": [layer_case(*row) for row in EMPTY],
        "kinks": [at_points(*row, [x for x in KINKS if x not in NO_KINKS.get(row[0], ())])
                  for row in everywhere + [("PReLU", [], {})]],
        "far": [at_points(*row, [size, -size]) for row in everywhere for size in FAR],
    })


main()
