#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/losses.json: what PyTorch's losses compute, with gradients of all inputs that have one.

Run: /usr/bin/python3 -W ignore tools/golden_losses.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import torch

from golden import normal, number, stored, to_torch, uniform, write

REDUCTIONS = ("mean", "sum", "none")

# Where slopes jump, margins have four decimals: differences of inputs, which have three, never lie there by chance.


def signs(*shape):
    return torch.where(normal(*shape) > 0, 1.0, -1.0)


def case(kind, options, inputs, learn=(0,), second=False):
    """A loss on inputs, of which those named by `learn` get gradients: of sum(seed * loss), and with `second` also those of
    sum over inputs of sum(second seed * gradient)."""
    inputs = [x.float().double() if x.is_floating_point() else x for x in inputs]
    given = [x.clone().requires_grad_() if i in learn else x for i, x in enumerate(inputs)]
    wanted = [given[i] for i in learn]
    y = getattr(torch.nn, kind)(**to_torch(options))(*given)
    seed = normal(*y.shape)
    gradients = torch.autograd.grad((y * seed).sum(), wanted, create_graph=second)
    told = {name: number(value) if isinstance(value, float) else value for name, value in options.items()}
    entry = {"type": kind, "options": told, "inputs": [stored(x) for x in inputs], "learn": list(learn),
             "seed": stored(seed), "output": stored(y), "gradients": [stored(g) for g in gradients]}
    if second:
        seeds = [normal(*g.shape) for g in gradients]
        penalty = sum((g * s).sum() for g, s in zip(gradients, seeds))
        found = torch.autograd.grad(penalty, wanted, allow_unused=True)
        # What no gradient depends on has no second derivative; it is stored as zeros.
        entry["second"] = {"seeds": [stored(s) for s in seeds],
                           "gradients": [stored(torch.zeros_like(x) if g is None else g) for x, g in zip(wanted, found)]}
    return entry


# Regression -----------------------------------------------------------------------------------------------------------

def regression():
    rows = []
    for reduction in REDUCTIONS:
        option = {"reduction": reduction}
        rows += [
            ("MSELoss", option, [normal(3, 2), normal(3, 2)], (0, 1), True),
            ("L1Loss", option, [normal(3, 2), normal(3, 2)], (0, 1)),
            ("SmoothL1Loss", option, [normal(4, 3), normal(4, 3)], (0, 1), True),
            ("SmoothL1Loss", {**option, "beta": 0.4003}, [normal(2, 2, 3), normal(2, 2, 3)], (0,), True),
            ("HuberLoss", option, [normal(4, 3), normal(4, 3)], (0, 1), True),
            ("HuberLoss", {**option, "delta": 0.4003}, [normal(2, 2, 3), normal(2, 2, 3)], (0,), True),
            ("GaussianNLLLoss", option, [normal(4, 3), normal(4, 3), uniform(4, 3)], (0, 1, 2), True),
            ("GaussianNLLLoss", {**option, "full": True}, [normal(4, 3), normal(4, 3), uniform(4, 1)], (0, 2), True),
            ("GaussianNLLLoss", {**option, "eps": 0.3}, [normal(4, 3), normal(4, 3), uniform(4)], (0, 2), True),
            ("PoissonNLLLoss", option, [normal(4, 3), uniform(4, 3, high=6).round()], (0,), True),
            ("PoissonNLLLoss", {**option, "full": True}, [normal(4, 3), uniform(4, 3, high=6)], (0, 1), True),
            ("PoissonNLLLoss", {**option, "logInput": False}, [uniform(5), uniform(5, high=6).round()], (0,), True),
            ("PoissonNLLLoss", {**option, "logInput": False, "full": True, "eps": 0.01},
             [uniform(2, 3), uniform(2, 3, high=6).round()], (0,)),
        ]
    exact = torch.tensor([1.0, -0.5, 0.25, 0.0])
    edges = torch.tensor([1.0, -1.0, 0.0, 0.5, 1.5])
    for kind in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"):
        rows += [
            (kind, {}, [exact, exact]),
            (kind, {"reduction": "sum"}, [edges, torch.zeros(5)]),
            (kind, {"reduction": "sum"}, [normal(0, 3), normal(0, 3)]),
            (kind, {}, [normal(), normal()]),
        ]
    rows += [
        ("SmoothL1Loss", {"beta": 0}, [normal(3), normal(3)]),
        ("SmoothL1Loss", {}, [normal(4, scale=1e4), normal(4, scale=1e4)]),
        ("HuberLoss", {"delta": 2.5}, [normal(4, scale=1e4), normal(4, scale=1e4)]),
        ("GaussianNLLLoss", {}, [exact, exact, torch.tensor([0.0, 1e-7, 1e-6, 2.0])], (0, 2)),
        ("PoissonNLLLoss", {"full": True}, [normal(4), torch.tensor([0.0, 1.0, 2.0, 7.0])], (0,)),
        ("PoissonNLLLoss", {"logInput": False}, [torch.tensor([1.0, 0.5]), torch.tensor([0.0, 3.0])]),
    ]
    return rows


# Classes --------------------------------------------------------------------------------------------------------------

def classification():
    classes = torch.tensor([2, 0, 1, 2, 1])
    some_ignored = torch.tensor([2, -100, 1, 0, -100])
    none_left = torch.full((5,), -100)
    maps = torch.tensor([[[0, 2], [1, 1]], [[2, 0], [-100, 1]]])
    weight = {"weight": [0.5, 2.0, 1.25]}

    def log_softmax(*shape):
        return torch.log_softmax(normal(*shape), 1)

    def softmax(*shape):
        return torch.softmax(normal(*shape), 1)

    rows = []
    for reduction in REDUCTIONS:
        option = {"reduction": reduction}
        rows += [
            ("CrossEntropyLoss", option, [normal(5, 3), classes], (0,), True),
            ("CrossEntropyLoss", {**option, **weight, "labelSmoothing": 0.3}, [normal(5, 3), some_ignored], (0,), True),
            ("CrossEntropyLoss", {**option, "ignoreIndex": 1, "labelSmoothing": 0.3}, [normal(5, 3), classes]),
            ("CrossEntropyLoss", {**option, **weight, "ignoreIndex": 2}, [normal(5, 3), classes]),
            ("CrossEntropyLoss", {**option, "ignoreIndex": -1}, [normal(5, 3), torch.tensor([2, -1, 1, 0, -1])]),
            ("CrossEntropyLoss", {**option, "labelSmoothing": 1}, [normal(5, 3), classes]),
            ("CrossEntropyLoss", option, [normal(2, 3, 4), torch.tensor([[0, 2, 1, 1], [2, 2, 0, -100]])]),
            ("CrossEntropyLoss", {**option, **weight}, [normal(2, 3, 2, 2), maps], (0,), True),
            ("CrossEntropyLoss", option, [normal(4, 3), softmax(4, 3)], (0, 1), True),
            ("CrossEntropyLoss", {**option, **weight, "labelSmoothing": 0.2}, [normal(2, 3, 2, 2), softmax(2, 3, 2, 2)], (0, 1)),
            ("NLLLoss", option, [log_softmax(5, 3), classes], (0,), True),
            ("NLLLoss", {**option, "ignoreIndex": 1}, [log_softmax(5, 3), classes]),
            ("NLLLoss", {**option, **weight}, [log_softmax(2, 3, 2, 2), maps]),
            ("MultiMarginLoss", option, [normal(5, 3), classes]),
            ("MultiMarginLoss", {**option, "p": 2, "margin": 0.4003}, [normal(5, 3), classes]),
            ("MultiMarginLoss", {**option, **weight, "margin": 1.7003}, [normal(5, 3), classes]),
            ("MultiMarginLoss", {**option, **weight, "p": 2}, [normal(3), torch.tensor(1)]),
            ("MultiLabelMarginLoss", option, [normal(3, 4), torch.tensor([[3, 0, -1, 1], [-1, 2, 2, 2], [2, 1, 0, 3]])]),
            ("MultiLabelMarginLoss", option, [normal(4), torch.tensor([1, 1, 2, -1])]),
            ("MultiLabelSoftMarginLoss", option, [normal(4, 3), uniform(4, 3).round()], (0,), True),
            ("MultiLabelSoftMarginLoss", {**option, **weight}, [normal(2, 4, 3), uniform(2, 4, 3)], (0, 1), True),
        ]
    huge = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [1e4, 1e4 - 1, 1e4 - 2], [0.0, 0.0, 1e4]])
    masked = torch.tensor([[0.5, float("-inf"), -1.0], [1.0, 2.0, float("-inf")]])
    for reduction in ("sum", "none"):
        rows.append(("CrossEntropyLoss", {"reduction": reduction}, [huge, torch.tensor([0, 1, 2, 0])]))
    rows += [
        ("CrossEntropyLoss", {"reduction": "none", "labelSmoothing": 0.1}, [huge, torch.tensor([0, 2, 1, 2])]),
        ("CrossEntropyLoss", {}, [masked, torch.tensor([2, 0])]),
        ("CrossEntropyLoss", {}, [normal(5, 3), none_left]),
        ("CrossEntropyLoss", {"reduction": "sum"}, [normal(5, 3), none_left]),
        ("CrossEntropyLoss", {"reduction": "sum"}, [normal(0, 3), torch.zeros(0, dtype=torch.int64)]),
        ("CrossEntropyLoss", {}, [normal(0, 3), torch.zeros(0, dtype=torch.int64)]),
        ("CrossEntropyLoss", {}, [normal(1, 1), torch.tensor([0])]),
        ("CrossEntropyLoss", {}, [normal(4), torch.tensor(3)]),
        ("CrossEntropyLoss", {}, [normal(4), torch.softmax(normal(4), 0)]),
        ("CrossEntropyLoss", {}, [normal(3, 40, scale=3), torch.tensor([39, 0, 17])], (0,), True),
        ("NLLLoss", {}, [torch.log_softmax(normal(3), 0), torch.tensor(1)]),
        ("NLLLoss", {"reduction": "sum"}, [normal(0, 3), torch.zeros(0, dtype=torch.int64)]),
        # Scores that lie on the hinge exactly.
        ("MultiMarginLoss", {"reduction": "none"}, [torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.5, 1.5]]), torch.tensor([0, 1])]),
        ("MultiLabelMarginLoss", {}, [torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.5, 1.5]]), torch.tensor([[0, -1, 0], [1, 0, -1]])]),
        ("MultiLabelSoftMarginLoss", {"reduction": "none"},
         [torch.tensor([[1e4, -1e4], [0.0, 1e4]]), torch.tensor([[0.0, 0.0], [1.0, 1.0]])]),
    ]
    return rows


# Yes or no, and distributions -----------------------------------------------------------------------------------------

def binary():
    rows = []
    for reduction in REDUCTIONS:
        option = {"reduction": reduction}
        rows += [
            ("BCELoss", option, [uniform(4, 3), uniform(4, 3)], (0, 1), True),
            ("BCELoss", {**option, "weight": [0.5, 2.0, 1.0]}, [uniform(4, 3), uniform(4, 3).round()]),
            ("BCEWithLogitsLoss", option, [normal(4, 3, scale=4), uniform(4, 3)], (0, 1), True),
            ("BCEWithLogitsLoss", {**option, "posWeight": [3.0, 0.5, 1.0]}, [normal(4, 3), uniform(4, 3).round()], (0,), True),
            ("BCEWithLogitsLoss", {**option, "posWeight": [2.5], "weight": [0.5, 2.0]}, [normal(3, 2), uniform(3, 2)], (0,), True),
            ("SoftMarginLoss", option, [normal(4, 3, scale=4), signs(4, 3)], (0,), True),
        ]
    for reduction in (*REDUCTIONS, "batchmean"):
        option = {"reduction": reduction}
        rows += [
            ("KLDivLoss", option, [torch.log_softmax(normal(4, 3), 1), torch.softmax(normal(4, 3), 1)], (0, 1), True),
            ("KLDivLoss", {**option, "logTarget": True},
             [torch.log_softmax(normal(4, 3), 1), torch.log_softmax(normal(4, 3), 1)], (0, 1), True),
            ("KLDivLoss", option, [torch.log_softmax(normal(2, 3, 2), 1), torch.softmax(normal(2, 3, 2), 1)]),
        ]
    zeros = torch.tensor([[0.0, 1.0, 0.0], [0.25, 0.0, 0.75]])
    same = torch.softmax(normal(2, 3), 1)
    logits = torch.tensor([0.0, 0.0, 1e4, 1e4, -1e4, -1e4, 30.0, -30.0, 100.0])
    yes = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.25])
    for reduction in ("sum", "none"):
        option = {"reduction": reduction}
        rows += [
            ("BCELoss", option, [torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5]), torch.tensor([0.0, 1.0, 1.0, 0.0, 0.5])]),
            ("BCEWithLogitsLoss", option, [logits, yes]),
            ("BCEWithLogitsLoss", {**option, "posWeight": [4.0]}, [logits, yes]),
        ]
    rows += [
        ("KLDivLoss", {"reduction": "batchmean"}, [torch.log_softmax(normal(2, 3), 1), zeros]),
        ("KLDivLoss", {"reduction": "sum"}, [same.float().double().log(), same]),
        ("KLDivLoss", {"reduction": "batchmean"}, [torch.log_softmax(normal(3), 0), torch.softmax(normal(3), 0)]),
        ("BCEWithLogitsLoss", {}, [normal(), torch.tensor(1.0)]),
        ("BCEWithLogitsLoss", {"reduction": "sum"}, [normal(0, 2), normal(0, 2)]),
        ("SoftMarginLoss", {"reduction": "none"}, [torch.tensor([0.0, 0.0, 60.0, -60.0]), torch.tensor([1.0, -1.0, 1.0, 1.0])]),
    ]
    return rows


# Margins and embeddings -----------------------------------------------------------------------------------------------

def embedding():
    rows = []
    pairs = torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0])
    for reduction in REDUCTIONS:
        option = {"reduction": reduction}
        rows += [
            ("HingeEmbeddingLoss", option, [uniform(4, 3, high=2), signs(4, 3)]),
            ("HingeEmbeddingLoss", {**option, "margin": 0.4003}, [normal(6), signs(6)]),
            ("MarginRankingLoss", option, [normal(6), normal(6), signs(6)], (0, 1)),
            ("MarginRankingLoss", {**option, "margin": 0.7003}, [normal(2, 3), normal(2, 3), signs(2, 3)], (0, 1)),
            ("CosineEmbeddingLoss", option, [normal(5, 4), normal(5, 4), pairs], (0, 1), True),
            ("CosineEmbeddingLoss", {**option, "margin": 0.3}, [normal(5, 3), normal(5, 3), pairs], (0, 1)),
            ("TripletMarginLoss", option, [normal(5, 4), normal(5, 4), normal(5, 4)], (0, 1, 2), True),
            ("TripletMarginLoss", {**option, "p": 1, "margin": 2}, [normal(5, 4), normal(5, 4), normal(5, 4)], (0, 1, 2)),
            ("TripletMarginLoss", {**option, "p": 3, "eps": 0.1, "margin": 2}, [normal(5, 4), normal(5, 4), normal(5, 4)], (0, 1, 2)),
            ("TripletMarginLoss", {**option, "swap": True, "margin": 2}, [normal(8, 3), normal(8, 3), normal(8, 3)], (0, 1, 2)),
            ("TripletMarginWithDistanceLoss", option, [normal(5, 4), normal(5, 4), normal(5, 4)], (0, 1, 2)),
            ("TripletMarginWithDistanceLoss", {**option, "swap": True, "margin": 1.5},
             [normal(8, 3), normal(8, 3), normal(8, 3)], (0, 1, 2)),
        ]
    zero = torch.zeros(3, 2)
    some = normal(3, 2)
    rows += [
        # On the hinge exactly, and a target that is neither of both.
        ("HingeEmbeddingLoss", {"reduction": "none"}, [torch.tensor([1.0, 0.25, 3.0, 0.5]), torch.tensor([-1.0, 0.0, -1.0, 1.0])]),
        ("MarginRankingLoss", {"reduction": "none"},
         [torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, -1.0])], (0, 1)),
        ("CosineEmbeddingLoss", {"reduction": "none"}, [zero, some, torch.tensor([1.0, -1.0, 0.0])], (0, 1)),
        ("CosineEmbeddingLoss", {}, [some, some, torch.tensor([1.0, 1.0, 1.0])], (0, 1)),
        ("CosineEmbeddingLoss", {}, [normal(4), normal(4), torch.tensor(1.0)], (0, 1)),
        ("TripletMarginLoss", {}, [some, some, some + 1], (0, 1, 2)),
        ("TripletMarginLoss", {"eps": 0}, [some, some, some + 0.25], (0, 1, 2)),
        ("TripletMarginLoss", {"p": 1, "eps": 0}, [some, some, some], (0, 1, 2)),
        ("TripletMarginLoss", {"p": float("inf"), "margin": 2}, [normal(4, 3), normal(4, 3), normal(4, 3)], (0, 1, 2)),
        ("TripletMarginLoss", {}, [normal(4), normal(4), normal(4)], (0, 1, 2)),
    ]
    return rows


# Sequences ------------------------------------------------------------------------------------------------------------

def sequence_case(options, shape, targets, input_lengths, target_lengths):
    """The CTC loss of log_softmax(input). PyTorch's gradient is right only behind a log_softmax, so it is that of its input."""
    x = normal(*shape).requires_grad_()
    y = torch.nn.CTCLoss(**to_torch(options))(x.log_softmax(-1), torch.tensor(targets), torch.tensor(input_lengths),
                                              torch.tensor(target_lengths))
    seed = normal(*y.shape)
    finite = bool(y.isfinite().all())
    entry = {"options": options, "input": stored(x), "targets": stored(torch.tensor(targets)),
             "inputLengths": input_lengths, "targetLengths": target_lengths, "seed": stored(seed), "output": stored(y)}
    if finite:
        entry["gradient"] = stored(torch.autograd.grad((y * seed).sum(), x)[0])
    return entry


def sequences():
    rows = []
    lists = [[1, 2, 2, 3], [4, 1, 0, 0], [3, 3, 3, 0]]
    for reduction in REDUCTIONS:
        option = {"reduction": reduction}
        rows += [
            (option, [7, 3, 5], lists, [7, 5, 6], [4, 2, 3]),
            ({**option, "blank": 4}, [6, 2, 5], [[1, 0, 2], [3, 3, 0]], [6, 4], [3, 2]),
            (option, [6, 3, 4], [1, 2, 3, 3, 1, 2], [6, 5, 4], [3, 2, 1]),
            # No labels, and more of them than the input can hold.
            ({**option, "zeroInfinity": True}, [4, 3, 4], [[1, 2, 3], [1, 1, 1], [2, 0, 0]], [4, 4, 3], [3, 3, 0]),
            (option, [5, 4], [2, 2], 5, 2),
        ]
    rows.append(({"reduction": "none"}, [4, 2, 4], [[1, 2, 3], [1, 1, 1]], [4, 4], [3, 3]))
    rows.append(({}, [1, 2, 3], [[1], [2]], [1, 1], [1, 1]))
    return [sequence_case(*row) for row in rows]


write("losses", {"sequences": sequences()} | {name: [case(*row) for row in table()]
                 for name, table in {"regression": regression, "classification": classification, "binary": binary,
                                     "embedding": embedding}.items()})
