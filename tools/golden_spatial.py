#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/spatial-*.json: convolutions, pooling, padding and resizing, as PyTorch computes them.

Run: /usr/bin/python3 -W ignore tools/golden_spatial.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import torch
import torch.nn.functional as F

from golden import normal, run_layer, stored, to_torch, write


class Call(torch.nn.Module):
    """A function as a layer without parameters: the oracle of layers that only later versions of PyTorch have."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


def tied(*shape):
    """Numbers of which many are equal: maxima have to choose."""
    return torch.randint(-2, 3, shape).double()


def tuples(args):
    return [tuple(a) if isinstance(a, list) else a for a in args]


def layer_case(kind, args, options, shape, second=False, oracle=None, x=None):
    """As golden.layer_case, with another oracle or a given input where they are needed."""
    layer = oracle or getattr(torch.nn, kind)(*tuples(args), **{k: tuple(v) if isinstance(v, list) else v
                                                               for k, v in to_torch(options).items()})
    state = {name: normal(*tensor.shape, scale=0.7) for name, tensor in layer.state_dict().items()}
    layer.load_state_dict(state)
    x = normal(*shape) if x is None else x
    seed = normal(*layer(x).shape)
    second_seed = normal(*x.shape) if second else None
    case = {"type": kind, "args": args + ([options] if options else []),
            "state": {name: stored(tensor) for name, tensor in state.items()}, "input": stored(x), "seed": stored(seed)}
    if second:
        case["secondSeed"] = stored(second_seed)
    case["train"] = run_layer(layer, x, seed, second_seed)
    return case


def function_case(name, args, x, oracle, second=True):
    """
    A function of one tensor: its output, the gradient g of sum(seed * y^2), and the gradient of sum(secondSeed * g). The
    square makes second derivatives of linear functions tell something.
    """
    x = x.clone().requires_grad_()
    y = oracle(x)
    seed = normal(*y.shape)
    g, = torch.autograd.grad((seed * y * y).sum(), x, create_graph=second)
    case = {"name": name, "args": args, "input": stored(x), "seed": stored(seed), "output": stored(y), "gradient": stored(g)}
    if second:
        second_seed = normal(*x.shape)
        found, = torch.autograd.grad((g * second_seed).sum(), x)
        case["secondSeed"] = stored(second_seed)
        case["second"] = stored(found)
    return case


# Convolutions: type, arguments, options, input. -----------------------------------------------------------------------

CONVS = [
    ("Conv1d", [2, 3, 3], {}, [2, 2, 7]),
    ("Conv1d", [2, 3, 3], {}, [2, 7]),
    ("Conv1d", [1, 1, 1], {}, [1, 1, 1]),
    ("Conv1d", [4, 4, 3], {"stride": 3, "padding": 2, "groups": 4}, [2, 4, 10]),
    ("Conv1d", [2, 4, 4], {"padding": "same", "dilation": 2}, [1, 2, 9]),
    ("Conv1d", [3, 2, 5], {"padding": "valid", "bias": False}, [1, 3, 5]),
    ("Conv1d", [2, 2, 3], {}, [0, 2, 6]),
    ("Conv1d", [2, 3, 3], {"padding": 2, "paddingMode": "reflect"}, [2, 2, 6]),
    ("Conv1d", [2, 3, 4], {"padding": "same", "paddingMode": "reflect"}, [2, 2, 6]),
    ("Conv1d", [2, 3, 3], {"padding": 4, "paddingMode": "replicate", "stride": 3}, [1, 2, 3]),
    ("Conv1d", [2, 3, 3], {"padding": 3, "paddingMode": "circular", "dilation": 2}, [1, 2, 5]),
    ("Conv2d", [2, 2, 3], {}, [0, 2, 5, 5]),
    ("Conv2d", [1, 2, 1], {}, [1, 1, 1, 1]),
    ("Conv2d", [4, 6, [3, 2]], {"stride": [3, 2], "padding": [2, 1], "dilation": [1, 2], "groups": 2}, [2, 4, 8, 7]),
    ("Conv2d", [2, 2, [4, 3]], {"padding": "same", "dilation": [1, 2]}, [1, 2, 5, 6]),
    ("Conv2d", [2, 3, 3], {"padding": 1, "paddingMode": "reflect"}, [2, 2, 4, 5]),
    ("Conv2d", [2, 3, [2, 4]], {"padding": "same", "paddingMode": "reflect"}, [1, 2, 4, 5]),
    ("Conv2d", [2, 2, 3], {"padding": [2, 1], "paddingMode": "replicate", "stride": 2, "groups": 2}, [2, 2, 5, 4]),
    ("Conv2d", [2, 3, [4, 3]], {"padding": "same", "paddingMode": "replicate", "dilation": 2}, [1, 2, 4, 5]),
    ("Conv2d", [2, 3, 3], {"padding": [1, 2], "paddingMode": "circular"}, [2, 2, 4, 5]),
    ("Conv2d", [2, 3, [4, 3]], {"padding": "same", "paddingMode": "circular", "bias": False}, [1, 2, 4, 5]),
    ("Conv2d", [2, 3, 3], {"padding": "valid", "paddingMode": "circular"}, [1, 2, 4, 5]),
    ("Conv2d", [2, 3, 3], {"padding": 1, "paddingMode": "reflect"}, [0, 2, 4, 5]),
    ("Conv2d", [2, 3, 3], {"padding": 1, "paddingMode": "reflect"}, [2, 4, 5]),
    ("Conv3d", [2, 3, 3], {}, [2, 2, 4, 5, 3]),
    ("Conv3d", [2, 3, 2], {}, [2, 3, 4, 3]),
    ("Conv3d", [1, 1, 1], {}, [1, 1, 1, 1, 1]),
    ("Conv3d", [2, 2, 2], {}, [0, 2, 3, 3, 3]),
    ("Conv3d", [4, 4, [1, 3, 2]], {"stride": [1, 2, 3], "padding": [0, 1, 1], "groups": 2}, [1, 4, 2, 5, 6]),
    ("Conv3d", [2, 2, 3], {"padding": 1, "stride": 2, "bias": False}, [1, 2, 5, 4, 5]),
    ("Conv3d", [2, 2, [2, 3, 2]], {"dilation": [2, 1, 2]}, [1, 2, 4, 4, 5]),
    ("Conv3d", [2, 2, [2, 3, 4]], {"padding": "same"}, [1, 2, 3, 4, 4]),
    ("Conv3d", [3, 3, 3], {"padding": 1, "groups": 3}, [1, 3, 4, 4, 4]),
    ("Conv3d", [1, 2, 3], {"padding": [1, 0, 1], "paddingMode": "reflect"}, [1, 1, 3, 4, 3]),
    ("Conv3d", [1, 2, 3], {"padding": 1, "paddingMode": "replicate"}, [1, 1, 2, 3, 3]),
    ("Conv3d", [1, 2, [2, 3, 2]], {"padding": "same", "paddingMode": "circular"}, [1, 1, 3, 3, 4]),
    ("ConvTranspose1d", [2, 3, 3], {}, [2, 2, 5]),
    ("ConvTranspose1d", [2, 3, 3], {"stride": 2}, [2, 5]),
    ("ConvTranspose1d", [1, 1, 1], {}, [1, 1, 1]),
    ("ConvTranspose1d", [2, 2, 3], {"stride": 2}, [0, 2, 4]),
    ("ConvTranspose1d", [4, 6, 3], {"stride": 3, "padding": 2, "outputPadding": 2, "groups": 2, "dilation": 2}, [2, 4, 4]),
    ("ConvTranspose2d", [2, 2, 3], {}, [0, 2, 3, 3]),
    ("ConvTranspose2d", [2, 3, 3], {"stride": 2, "padding": 1, "outputPadding": 1}, [2, 4, 3]),
    ("ConvTranspose2d", [2, 3, [3, 2]], {"stride": [3, 1], "padding": [1, 0], "outputPadding": [2, 0]}, [1, 2, 3, 4]),
    ("ConvTranspose2d", [2, 2, [2, 3]], {"dilation": [3, 2], "outputPadding": [2, 1], "groups": 2, "bias": False}, [1, 2, 3, 3]),
    ("ConvTranspose2d", [3, 3, 4], {"stride": 4, "groups": 3}, [1, 3, 1, 2]),
    ("ConvTranspose3d", [2, 3, 2], {}, [1, 2, 2, 3, 2]),
    ("ConvTranspose3d", [2, 2, 2], {"stride": 2}, [2, 2, 1, 2]),
    ("ConvTranspose3d", [2, 2, 2], {}, [0, 2, 2, 2, 2]),
    ("ConvTranspose3d", [4, 2, [2, 3, 1]], {"stride": [2, 1, 2], "padding": [0, 1, 0], "outputPadding": [1, 0, 1],
                                            "groups": 2}, [1, 4, 2, 3, 2]),
    ("ConvTranspose3d", [1, 2, 3], {"stride": 2, "padding": 1, "outputPadding": 1, "bias": False}, [1, 1, 2, 3, 2]),
    ("ConvTranspose3d", [1, 2, 2], {"dilation": 2}, [1, 1, 2, 3, 2]),
]

# Initial values: type, arguments, options.
INITS = [
    ("Conv3d", [6, 40, 3], {}), ("ConvTranspose1d", [50, 60, 9], {}), ("ConvTranspose3d", [30, 10, 3], {}),
    ("Conv2d", [32, 64, 3], {"groups": 4}), ("ConvTranspose2d", [32, 64, 3], {"groups": 4}),
]


def init_case(kind, args, options):
    torch.manual_seed(7)
    layer = getattr(torch.nn, kind)(*args, **to_torch(options))
    return {"type": kind, "args": args + ([options] if options else []), "parameters": {
        name: {"largest": p.abs().max().item(), "std": p.std().item(), "count": p.numel()}
        for name, p in layer.named_parameters()}}


OUTPUT_SIZES = [
    ("ConvTranspose1d", [2, 2, 3], {"stride": 3, "padding": 1}, [1, 2, 3], [[7], [8], [9], [1, 2, 9]]),
    ("ConvTranspose1d", [2, 2, 3], {"stride": 3, "padding": 1, "outputPadding": 1}, [2, 3], [[7], [2, 9]]),
    ("ConvTranspose2d", [2, 2, 3], {"stride": 2, "dilation": 2}, [1, 2, 3, 2], [[9, 7], [10, 8], [9, 8]]),
    ("ConvTranspose3d", [1, 1, 2], {"stride": 2}, [1, 1, 2, 2, 1], [[5, 4, 2], [4, 5, 3]]),
]


def output_size_cases():
    cases = []
    for kind, args, options, shape, sizes in OUTPUT_SIZES:
        for size in sizes:
            layer = getattr(torch.nn, kind)(*args, **to_torch(options))
            layer.load_state_dict({name: normal(*t.shape) for name, t in layer.state_dict().items()})
            x = normal(*shape)
            y = layer(x, output_size=size)
            cases.append({"type": kind, "args": args + [options], "outputSize": size, "input": stored(x), "output": stored(y),
                          "state": {name: stored(t) for name, t in layer.state_dict().items()}})
    return cases


def convolutions():
    return {
        "layers": [layer_case(*row, second=True) for row in CONVS],
        "outputSizes": output_size_cases(),
        "inits": [init_case(*row) for row in INITS],
    }


# Pooling. -------------------------------------------------------------------------------------------------------------

AVG_POOLS = [
    ("AvgPool1d", [2], {}, [2, 2, 7]),
    ("AvgPool1d", [2], {}, [0, 2, 7]),
    ("AvgPool1d", [1], {}, [1, 1, 1]),
    ("AvgPool1d", [3], {"stride": 1, "padding": 1, "countIncludePad": False}, [2, 5]),
    ("AvgPool1d", [4], {"stride": 3, "padding": 2, "ceilMode": True}, [1, 2, 9]),
    ("AvgPool1d", [3], {"stride": 2, "ceilMode": True, "countIncludePad": False, "padding": 1}, [1, 2, 8]),
    ("AvgPool2d", [3], {"stride": 5}, [1, 2, 9, 13]),
    ("AvgPool2d", [[2, 3]], {"stride": [1, 2], "padding": [1, 0], "divisorOverride": 5}, [0, 2, 4, 5]),
    ("AvgPool2d", [[2, 3]], {"stride": [3, 2], "padding": [1, 1], "divisorOverride": -2, "ceilMode": True}, [2, 4, 5]),
    ("AvgPool3d", [2], {}, [2, 2, 4, 5, 2]),
    ("AvgPool3d", [2], {}, [2, 3, 4, 5]),
    ("AvgPool3d", [1], {}, [1, 1, 1, 1, 1]),
    ("AvgPool3d", [2], {}, [0, 2, 2, 2, 2]),
    ("AvgPool3d", [3], {"stride": 2, "padding": 1}, [1, 2, 4, 5, 3]),
    ("AvgPool3d", [3], {"stride": 2, "padding": 1, "countIncludePad": False}, [1, 2, 4, 5, 3]),
    ("AvgPool3d", [[1, 2, 3]], {"stride": [1, 3, 2], "ceilMode": True}, [1, 2, 2, 6, 6]),
    ("AvgPool3d", [2], {"stride": 3, "padding": 1, "ceilMode": True, "countIncludePad": False}, [1, 1, 5, 4, 6]),
    ("AvgPool3d", [2], {"divisorOverride": 3}, [1, 1, 4, 2, 3]),
    ("AdaptiveAvgPool1d", [1], {}, [2, 2, 5]),
    ("AdaptiveAvgPool1d", [3], {}, [2, 2, 7]),
    ("AdaptiveAvgPool1d", [[4]], {}, [2, 7]),
    ("AdaptiveAvgPool1d", [5], {}, [1, 2, 3]),
    ("AdaptiveAvgPool1d", [2], {}, [0, 2, 3]),
    ("AdaptiveAvgPool2d", [[3, None]], {}, [2, 5, 4]),
    ("AdaptiveAvgPool2d", [[5, 7]], {}, [1, 2, 11, 9]),
    ("AdaptiveAvgPool2d", [3], {}, [1, 1, 1, 1]),
    ("AdaptiveAvgPool2d", [2], {}, [0, 2, 3, 3]),
    ("AdaptiveAvgPool3d", [1], {}, [2, 2, 3, 2, 4]),
    ("AdaptiveAvgPool3d", [[2, 3, 1]], {}, [1, 2, 4, 7, 3]),
    ("AdaptiveAvgPool3d", [[None, 2, None]], {}, [2, 3, 5, 2]),
    ("AdaptiveAvgPool3d", [3], {}, [1, 1, 5, 4, 7]),
    ("AdaptiveAvgPool3d", [2], {}, [0, 1, 2, 3, 2]),
]

MAX_POOLS = [
    ("MaxPool1d", [2], {}, [2, 2, 7]),
    ("MaxPool1d", [2], {}, [0, 2, 7]),
    ("MaxPool1d", [1], {}, [1, 1, 1]),
    ("MaxPool1d", [3], {"stride": 1, "padding": 1}, [2, 6]),
    ("MaxPool1d", [3], {"stride": 3, "padding": 1, "dilation": 2}, [1, 2, 11]),
    ("MaxPool1d", [4], {"stride": 3, "padding": 2, "ceilMode": True}, [1, 2, 9]),
    ("MaxPool2d", [2], {}, [2, 4, 6]),
    ("MaxPool2d", [3], {"stride": 1}, [2, 2, 5, 6]),
    ("MaxPool2d", [2], {}, [0, 2, 4, 4]),
    ("MaxPool2d", [[3, 2]], {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}, [1, 2, 8, 7]),
    ("MaxPool2d", [3], {"stride": 3, "padding": 1, "ceilMode": True}, [1, 1, 9, 10]),
    ("MaxPool2d", [[2, 4]], {"stride": 5, "padding": [1, 2]}, [1, 2, 9, 11]),
    ("MaxPool3d", [2], {}, [2, 2, 4, 5, 2]),
    ("MaxPool3d", [2], {}, [2, 3, 4, 5]),
    ("MaxPool3d", [1], {}, [1, 1, 1, 1, 1]),
    ("MaxPool3d", [2], {}, [0, 2, 2, 2, 2]),
    ("MaxPool3d", [3], {"stride": 2, "padding": 1}, [1, 2, 4, 5, 3]),
    ("MaxPool3d", [[1, 2, 3]], {"stride": [1, 3, 2], "ceilMode": True}, [1, 2, 2, 6, 6]),
    ("MaxPool3d", [2], {"dilation": [1, 2, 1], "stride": 1}, [1, 1, 3, 4, 3]),
    ("AdaptiveMaxPool1d", [1], {}, [2, 2, 5]),
    ("AdaptiveMaxPool1d", [3], {}, [2, 2, 7]),
    ("AdaptiveMaxPool1d", [4], {}, [2, 7]),
    ("AdaptiveMaxPool1d", [5], {}, [1, 2, 3]),
    ("AdaptiveMaxPool1d", [2], {}, [0, 2, 3]),
    ("AdaptiveMaxPool2d", [1], {}, [2, 2, 5, 4]),
    ("AdaptiveMaxPool2d", [[2, 3]], {}, [2, 2, 4, 6]),
    ("AdaptiveMaxPool2d", [[3, None]], {}, [2, 5, 4]),
    ("AdaptiveMaxPool2d", [[5, 7]], {}, [1, 2, 11, 9]),
    ("AdaptiveMaxPool2d", [[3, 4]], {}, [2, 2, 7, 5]),
    ("AdaptiveMaxPool2d", [3], {}, [1, 1, 1, 1]),
    ("AdaptiveMaxPool2d", [2], {}, [0, 2, 3, 3]),
    ("AdaptiveMaxPool3d", [1], {}, [2, 2, 3, 2, 4]),
    ("AdaptiveMaxPool3d", [[2, 3, 1]], {}, [1, 2, 4, 7, 3]),
    ("AdaptiveMaxPool3d", [[None, 2, None]], {}, [2, 3, 5, 2]),
    ("AdaptiveMaxPool3d", [3], {}, [1, 1, 5, 4, 7]),
    ("AdaptiveMaxPool3d", [2], {}, [0, 1, 2, 3, 2]),
]

LP_POOLS = [
    ("LPPool1d", [2, 3], {}, [2, 2, 8]),
    ("LPPool1d", [1, 2], {"stride": 3, "ceilMode": True}, [1, 2, 8]),
    ("LPPool1d", [2, 2], {"stride": 1}, [2, 5]),
    ("LPPool2d", [2, 2], {}, [2, 2, 4, 6]),
    ("LPPool2d", [4, [3, 2]], {"stride": 2, "ceilMode": True}, [1, 2, 6, 7]),
    ("LPPool2d", [1.5, 2], {}, [1, 1, 4, 4]),
]


def indices_case(kind, args, options, x):
    """Output and indices, and the gradient of sum(seed * output)."""
    layer = getattr(torch.nn, kind)(*tuples(args), return_indices=True, **to_torch(options))
    x = x.clone().requires_grad_()
    y, indices = layer(x)
    seed = normal(*y.shape)
    (y * seed).sum().backward()
    return {"type": kind, "args": args + [{**options, "returnIndices": True}], "input": stored(x), "seed": stored(seed),
            "output": stored(y), "indices": stored(indices), "gradient": stored(x.grad)}


UNPOOLS = [
    ("1d", [2], {}, [2, 2, 6], None),
    ("1d", [2], {}, [2, 7], [7]),
    ("1d", [3], {"stride": 2, "padding": 1}, [1, 2, 7], None),
    ("2d", [2], {}, [2, 2, 4, 6], None),
    ("2d", [2], {}, [1, 2, 5, 5], [5, 5]),
    ("2d", [3], {"stride": 2}, [1, 2, 5, 7], None),
    ("2d", [[2, 3]], {"stride": [1, 2], "padding": [1, 0]}, [1, 2, 4, 6], [1, 2, 4, 6]),
    ("2d", [2], {}, [0, 2, 4, 4], None),
    ("3d", [2], {}, [1, 2, 4, 2, 4], None),
    ("3d", [2], {"stride": [1, 2, 2]}, [1, 3, 5, 4], [3, 5, 4]),
]


def unpool_case(rank, args, options, shape, output_size):
    """Max pooling and its inverse; the values that are put back are others, so that both gradients are told apart."""
    pooled, indices = getattr(torch.nn, f"MaxPool{rank}")(*tuples(args), return_indices=True, **to_torch(options))(normal(*shape))
    # Overlapping windows name an element twice: the values there have to be equal, or PyTorch's result is not defined.
    x = (pooled * 2 + 0.5).clone().requires_grad_()
    layer = getattr(torch.nn, f"MaxUnpool{rank}")(*tuples(args), **to_torch(options))
    y = layer(x, indices, output_size=output_size)
    seed = normal(*y.shape)
    (y * seed).sum().backward()
    return {"type": f"MaxUnpool{rank}", "args": args + ([options] if options else []), "outputSize": output_size,
            "input": stored(x), "indices": stored(indices), "seed": stored(seed), "output": stored(y), "gradient": stored(x.grad)}


def pooling_functions():
    return [
        function_case("maxPool1d", [3, {"stride": 2}], normal(2, 2, 7), lambda x: F.max_pool1d(x, 3, 2)),
        function_case("maxPool2d", [3, {"stride": 2, "padding": 1}], normal(1, 2, 5, 6), lambda x: F.max_pool2d(x, 3, 2, 1)),
        function_case("maxPool2d", [2, {}], tied(1, 2, 4, 6), lambda x: F.max_pool2d(x, 2)),
        function_case("maxPool3d", [2, {"stride": 1}], normal(1, 1, 3, 3, 4), lambda x: F.max_pool3d(x, 2, 1)),
        function_case("avgPool1d", [3, {"stride": 2, "padding": 1}], normal(2, 2, 7), lambda x: F.avg_pool1d(x, 3, 2, 1)),
        function_case("avgPool2d", [3, {"stride": 2, "padding": 1, "countIncludePad": False}], normal(1, 2, 5, 6),
                      lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
        function_case("avgPool3d", [2, {"ceilMode": True}], normal(1, 1, 3, 4, 5),
                      lambda x: F.avg_pool3d(x, 2, ceil_mode=True)),
        function_case("adaptiveAvgPool1d", [3], normal(2, 2, 7), lambda x: F.adaptive_avg_pool1d(x, 3)),
        function_case("adaptiveAvgPool2d", [[3, 2]], normal(1, 2, 5, 4), lambda x: F.adaptive_avg_pool2d(x, (3, 2))),
        function_case("adaptiveAvgPool3d", [[2, 1, 3]], normal(1, 1, 3, 2, 5), lambda x: F.adaptive_avg_pool3d(x, (2, 1, 3))),
        function_case("adaptiveMaxPool1d", [3], normal(2, 2, 7), lambda x: F.adaptive_max_pool1d(x, 3)),
        function_case("adaptiveMaxPool2d", [[3, 2]], normal(1, 2, 5, 4), lambda x: F.adaptive_max_pool2d(x, (3, 2))),
        function_case("adaptiveMaxPool2d", [[3, 2]], tied(1, 2, 7, 5), lambda x: F.adaptive_max_pool2d(x, (3, 2))),
        function_case("adaptiveMaxPool3d", [[2, 1, 3]], normal(1, 1, 3, 2, 5), lambda x: F.adaptive_max_pool3d(x, (2, 1, 3))),
        function_case("lpPool1d", [3, 2, {}], normal(2, 2, 6).abs(), lambda x: F.lp_pool1d(x, 3, 2)),
        function_case("lpPool2d", [2, 2, {"stride": 1}], normal(1, 2, 3, 4), lambda x: F.lp_pool2d(x, 2, 2, 1)),
        # Where a window holds zeros only, the gradient is zero.
        function_case("lpPool1d", [2, 2, {}], torch.tensor([[0.0, 0, 1, 2, 0, 0]]), lambda x: F.lp_pool1d(x, 2, 2), False),
    ]


def pooling():
    return {
        "layers": [layer_case(*row) for row in AVG_POOLS + MAX_POOLS + LP_POOLS],
        "tied": [layer_case(*row, x=tied(*row[3])) for row in MAX_POOLS],
        "indices": [indices_case(*row[:3], tied(*row[3])) for row in MAX_POOLS],
        "unpools": [unpool_case(*row) for row in UNPOOLS],
        "functions": pooling_functions(),
    }


# Padding. -------------------------------------------------------------------------------------------------------------

PADS = [
    ("ConstantPad", [1, -2.5], 1, [2, 2, 3]), ("ConstantPad", [[2, 0], 0.5], 1, [2, 3]),
    ("ConstantPad", [[1, -1], 3], 1, [1, 2, 3]), ("ConstantPad", [1, 2], 1, [0, 2, 3]),
    ("ConstantPad", [1, 7], 2, [1, 2, 2, 3]), ("ConstantPad", [[1, 0, 2, 3], -1], 2, [2, 2, 3]),
    ("ConstantPad", [[-1, 2, 1, -1], -1], 2, [1, 2, 3, 4]),
    ("ConstantPad", [1, 0.5], 3, [1, 1, 2, 1, 2]), ("ConstantPad", [[1, 0, 2, 1, 0, 3], 0.5], 3, [1, 2, 2, 2]),
    ("ZeroPad", [2], 1, [2, 2, 3]), ("ZeroPad", [[0, 3]], 1, [2, 3]), ("ZeroPad", [1], 1, [1, 1, 1]),
    ("ZeroPad", [1], 2, [1, 2, 2, 3]), ("ZeroPad", [[1, 0, 2, 3]], 2, [2, 2, 3]), ("ZeroPad", [[-1, -1, 0, 1]], 2, [1, 1, 3, 4]),
    ("ZeroPad", [1], 3, [1, 1, 2, 1, 2]), ("ZeroPad", [[1, 0, 2, 1, 0, 3]], 3, [1, 2, 2, 2]),
    ("ReflectionPad", [2], 1, [2, 2, 4]), ("ReflectionPad", [[3, 0]], 1, [2, 4]), ("ReflectionPad", [[0, 3]], 1, [1, 2, 4]),
    ("ReflectionPad", [2], 1, [0, 2, 4]), ("ReflectionPad", [[-1, 2]], 1, [1, 2, 4]), ("ReflectionPad", [[3, -2]], 1, [1, 2, 4]),
    ("ReflectionPad", [0], 1, [1, 1, 1]),
    ("ReflectionPad", [1], 2, [1, 2, 2, 3]), ("ReflectionPad", [[2, 0, 1, 2]], 2, [2, 3, 4]),
    ("ReflectionPad", [[2, -1, -1, 2]], 2, [1, 2, 4, 4]), ("ReflectionPad", [1], 2, [0, 2, 2, 3]),
    ("ReflectionPad", [1], 3, [1, 1, 2, 2, 3]), ("ReflectionPad", [[1, 0, 2, 1, 0, 1]], 3, [1, 2, 3, 2]),
    ("ReplicationPad", [2], 1, [2, 2, 3]), ("ReplicationPad", [[5, 0]], 1, [2, 3]), ("ReplicationPad", [3], 1, [1, 1, 1]),
    ("ReplicationPad", [2], 1, [0, 2, 3]), ("ReplicationPad", [[-1, 2]], 1, [1, 2, 4]),
    ("ReplicationPad", [1], 2, [1, 2, 2, 3]), ("ReplicationPad", [[2, 0, 1, 4]], 2, [2, 3, 4]),
    ("ReplicationPad", [[3, -2, -1, 1]], 2, [1, 2, 3, 4]),
    ("ReplicationPad", [1], 3, [1, 1, 2, 1, 3]), ("ReplicationPad", [[1, 0, 2, 1, 0, 3]], 3, [1, 2, 3, 2]),
    ("CircularPad", [2], 1, [2, 2, 3]), ("CircularPad", [[3, 0]], 1, [2, 3]), ("CircularPad", [[1, 3]], 1, [1, 2, 3]),
    ("CircularPad", [1], 1, [1, 1, 1]), ("CircularPad", [[-1, 2]], 1, [1, 2, 4]), ("CircularPad", [[2, -1]], 1, [1, 2, 4]),
    ("CircularPad", [1], 2, [1, 2, 2, 3]), ("CircularPad", [[2, 0, 1, 3]], 2, [2, 3, 4]),
    ("CircularPad", [[-1, 2, 1, -1]], 2, [1, 2, 3, 4]),
    ("CircularPad", [1], 3, [1, 1, 2, 1, 3]), ("CircularPad", [[1, 0, 2, 1, 0, 3]], 3, [1, 3, 2, 2]),
]

PAD_MODES = {"ConstantPad": "constant", "ZeroPad": "constant", "ReflectionPad": "reflect", "ReplicationPad": "replicate",
             "CircularPad": "circular"}


def pad_case(kind, args, rank, shape):
    """By the function, since not all of these layers are in every version of PyTorch; circularly only with a batch."""
    padding, value = (args + [0])[:2]
    amounts = [padding] * (2 * rank) if isinstance(padding, int) else padding
    mode = PAD_MODES[kind]
    more = {"value": value} if mode == "constant" else {}

    def padded(x):
        lacks_batch = x.dim() == rank + 1
        y = F.pad(x.unsqueeze(0) if lacks_batch else x, amounts, mode=mode, **more)
        return y.squeeze(0) if lacks_batch else y

    return layer_case(f"{kind}{rank}d", args, {}, shape, oracle=Call(padded))


def pad_function(padding, options, x, second=True):
    return function_case("pad", [padding, options], x, lambda x: F.pad(x, padding, **options), second)


def padding():
    functions = [
        pad_function([1, 2], {}, normal(3)),
        pad_function([0, 1, 2, 0], {"value": 4.0}, normal(2, 3)),
        pad_function([1, -1, -1, 2, 0, 1], {"value": 0.5}, normal(2, 3, 3)),
        pad_function([], {}, normal(2, 3)),
        pad_function([2, 1], {"mode": "reflect"}, normal(2, 2, 4)),
        pad_function([1, 2, 2, 1], {"mode": "reflect"}, normal(1, 2, 3, 4)),
        pad_function([2, 5], {"mode": "replicate"}, normal(2, 2, 2)),
        pad_function([1, 2, 0, 3], {"mode": "replicate"}, normal(1, 2, 2, 3)),
        pad_function([2, 3], {"mode": "circular"}, normal(2, 2, 3)),
        pad_function([1, 2, 3, 0], {"mode": "circular"}, normal(1, 2, 3, 2)),
        pad_function([1, 0, 1, 1, 0, 1], {"mode": "circular"}, normal(1, 1, 2, 2, 2)),
    ]
    return {"layers": [pad_case(*row) for row in PADS], "functions": functions}


# Resizing: options of Upsample, input. --------------------------------------------------------------------------------

UPSAMPLES = []
for mode, shape in (("nearest", [2, 2, 5]), ("nearest-exact", [1, 2, 5])):
    UPSAMPLES += [({"mode": mode, **size}, shape) for size in (
        {"scaleFactor": 2}, {"scaleFactor": 3}, {"scaleFactor": 1.5}, {"scaleFactor": 0.4}, {"size": 1}, {"size": 5},
        {"size": 10}, {"size": 7}, {"size": 3}, {"size": 13}, {"scaleFactor": 1.3, "recomputeScaleFactor": True},
        {"scaleFactor": 1.3})]
    UPSAMPLES += [
        ({"mode": mode, "scaleFactor": [2, 3]}, [1, 2, 2, 3]), ({"mode": mode, "scaleFactor": 2}, [0, 2, 2, 3]),
        ({"mode": mode, "size": [2, 3]}, [1, 2, 4, 6]), ({"mode": mode, "size": [3, 5]}, [1, 2, 5, 4]),
        ({"mode": mode, "scaleFactor": 0.5}, [1, 1, 6, 7]), ({"mode": mode, "scaleFactor": 2}, [1, 2, 1, 2, 2]),
        ({"mode": mode, "size": [3, 2, 5]}, [1, 1, 2, 3, 4]), ({"mode": mode, "size": [4, 4]}, [1, 1, 1, 1]),
    ]
for corners in ({}, {"alignCorners": True}):
    UPSAMPLES += [({"mode": "linear", **corners, **size}, [2, 2, 5]) for size in (
        {"scaleFactor": 2}, {"scaleFactor": 3}, {"scaleFactor": 1.5}, {"scaleFactor": 0.4}, {"scaleFactor": 0.5}, {"size": 1},
        {"size": 5}, {"size": 10}, {"size": 7}, {"size": 3}, {"size": 13}, {"size": 9},
        {"scaleFactor": 1.3, "recomputeScaleFactor": True}, {"scaleFactor": 1.3}, {"scaleFactor": 2.6})]
    UPSAMPLES += [
        ({"mode": "linear", **corners, "size": 4}, [1, 2, 1]), ({"mode": "linear", **corners, "scaleFactor": 2}, [0, 2, 3]),
        # Longer than what a matrix is taken for.
        ({"mode": "linear", **corners, "size": 37}, [1, 1, 150]), ({"mode": "linear", **corners, "size": 190}, [1, 1, 131]),
    ]
    UPSAMPLES += [({"mode": mode, **corners, **size}, shape) for mode in ("bilinear", "bicubic") for size, shape in (
        ({"scaleFactor": 2}, [2, 2, 3, 4]), ({"scaleFactor": [3, 2]}, [1, 2, 2, 3]), ({"size": [7, 5]}, [1, 2, 4, 3]),
        ({"size": [3, 2]}, [1, 2, 6, 6]), ({"size": [2, 3]}, [1, 2, 5, 7]), ({"scaleFactor": 0.5}, [1, 1, 6, 5]),
        ({"scaleFactor": 4}, [1, 1, 2, 2]), ({"size": 3}, [1, 1, 1, 1]), ({"scaleFactor": 2}, [0, 1, 2, 3]),
        ({"size": [4, 1]}, [1, 2, 4, 3]), ({"scaleFactor": [1.7, 0.6]}, [1, 1, 4, 5]), ({"size": [5, 7]}, [1, 1, 3, 4]))]
    UPSAMPLES += [({"mode": "trilinear", **corners, **size}, shape) for size, shape in (
        ({"scaleFactor": 2}, [1, 2, 2, 3, 2]), ({"size": [3, 2, 5]}, [1, 1, 2, 3, 4]), ({"scaleFactor": [1, 2, 0.5]}, [1, 1, 2, 2, 4]))]
UPSAMPLES += [({"mode": "area", **size}, shape) for size, shape in (
    ({"size": 3}, [2, 2, 7]), ({"scaleFactor": 0.5}, [1, 2, 6, 5]), ({"size": [3, 4]}, [1, 2, 5, 3]), ({"size": 1}, [1, 2, 3, 2, 2]),
    ({"scaleFactor": 2}, [1, 1, 2, 3, 2]))]

OTHERS = [
    ("UpsamplingNearest2d", [], {"scaleFactor": 2}, [1, 2, 2, 3]),
    ("UpsamplingNearest2d", [], {"size": [3, 5]}, [1, 2, 2, 3]),
    ("UpsamplingBilinear2d", [], {"scaleFactor": 2}, [1, 2, 3, 4]),
    ("UpsamplingBilinear2d", [], {"size": [5, 4]}, [1, 2, 3, 2]),
    ("PixelShuffle", [2], {}, [2, 8, 2, 3]),
    ("PixelShuffle", [3], {}, [9, 2, 1]),
    ("PixelShuffle", [2], {}, [2, 1, 4, 2, 3]),
    ("PixelShuffle", [1], {}, [1, 3, 2, 2]),
    ("PixelUnshuffle", [2], {}, [2, 2, 4, 6]),
    ("PixelUnshuffle", [3], {}, [1, 6, 3]),
    ("PixelUnshuffle", [2], {}, [1, 2, 1, 4, 2]),
    ("Unfold", [2], {}, [2, 2, 4, 3]),
    ("Unfold", [3], {"padding": 1}, [1, 2, 4, 5]),
    ("Unfold", [[2, 3]], {"dilation": [2, 1], "padding": [1, 0], "stride": [1, 2]}, [1, 2, 5, 7]),
    ("Unfold", [3], {"stride": 3, "padding": 2}, [2, 4, 7]),
    ("Unfold", [1], {}, [1, 1, 1, 1]),
    ("Unfold", [2], {}, [0, 2, 3, 3]),
    ("Fold", [[4, 3], 2], {}, [2, 8, 6]),
    ("Fold", [[4, 5], 3], {"padding": 1}, [1, 18, 20]),
    ("Fold", [[5, 7], [2, 3]], {"dilation": [2, 1], "padding": [1, 0], "stride": [1, 2]}, [1, 12, 15]),
    ("Fold", [[4, 7], 3], {"stride": 3, "padding": 2}, [18, 6]),
    ("Fold", [1, 1], {}, [1, 1, 1]),
    ("Fold", [[3, 3], 2], {}, [0, 8, 4]),
]


def shuffled(groups):
    """`torch.nn.ChannelShuffle`, which in some versions has no gradient."""
    return lambda x: x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


def interpolate_function(options, x):
    return function_case("interpolate", [options], x, lambda x: F.interpolate(x, **to_torch(options)))


def resizing():
    shuffles = [(2, [2, 4, 3]), (3, [1, 6, 2, 2]), (1, [2, 3]), (4, [1, 4, 2, 1, 2]), (2, [0, 4, 2])]
    for groups, shape in shuffles:
        x = normal(*shape)
        if len(shape) > 2:
            assert torch.equal(torch.nn.ChannelShuffle(groups)(x), shuffled(groups)(x))
    functions = [
        interpolate_function({"scaleFactor": 2}, normal(1, 2, 2, 3)),
        interpolate_function({"size": [3, 4]}, normal(1, 2, 4, 3)),
        interpolate_function({"scaleFactor": 2, "mode": "linear"}, normal(1, 2, 4)),
        interpolate_function({"scaleFactor": 2, "mode": "bilinear"}, normal(1, 2, 3, 2)),
        interpolate_function({"size": [5, 4], "mode": "bilinear", "alignCorners": True}, normal(1, 2, 3, 3)),
        interpolate_function({"scaleFactor": 2, "mode": "bicubic"}, normal(1, 1, 3, 4)),
        interpolate_function({"size": [2, 5], "mode": "bicubic"}, normal(1, 1, 3, 4)),
        interpolate_function({"scaleFactor": 2, "mode": "trilinear"}, normal(1, 1, 2, 2, 2)),
        interpolate_function({"size": 3, "mode": "area"}, normal(1, 2, 5, 4)),
        interpolate_function({"size": 200, "mode": "linear"}, normal(1, 1, 130)),
        function_case("pixelShuffle", [2], normal(1, 8, 2, 3), lambda x: F.pixel_shuffle(x, 2)),
        function_case("pixelUnshuffle", [2], normal(1, 2, 4, 6), lambda x: F.pixel_unshuffle(x, 2)),
        function_case("channelShuffle", [2], normal(1, 4, 2, 3), shuffled(2)),
        function_case("unfold", [2, {"padding": 1}], normal(1, 2, 3, 4), lambda x: F.unfold(x, 2, padding=1)),
        function_case("fold", [[4, 5], 2, {"stride": 1}], normal(1, 8, 12), lambda x: F.fold(x, (4, 5), 2)),
    ]
    layers = [layer_case("Upsample", [], options, shape) for options, shape in UPSAMPLES]
    layers += [layer_case(*row) for row in OTHERS]
    layers += [layer_case("ChannelShuffle", [groups], {}, shape, oracle=Call(shuffled(groups))) for groups, shape in shuffles]
    return {"layers": layers, "functions": functions}


def main():
    write("spatial-convolution", convolutions())
    write("spatial-pooling", pooling())
    write("spatial-padding", padding())
    write("spatial-resizing", resizing())


main()
