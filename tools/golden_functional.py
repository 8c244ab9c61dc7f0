#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/functional.json: functions of several tensors (distances, embedding, bilinear, ...)
as PyTorch computes them, with the gradients and second derivatives of all float inputs; and the layers that change shapes.

Run: /usr/bin/python3 -W ignore tools/golden_functional.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import torch
import torch.nn.functional as F

from golden import layer_case, normal, snake, stored, write


def snakes(options):
    return {snake(k): float(v) if v == "inf" else v for k, v in options.items()}


def case(name, options, *inputs, second=True):
    """Gradients of sum(seed * y), and with `second` those of the sum of all gradients, each with a seed of its own."""
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    floats = [x for x in inputs if x.is_floating_point()]
    before = [stored(x) for x in inputs]
    y = getattr(F, snake(name))(*inputs, **snakes(options))
    seed = normal(*y.shape)
    # What does not depend on a gradient's seed, such as an empty input, has a gradient of zeros.
    def zeros(found, of):
        return [torch.zeros_like(x) if g is None else g + torch.zeros_like(x) for g, x in zip(found, of)]

    first = zeros(torch.autograd.grad((y * seed).sum(), floats, create_graph=second, allow_unused=True), floats)

    def spread(values):
        values = iter(values)
        return [stored(next(values)) if x.is_floating_point() else None for x in inputs]

    options = {k: stored(v) if torch.is_tensor(v) else v for k, v in options.items()}
    result = {"name": name, "options": options, "inputs": before, "seed": stored(seed), "output": stored(y),
              "gradients": spread(first)}
    if options.get("maxNorm") is not None:
        result["after"] = stored(inputs[1])
    if second:
        seeds = [normal(*x.shape) for x in floats]
        penalty = sum((g * s).sum() for g, s in zip(first, seeds))
        found = torch.autograd.grad(penalty, floats, allow_unused=True) if penalty.requires_grad else [None] * len(floats)
        result["secondSeeds"] = spread(seeds)
        result["second"] = spread(zeros(found, floats))
    return result


def integers(high, *shape):
    return torch.randint(0, high, shape)


def distances():
    x, y = normal(4, 3), normal(4, 3)
    zero = torch.zeros(2, 3)
    return [
        case("normalize", {}, x),
        case("normalize", {"p": 1, "dim": 0}, x),
        case("normalize", {"p": 3, "dim": -1}, normal(2, 3, 4)),
        case("normalize", {"p": "inf"}, x, second=False),
        case("normalize", {"eps": 5.0}, x),
        case("normalize", {"dim": [1, 2]}, normal(2, 2, 3)),
        case("normalize", {}, zero, second=False),
        case("normalize", {}, torch.zeros(0, 3), second=False),
        case("cosineSimilarity", {}, x, y),
        case("cosineSimilarity", {"dim": 0}, x, y),
        case("cosineSimilarity", {"dim": -1}, normal(2, 1, 3), normal(4, 3)),
        case("cosineSimilarity", {"dim": 0}, normal(3), normal(3)),
        case("cosineSimilarity", {"dim": 1, "eps": 1e-4}, zero, normal(2, 3), second=False),
        case("cosineSimilarity", {}, torch.zeros(0, 3), torch.zeros(0, 3), second=False),
        case("pairwiseDistance", {}, x, y),
        case("pairwiseDistance", {"p": 1}, x, y),
        case("pairwiseDistance", {"p": 3, "eps": 0.01, "keepdim": True}, x, y),
        case("pairwiseDistance", {"p": "inf"}, x, y, second=False),
        case("pairwiseDistance", {}, x, normal(3)),
        case("pairwiseDistance", {}, normal(3), normal(3)),
        case("pairwiseDistance", {}, torch.zeros(0, 3), torch.zeros(0, 3), second=False),
    ]


def linears():
    return [
        case("linear", {}, normal(4, 5), normal(3, 5), normal(3)),
        case("linear", {}, normal(2, 3, 5), normal(1, 5)),
        case("linear", {}, normal(5), normal(3, 5), normal(3)),
        case("linear", {}, normal(0, 5), normal(3, 5), normal(3)),
        case("linear", {}, normal(2, 1), normal(3, 1), normal(3)),
        case("bilinear", {}, normal(4, 2), normal(4, 3), normal(5, 2, 3), normal(5)),
        case("bilinear", {}, normal(2, 3, 2), normal(2, 3, 4), normal(1, 2, 4)),
        case("bilinear", {}, normal(3), normal(2), normal(4, 3, 2), normal(4)),
        case("bilinear", {}, normal(1, 1), normal(1, 1), normal(2, 1, 1), normal(2)),
        case("bilinear", {}, normal(0, 2), normal(0, 3), normal(4, 2, 3), normal(4)),
    ]


def embeddings():
    table = normal(6, 3)
    repeated = torch.tensor([[1, 4, 1], [5, 1, 0]])
    return [
        case("embedding", {}, repeated, table),
        case("embedding", {}, torch.tensor(2), table),
        case("embedding", {}, integers(6, 2, 2, 2), table),
        case("embedding", {}, integers(6, 0), table),
        case("embedding", {}, integers(6, 2, 0), table),
        case("embedding", {"paddingIdx": 1}, repeated, table),
        case("embedding", {"paddingIdx": -1}, repeated, table),
        case("embedding", {"scaleGradByFreq": True}, repeated, table),
        case("embedding", {"scaleGradByFreq": True, "paddingIdx": 4}, repeated, table),
        case("embedding", {}, torch.tensor([0, 0]), normal(1, 4)),
        case("embedding", {"maxNorm": 1.0}, repeated, table, second=False),
        case("embedding", {"maxNorm": 0.5, "normType": 1.0, "paddingIdx": 5}, repeated, table, second=False),
        case("embedding", {"maxNorm": 0.4, "normType": "inf"}, torch.tensor([3]), table, second=False),
    ]


def bags():
    """Offsets and weights are options. Without scaleGradByFreq: PyTorch 1.13 takes the frequencies of other rows."""
    table = normal(6, 3)
    pairs = torch.tensor([[1, 4, 1], [5, 1, 0]])
    flat = torch.tensor([1, 4, 1, 5, 1, 0, 2])
    offsets = torch.tensor([0, 3, 3, 5])
    cases = []
    for mode in ("mean", "sum", "max"):
        option = {"mode": mode}
        cases += [
            case("embeddingBag", option, pairs, table),
            case("embeddingBag", {**option, "offsets": offsets}, flat, table),
            case("embeddingBag", {**option, "paddingIdx": 1}, pairs, table),
            case("embeddingBag", {**option, "offsets": torch.tensor([0, 1, 3]), "paddingIdx": 4}, flat[1:], table),
            case("embeddingBag", {**option, "offsets": torch.tensor([0, 2, 7]), "includeLastOffset": True}, flat, table),
            case("embeddingBag", option, torch.zeros(0, 3, dtype=torch.int64), table),
        ]
    return cases + [
        case("embeddingBag", {"mode": "sum", "perSampleWeights": normal(2, 3)}, pairs, table),
        case("embeddingBag", {"mode": "sum", "offsets": offsets, "perSampleWeights": normal(7)}, flat, table),
        case("embeddingBag", {"mode": "sum", "maxNorm": 0.7}, pairs, table, second=False),
    ]


# Type, positional arguments, options, shape of the input.
SHAPES = [
    ("Flatten", [], {}, [2, 3, 2]),
    ("Flatten", [0, 1], {}, [2, 3, 2]),
    ("Flatten", [-2, -1], {}, [2, 3, 2, 2]),
    ("Flatten", [0, -2], {}, [2, 0, 3]),
    ("Flatten", [], {}, [0, 3, 2]),
    ("Flatten", [], {}, [2, 0, 3]),
    ("Flatten", [0], {}, [4]),
    ("Flatten", [0], {}, []),
    ("Unflatten", [1, [2, 3]], {}, [2, 6, 2]),
    ("Unflatten", [-1, [2, -1]], {}, [2, 6]),
    ("Unflatten", [-2, [1, 2]], {}, [2, 6]),
    ("Unflatten", [1, [3, -1]], {}, [0, 6]),
    ("Unflatten", [0, [-1, 2]], {}, [0, 6]),
    ("Unflatten", [1, [0, 3]], {}, [2, 0]),
    ("Identity", [], {}, [2, 3]),
    ("Identity", [54, 0.1], {}, [0]),
]


def main():
    write("functional", {"distances": distances(), "linears": linears(), "embeddings": embeddings(), "bags": bags(),
                         "shapes": [layer_case(*row) for row in SHAPES]})


main()
