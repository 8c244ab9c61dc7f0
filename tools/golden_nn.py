#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/nn.json: what PyTorch's layers, losses, optimizers and schedulers compute.

Run: /usr/bin/python3 tools/golden_nn.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import math

import torch

from golden import layer_case, loss_case, normal, number, snake, stored, to_torch, uniform, write

# Layers: type, positional arguments, options, shape of the input. -----------------------------------------------------

LAYERS = [
    ("Linear", [5, 3], {}, [4, 5]),
    ("Linear", [5, 3], {"bias": False}, [2, 3, 5]),
    ("Linear", [5, 3], {}, [5]),
    ("Conv1d", [2, 4, 3], {"stride": 2, "padding": 1}, [2, 2, 9]),
    ("Conv2d", [2, 3, 3], {}, [2, 2, 6, 5]),
    ("Conv2d", [3, 4, 3], {"padding": 1}, [2, 3, 5, 5]),
    ("Conv2d", [2, 3, [3, 2]], {"stride": [2, 1], "padding": [1, 0]}, [2, 2, 7, 6]),
    ("Conv2d", [2, 3, 3], {"dilation": 2, "bias": False}, [1, 2, 8, 7]),
    ("Conv2d", [4, 6, 3], {"groups": 2, "padding": 1}, [2, 4, 5, 4]),
    ("Conv2d", [4, 4, 3], {"groups": 4, "stride": 2, "padding": 1}, [2, 4, 7, 7]),
    ("Conv2d", [2, 2, [4, 3]], {"padding": "same"}, [1, 2, 6, 5]),
    ("Conv2d", [2, 2, 3], {"padding": "same", "dilation": 2}, [1, 2, 6, 7]),
    ("Conv2d", [2, 2, 3], {"padding": "valid", "stride": 3}, [1, 2, 9, 7]),
    ("Conv2d", [2, 3, 1], {}, [2, 4, 4]),
    ("ConvTranspose1d", [3, 2, 4], {"stride": 3, "padding": 1, "outputPadding": 1}, [2, 3, 5]),
    ("ConvTranspose2d", [3, 2, 4], {"stride": 2, "padding": 1}, [2, 3, 4, 3]),
    ("ConvTranspose2d", [4, 6, 3], {"stride": 2, "padding": 1, "outputPadding": 1, "groups": 2, "dilation": 2}, [1, 4, 3, 4]),
    ("ConvTranspose2d", [2, 3, 3], {"padding": 2, "bias": False}, [1, 2, 5, 6]),
    ("MaxPool1d", [3], {"stride": 2, "padding": 1}, [2, 2, 9]),
    ("MaxPool2d", [2], {}, [2, 2, 6, 7]),
    ("MaxPool2d", [3], {"stride": 2, "padding": 1}, [2, 2, 7, 8]),
    ("MaxPool2d", [[3, 2]], {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}, [1, 2, 8, 7]),
    ("MaxPool2d", [2], {"ceilMode": True}, [1, 2, 5, 7]),
    ("MaxPool2d", [3], {"stride": 3, "padding": 1, "ceilMode": True}, [1, 1, 9, 10]),
    ("AvgPool1d", [3], {"stride": 2, "padding": 1}, [2, 2, 8]),
    ("AvgPool2d", [2], {}, [2, 2, 6, 7]),
    ("AvgPool2d", [3], {"stride": 2, "padding": 1}, [2, 2, 7, 8]),
    ("AvgPool2d", [3], {"stride": 2, "padding": 1, "countIncludePad": False}, [1, 2, 7, 8]),
    ("AvgPool2d", [3], {"stride": 2, "ceilMode": True}, [1, 2, 6, 7]),
    ("AvgPool2d", [[3, 2]], {"stride": 2, "padding": [1, 1], "ceilMode": True}, [1, 2, 6, 7]),
    ("AvgPool2d", [3], {"stride": 2, "padding": 1, "ceilMode": True, "countIncludePad": False}, [1, 2, 6, 8]),
    ("AvgPool2d", [2], {"divisorOverride": 3}, [1, 2, 4, 4]),
    ("AdaptiveAvgPool2d", [1], {}, [2, 3, 5, 4]),
    ("AdaptiveAvgPool2d", [[2, 3]], {}, [2, 2, 4, 6]),
    ("AdaptiveAvgPool2d", [[3, 4]], {}, [2, 2, 7, 5]),
    ("AdaptiveAvgPool2d", [[None, 2]], {}, [2, 2, 3, 5]),
    ("Flatten", [], {}, [2, 3, 2]),
    ("Flatten", [0, 1], {}, [2, 3, 2]),
    ("Unflatten", [1, [2, 3]], {}, [2, 6, 2]),
    ("Identity", [], {}, [2, 3]),
    ("BatchNorm1d", [4], {}, [6, 4]),
    ("BatchNorm1d", [3], {"momentum": 0.3, "eps": 0.01}, [4, 3, 5]),
    ("BatchNorm2d", [3], {}, [3, 3, 4, 2]),
    ("BatchNorm2d", [2], {"affine": False}, [3, 2, 3, 2]),
    ("BatchNorm2d", [2], {"trackRunningStats": False}, [3, 2, 3, 2]),
    ("BatchNorm2d", [2], {"momentum": None}, [3, 2, 3, 2]),
    ("LayerNorm", [5], {}, [3, 2, 5]),
    ("LayerNorm", [[2, 5]], {"eps": 0.001}, [3, 2, 5]),
    ("LayerNorm", [4], {"elementwiseAffine": False}, [3, 4]),
    ("GroupNorm", [2, 4], {}, [2, 4, 3, 2]),
    ("InstanceNorm2d", [3], {"affine": True}, [2, 3, 3, 4]),
    ("ReLU", [], {}, [3, 4]),
    ("LeakyReLU", [], {}, [3, 4]),
    ("LeakyReLU", [0.2], {}, [3, 4]),
    ("ELU", [], {}, [3, 4]),
    ("ELU", [0.7], {}, [3, 4]),
    ("Sigmoid", [], {}, [3, 4]),
    ("LogSigmoid", [], {}, [3, 4]),
    ("Tanh", [], {}, [3, 4]),
    ("SiLU", [], {}, [3, 4]),
    ("GELU", [], {}, [3, 4]),
    ("GELU", [], {"approximate": "tanh"}, [3, 4]),
    ("Softplus", [], {}, [3, 4]),
    ("Softplus", [2, 1], {}, [3, 4]),
    ("Softmax", [1], {}, [3, 4]),
    ("Softmax", [0], {}, [3, 4]),
    ("LogSoftmax", [-1], {}, [2, 3, 4]),
]


# Losses: type, options, input, target. --------------------------------------------------------------------------------

def loss_cases():
    classes = torch.tensor([2, 0, 1, 2, 1])
    some_ignored = torch.tensor([2, -100, 1, 0, -100])
    first_ignored = torch.tensor([2, 0, 1, 0, 1])
    maps = torch.tensor([[[0, 2], [1, 1]], [[2, 0], [-100, 1]]])
    weight = {"weight": [0.5, 2.0, 1.25]}
    table = []
    for reduction in ("mean", "sum", "none"):
        option = {"reduction": reduction}
        table += [
            ("MSELoss", option, normal(3, 2), normal(3, 2)),
            ("L1Loss", option, normal(3, 2), normal(3, 2)),
            ("SmoothL1Loss", {**option, "beta": 0.8}, normal(3, 2), normal(3, 2)),
            ("CrossEntropyLoss", option, normal(5, 3), classes),
            ("CrossEntropyLoss", {**option, **weight}, normal(5, 3), some_ignored),
            ("CrossEntropyLoss", {**option, "labelSmoothing": 0.2}, normal(5, 3), some_ignored),
            ("CrossEntropyLoss", {**option, **weight, "labelSmoothing": 0.2}, normal(5, 3), some_ignored),
            ("CrossEntropyLoss", {**option, "ignoreIndex": 0}, normal(5, 3), first_ignored),
            ("CrossEntropyLoss", {**option, **weight}, normal(2, 3, 2, 2), maps),
            ("CrossEntropyLoss", {**option, "labelSmoothing": 0.1}, normal(2, 3, 2, 2), maps),
            ("CrossEntropyLoss", option, normal(5, 3), torch.softmax(normal(5, 3), 1)),
            ("CrossEntropyLoss", {**option, **weight, "labelSmoothing": 0.1}, normal(5, 3), torch.softmax(normal(5, 3), 1)),
            ("NLLLoss", {**option, **weight}, torch.log_softmax(normal(5, 3), 1), some_ignored),
            ("BCELoss", option, uniform(3, 2), uniform(3, 2)),
            ("BCELoss", {**option, "weight": [0.5, 2.0]}, uniform(3, 2), uniform(3, 2)),
            ("BCEWithLogitsLoss", option, normal(3, 2, scale=5), uniform(3, 2)),
            ("BCEWithLogitsLoss", {**option, "posWeight": [3.0, 0.5], "weight": [0.5, 2.0]}, normal(3, 2), uniform(3, 2)),
        ]
    table += [
        ("CrossEntropyLoss", {}, normal(3), torch.tensor(1)),
        ("BCELoss", {}, torch.tensor([0.0, 1.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.5, 0.25])),
        ("BCEWithLogitsLoss", {}, torch.tensor([0.0, 200.0, -200.0, 30.0]), torch.tensor([1.0, 0.0, 1.0, 0.5])),
    ]
    return [loss_case(*row) for row in table]


# Optimizers: five steps on two parameters with given gradients; the second has none at the third step. ----------------

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weightDecay": 0.05}),
    ("SGD", {"lr": 0.05, "weightDecay": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": [0.8, 0.95], "eps": 0.001, "weightDecay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weightDecay": 0.2, "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "weightDecay": 0}),
]


def optimizer_case(kind, options):
    start = [normal(3, 2), normal(4)]
    params = [torch.nn.Parameter(p.clone()) for p in start]
    optimizer = getattr(torch.optim, kind)(params, **to_torch(options))
    steps = []
    for step in range(5):
        gradients = [normal(*p.shape) for p in params]
        if step == 2:
            gradients[1] = None
        for p, g in zip(params, gradients):
            p.grad = g
        optimizer.step()
        steps.append({"gradients": [None if g is None else stored(g) for g in gradients],
                      "parameters": [stored(p) for p in params]})
    state = {str(i): {name: int(v) if name == "step" else stored(v) for name, v in entry.items() if v is not None}
             for i, entry in optimizer.state_dict()["state"].items()}
    return {"type": kind, "options": options, "start": [stored(p) for p in start], "steps": steps, "state": state}


# Schedulers: positional arguments after the optimizer, options, number of steps. ---------------------------------------

SCHEDULERS = [
    ("StepLR", [3], {}, 10),
    ("StepLR", [2], {"gamma": 0.5}, 8),
    ("MultiStepLR", [[2, 5, 5]], {"gamma": 0.3}, 8),
    ("ExponentialLR", [0.9], {}, 6),
    ("CosineAnnealingLR", [5], {}, 12),
    ("CosineAnnealingLR", [4], {"etaMin": 0.02}, 6),
    ("OneCycleLR", [0.5], {"totalSteps": 10}, 9),
    ("OneCycleLR", [0.5], {"epochs": 2, "stepsPerEpoch": 6, "pctStart": 0.5, "annealStrategy": "linear"}, 11),
]


def scheduler_case(kind, args, options, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.2, momentum=0.9)
    scheduler = getattr(torch.optim.lr_scheduler, kind)(optimizer, *args, **{snake(k): v for k, v in options.items()})
    group = optimizer.param_groups[0]
    rates, momenta = [group["lr"]], [group["momentum"]]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        rates.append(group["lr"])
        momenta.append(group["momentum"])
    return {"type": kind, "args": args, "options": options, "rates": rates, "momenta": momenta}


# Default initial distributions: the largest magnitude and the standard deviation over many numbers. -------------------

INITS = [
    ("Linear", [300, 400]), ("Conv2d", [16, 64, 5]), ("Conv1d", [20, 100, 7]), ("ConvTranspose2d", [64, 32, 4]),
]


def init_case(kind, args):
    torch.manual_seed(7)
    layer = getattr(torch.nn, kind)(*args)
    return {"type": kind, "args": args, "parameters": {
        name: {"largest": p.abs().max().item(), "std": p.std().item(), "count": p.numel()}
        for name, p in layer.named_parameters()}}


def clip_cases():
    cases = []
    for norm_type, limit in ((2.0, 1.0), (1.0, 2.0), (math.inf, 0.5), (2.0, 100.0)):
        gradients = [normal(3, 2), normal(4)]
        params = [torch.nn.Parameter(torch.ones(g.shape)) for g in gradients]
        for p, g in zip(params, gradients):
            p.grad = g.clone()
        total = torch.nn.utils.clip_grad_norm_(params, limit, norm_type)
        cases.append({"normType": number(norm_type), "maxNorm": limit, "gradients": [stored(g) for g in gradients],
                      "total": total.item(), "clipped": [stored(p.grad) for p in params]})
    return cases


def main():
    gains = {"linear": "linear", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "leakyRelu": "leaky_relu", "selu": "selu"}
    golden = {
        "layers": [layer_case(*row) for row in LAYERS],
        "losses": loss_cases(),
        "optimizers": [optimizer_case(*row) for row in OPTIMIZERS],
        "schedulers": [scheduler_case(*row) for row in SCHEDULERS],
        "inits": [init_case(*row) for row in INITS],
        "gains": {ours: torch.nn.init.calculate_gain(theirs) for ours, theirs in gains.items()},
        "clips": clip_cases(),
    }
    write("nn", golden)


main()
