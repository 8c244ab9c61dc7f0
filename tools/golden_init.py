#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/init.json: what PyTorch's initializers give, as numbers or as statistics of many, and what
layers compute whose weights are normalized by torch.nn.utils.

Run: /usr/bin/python3 -W ignore tools/golden_init.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import warnings

import torch

from golden import normal, number, run_layer, snake, stored, to_torch, write

init = torch.nn.init


def call(kind, tensor, args, options):
    """Names and options are Gradus's; `options` are keywords whose values may be names too."""
    keywords = {snake(k): snake(v) if isinstance(v, str) else v for k, v in options.items()}
    return getattr(init, snake(kind))(tensor, *args, **keywords)


# Distributions: initializer, positional arguments, options, shape. ----------------------------------------------------

DISTRIBUTIONS = [
    ("uniform_", [], {}, [200, 100]),
    ("uniform_", [-0.5, 2], {}, [200, 100]),
    ("normal_", [], {}, [200, 100]),
    ("normal_", [1.5, 0.02], {}, [200, 100]),
    ("xavierUniform_", [], {}, [100, 200]),
    ("xavierUniform_", [5 / 3], {}, [20, 40, 5, 5]),
    ("xavierNormal_", [], {}, [100, 200]),
    ("xavierNormal_", [2], {}, [40, 20, 5, 5]),
    ("kaimingUniform_", [], {}, [100, 200]),
    ("kaimingUniform_", [], {"a": 0.2}, [20, 40, 5, 5]),
    ("kaimingUniform_", [], {"mode": "fanOut", "nonlinearity": "tanh"}, [100, 200]),
    ("kaimingNormal_", [], {}, [100, 200]),
    ("kaimingNormal_", [], {"mode": "fanOut", "nonlinearity": "relu"}, [20, 40, 5, 5]),
    ("kaimingNormal_", [], {"nonlinearity": "selu"}, [40, 50, 10]),
    ("truncNormal_", [], {}, [200, 100]),
    ("truncNormal_", [0.5, 0.3, 0, 0.6], {}, [200, 100]),
    ("truncNormal_", [-1, 2, -1, 5], {}, [200, 100]),
    ("orthogonal_", [], {}, [40, 500]),
    ("orthogonal_", [2], {}, [500, 40]),
    ("sparse_", [0.3], {}, [200, 100]),
    ("sparse_", [0.905, 0.5], {}, [200, 100]),
]

SHARES = [k / 16 for k in range(1, 16)]


def distribution_case(kind, args, options, shape):
    torch.manual_seed(5)
    x = call(kind, torch.empty(shape), args, options)
    zeros = (x == 0).double().mean().item()
    # The quantiles of what is not zero.
    drawn = x[x != 0]
    return {"type": kind, "args": args, "options": options, "shape": shape, "mean": number(x.mean().item()),
            "std": number(x.std().item()), "lowest": number(x.min().item()), "highest": number(x.max().item()),
            "zeros": number(zeros),
            "quantiles": [[share, number(torch.quantile(drawn, share).item())] for share in SHARES]}


# Values that nothing random is in. -------------------------------------------------------------------------------------

EXACT = [
    ("zeros_", [], [2, 3]), ("ones_", [], [3]), ("constant_", [0.25], [2, 1, 2]),
    ("eye_", [], [3, 3]), ("eye_", [], [2, 4]), ("eye_", [], [4, 2]), ("eye_", [], [1, 1]),
    ("dirac_", [], [3, 3, 3]), ("dirac_", [], [4, 2, 2]), ("dirac_", [], [2, 4, 1]), ("dirac_", [], [2, 2, 3, 3]),
    ("dirac_", [], [3, 2, 4, 5]), ("dirac_", [2], [4, 2, 3]), ("dirac_", [2], [6, 2, 3, 3]), ("dirac_", [3], [6, 4, 2, 1]),
    ("dirac_", [], [2, 2, 3, 2, 1]), ("dirac_", [2], [4, 1, 1, 3, 3]),
]


def exact_case(kind, args, shape):
    return {"type": kind, "args": args, "shape": shape, "value": stored(call(kind, torch.randn(shape), args, {}))}


# What PyTorch refuses. ------------------------------------------------------------------------------------------------

CALLS = [("xavierUniform_", []), ("xavierNormal_", []), ("kaimingUniform_", []), ("kaimingNormal_", []), ("orthogonal_", []),
         ("sparse_", [0.5]), ("eye_", []), ("dirac_", []), ("dirac_", [2]), ("uniform_", []), ("normal_", []), ("truncNormal_", []),
         ("uniform_", [1, 0]), ("normal_", [0, -1]), ("xavierUniform_", [-1]), ("xavierNormal_", [-1]), ("constant_", [2])]
SHAPES = [[], [4], [2, 4], [3, 4], [2, 4, 3], [2, 1, 3, 3], [4, 2, 1, 1, 3], [2, 2, 1, 1, 1, 1], [0, 3], [3, 0, 2]]


def refused(kind, args, shape):
    try:
        call(kind, torch.empty(shape), args, {})
        return False
    except (ValueError, RuntimeError):
        return True


GAINS = ["linear", "conv1d", "conv2d", "conv3d", "convTranspose1d", "convTranspose2d", "convTranspose3d", "sigmoid", "tanh",
         "relu", "leakyRelu", "selu"]


# Normalized weights: method, its options, layer, arguments, options, shape of the input. -------------------------------

NORMALIZED = [
    ("spectralNorm", {}, "Linear", [5, 3], {}, [4, 5]),
    ("spectralNorm", {"nPowerIterations": 3}, "Linear", [3, 6], {"bias": False}, [2, 3]),
    ("spectralNorm", {"dim": 1, "eps": 0.1}, "Linear", [4, 3], {}, [2, 4]),
    ("spectralNorm", {}, "Conv2d", [2, 3, 3], {"padding": 1}, [2, 2, 4, 3]),
    ("spectralNorm", {}, "Conv1d", [2, 4, 2], {}, [2, 2, 5]),
    ("spectralNorm", {}, "ConvTranspose2d", [3, 2, 4], {"stride": 2, "padding": 1}, [2, 3, 3, 2]),
    ("weightNorm", {}, "Linear", [5, 3], {}, [4, 5]),
    ("weightNorm", {"dim": None}, "Linear", [3, 6], {"bias": False}, [2, 3]),
    ("weightNorm", {"dim": 1}, "Conv2d", [2, 3, 3], {"padding": 1}, [2, 2, 4, 3]),
    ("weightNorm", {}, "Conv1d", [2, 4, 2], {}, [2, 2, 5]),
    ("weightNorm", {"name": "bias"}, "Linear", [5, 3], {}, [4, 5]),
]


def normalized_case(method, given, kind, args, options, shape):
    """A layer under the method: its state, one pass with gradients in training and another in evaluation, and what is left when
    the method is removed."""
    utils = torch.nn.utils
    layer = getattr(utils, snake(method))(getattr(torch.nn, kind)(*args, **to_torch(options)), **to_torch(given))
    state = {}
    for key, tensor in layer.state_dict().items():
        value = normal(*tensor.shape, scale=0.7)
        # PyTorch's vectors have the length 1, so that a norm's slope is tested where it is used.
        unit = torch.nn.functional.normalize(value, dim=0) if key.endswith(("_u", "weight_v")) and value.ndim == 1 else value
        state[key] = unit.float().double()
    layer.load_state_dict(state)
    x = normal(*shape)
    with torch.no_grad():
        seed = normal(*layer.eval()(x).shape)
    case = {"method": method, "given": given, "type": kind, "args": args + ([options] if options else []),
            "state": {key: stored(tensor) for key, tensor in state.items()}, "input": stored(x), "seed": stored(seed),
            "train": run_layer(layer.train(), x, seed), "stateAfter": {k: stored(t) for k, t in layer.state_dict().items()},
            "eval": run_layer(layer.eval(), x, seed)}
    name = given.get("name", "weight")
    getattr(utils, "remove_" + snake(method))(layer, name)
    return {**case, "removed": stored(getattr(layer, name))}


def main():
    warnings.simplefilter("ignore")
    write("init", {
        "distributions": [distribution_case(*row) for row in DISTRIBUTIONS],
        "exact": [exact_case(*row) for row in EXACT],
        "refusals": [{"type": kind, "args": args, "shape": shape, "refused": refused(kind, args, shape)}
                     for kind, args in CALLS for shape in SHAPES],
        "normalized": [normalized_case(*row) for row in NORMALIZED],
        "gains": [[name, slope, init.calculate_gain(snake(name), slope)]
                  for name in GAINS for slope in (None, 0.3)],
        "fans": [[shape, *init._calculate_fan_in_and_fan_out(torch.empty(shape))]
                 for shape in ([2, 3], [4, 5, 3], [4, 5, 3, 2], [6, 1, 2, 3, 4])],
    })


main()
