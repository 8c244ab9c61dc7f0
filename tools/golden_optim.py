#!/usr/bin/env python3
"""Writes packages/gradus/test/golden/optim.json: trajectories of PyTorch's optimizers and schedulers, and averaged weights.

Run: /usr/bin/python3 -W ignore tools/golden_optim.py   (PyTorch 1.13 or later; the same numbers every time)
"""

import math

import torch

from golden import normal, number, snake, stored, to_torch, uniform, write

# Optimizers: 20 steps with given gradients, the same for all. Two parameter groups; one parameter has no gradient at the
# fourth step, and one that joins late has none at the first.

STEPS = 20
SHAPES = [[3, 2], [4], [5]]
START = [normal(*shape) for shape in SHAPES]
GRADIENTS = [[None if (step, i) in ((3, 1), (0, 2)) else normal(*shape) for i, shape in enumerate(SHAPES)]
             for step in range(STEPS)]

# Type, options, and what differs in the second group. What PyTorch 1.13 has no option for is done as later versions do it:
# `maximize` by the opposite gradient, `decoupledWeightDecay` by shrinking the weights before the step.
OPTIMIZERS = [
    ("SGD", {"lr": 0.1}, {"lr": 0.02}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}, {"momentum": 0.5}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}, {"weightDecay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weightDecay": 0.05}, {"lr": 0.3}),
    ("SGD", {"lr": 0.05, "momentum": 0.7, "weightDecay": 0.1, "maximize": True}, {"maximize": False}),
    ("Adam", {"lr": 0.05}, {"lr": 0.01}),
    ("Adam", {"lr": 0.05, "betas": [0.8, 0.95], "eps": 0.001, "weightDecay": 0.1}, {"betas": [0.5, 0.9]}),
    ("Adam", {"lr": 0.05, "amsgrad": True}, {"amsgrad": False}),
    ("Adam", {"lr": 0.05, "maximize": True}, {"eps": 0.1}),
    ("AdamW", {"lr": 0.05}, {"weightDecay": 0.3}),
    ("AdamW", {"lr": 0.05, "weightDecay": 0.2, "amsgrad": True, "maximize": True}, {"lr": 0.01}),
    ("NAdam", {}, {"lr": 0.02}),
    ("NAdam", {"lr": 0.05, "betas": [0.8, 0.95], "eps": 0.001, "weightDecay": 0.1}, {"momentumDecay": 0.5}),
    ("NAdam", {"lr": 0.05, "momentumDecay": 0.1, "maximize": True}, {"betas": [0.5, 0.99]}),
    ("NAdam", {"lr": 0.05, "weightDecay": 0.2, "decoupledWeightDecay": True}, {"weightDecay": 0}),
    ("RAdam", {}, {"lr": 0.02}),
    ("RAdam", {"lr": 0.05, "betas": [0.8, 0.9], "eps": 0.001, "weightDecay": 0.1}, {"betas": [0.9, 0.6]}),
    ("RAdam", {"lr": 0.05, "betas": [0.5, 0.95], "maximize": True}, {"lr": 0.01}),
    ("RAdam", {"lr": 0.05, "weightDecay": 0.2, "decoupledWeightDecay": True}, {"lr": 0.01}),
    ("Adamax", {}, {"lr": 0.02}),
    ("Adamax", {"lr": 0.05, "betas": [0.8, 0.7], "eps": 0.01, "weightDecay": 0.1}, {"betas": [0.5, 0.9]}),
    ("Adamax", {"lr": 0.05, "maximize": True}, {"weightDecay": 0.1}),
    ("RMSprop", {}, {"lr": 0.03}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 0.001, "weightDecay": 0.1, "momentum": 0.8}, {"momentum": 0}),
    ("RMSprop", {"lr": 0.02, "centered": True}, {"alpha": 0.7}),
    ("RMSprop", {"lr": 0.02, "centered": True, "momentum": 0.5, "alpha": 0.8, "maximize": True}, {"centered": False}),
    ("Adagrad", {}, {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lrDecay": 0.1, "weightDecay": 0.1}, {"lrDecay": 0.5}),
    ("Adagrad", {"lr": 0.1, "initialAccumulatorValue": 0.5, "eps": 0.01, "maximize": True}, {"weightDecay": 0.2}),
    ("Adadelta", {}, {"lr": 0.5}),
    ("Adadelta", {"lr": 2, "rho": 0.7, "eps": 0.001, "weightDecay": 0.1}, {"rho": 0.95}),
    ("Adadelta", {"rho": 0.8, "eps": 0.01, "maximize": True}, {"weightDecay": 0.2}),
    ("Rprop", {}, {"lr": 0.1}),
    ("Rprop", {"lr": 0.1, "etas": [0.7, 1.5], "stepSizes": [0.06, 0.3]}, {"etas": [0.3, 1.1]}),
    ("Rprop", {"lr": 0.05, "maximize": True}, {"maximize": False}),
    ("ASGD", {}, {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "lambd": 0.05, "alpha": 0.5, "t0": 5, "weightDecay": 0.1}, {"t0": 0}),
    ("ASGD", {"lr": 0.1, "lambd": 0.5, "t0": 10, "maximize": True}, {"alpha": 2}),
]

BY_FORMULA = {"NAdam": ("maximize", "decoupledWeightDecay"), "RAdam": ("maximize", "decoupledWeightDecay")}


def optimizer_case(kind, options, second):
    params = [torch.nn.Parameter(p.clone()) for p in START]
    by_formula = {}

    def group_of(own, members):
        full = {**options, **own}
        decoupled = full.pop("decoupledWeightDecay", False)
        maximize = full.pop("maximize", False) if "maximize" in BY_FORMULA.get(kind, ()) else False
        decay = full.pop("weightDecay", 0) if decoupled else 0
        for p in members:
            by_formula[p] = (maximize, decay)
        return {"params": members, **{k: tuple(v) if isinstance(v, list) else v for k, v in to_torch(full).items()}}

    groups = [group_of({}, params[:2]), group_of(second, params[2:])]
    # Without `foreach` PyTorch 1.13's NAdam has one factor too many.
    given = {"foreach": True} if kind == "NAdam" else {}
    if "initialAccumulatorValue" in options:
        given["initial_accumulator_value"] = options["initialAccumulatorValue"]
    optimizer = getattr(torch.optim, kind)(groups, **given)
    trajectory = []
    for gradients in GRADIENTS:
        for group in optimizer.param_groups:
            for p in group["params"]:
                g = gradients[[q is p for q in params].index(True)]
                maximize, decay = by_formula[p]
                p.grad = None if g is None else -g if maximize else g.clone()
                if g is not None and decay:
                    p.data.mul_(1 - group["lr"] * decay)
        optimizer.step()
        trajectory.append([[number(v) for v in p.detach().reshape(-1).tolist()] for p in params])
    # Numbers that Gradus keeps as such are tensors of one element in PyTorch, or not, as it happens.
    state = {str(i): {name: number(float(v)) if not torch.is_tensor(v) or v.dim() == 0 else stored(v)
                      for name, v in entry.items() if v is not None}
             for i, entry in optimizer.state_dict()["state"].items()}
    return {"type": kind, "options": options, "second": second, "trajectory": trajectory, "state": state}


# LBFGS: the loss at the beginning of each step, and where it ends. ----------------------------------------------------

LBFGS = [
    ("rosenbrock", {"lineSearchFn": "strongWolfe"}, 3),
    ("rosenbrock", {"lineSearchFn": "strongWolfe", "maxIter": 3, "historySize": 3}, 12),
    ("rosenbrock", {"lineSearchFn": "strongWolfe", "maxIter": 8, "maxEval": 5, "lr": 0.5}, 12),
    ("rosenbrock", {"lr": 0.02, "maxIter": 4}, 12),
    ("leastSquares", {}, 4),
    ("leastSquares", {"maxIter": 2, "historySize": 2}, 12),
    ("leastSquares", {"lineSearchFn": "strongWolfe", "maxIter": 2}, 10),
    ("leastSquares", {"lineSearchFn": "strongWolfe", "maxIter": 30, "toleranceGrad": 0.01}, 2),
    ("leastSquares", {"lr": 0.3, "maxIter": 5, "toleranceChange": 0.001}, 8),
]
MATRIX = normal(8, 5)
TARGET = normal(8)


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def least_squares(weight, bias):
    return (MATRIX @ weight.reshape(-1) + bias - TARGET).square().sum()


def lbfgs_case(problem, options, steps):
    start = [torch.tensor([-1.5, 2.0])] if problem == "rosenbrock" else [torch.zeros(5, 1), torch.ones(1)]
    loss_of = rosenbrock if problem == "rosenbrock" else least_squares
    params = [torch.nn.Parameter(p.clone()) for p in start]
    given = {snake(k): "strong_wolfe" if v == "strongWolfe" else v for k, v in options.items()}
    optimizer = torch.optim.LBFGS(params, **given)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(*params)
        loss.backward()
        return loss

    losses = [float(optimizer.step(closure)) for _ in range(steps)]
    losses.append(float(loss_of(*params)))
    state = optimizer.state_dict()["state"][0]
    return {"problem": problem, "options": options, "start": [stored(p) for p in start], "losses": losses,
            "evaluations": state["func_evals"], "iterations": state["n_iter"], "end": [stored(p) for p in params]}


# Schedulers over 30 epochs, with two groups. --------------------------------------------------------------------------

EPOCHS = 30
FUNCTIONS = {
    "inverse": lambda epoch: 1 / (1 + 0.2 * epoch),
    "waning": lambda epoch: 0.95 ** epoch,
    "alternating": lambda epoch: 1.1 if epoch % 2 == 0 else 0.8,
    "gentle": lambda epoch: 0.97,
}


def plain(kind, *args, **options):
    return {"type": kind, "args": list(args), "options": options}


def sequential(milestones, *parts):
    return {"type": "SequentialLR", "parts": list(parts), "milestones": milestones}


def chained(*parts):
    return {"type": "ChainedScheduler", "parts": list(parts)}


SCHEDULERS = [
    plain("StepLR", 3),
    plain("StepLR", 7, gamma=0.5),
    plain("MultiStepLR", [5, 12, 12, 20], gamma=0.3),
    plain("MultiStepLR", [0, 4]),
    plain("ExponentialLR", 0.9),
    plain("ConstantLR"),
    plain("ConstantLR", factor=0.25, totalIters=9),
    plain("LinearLR"),
    plain("LinearLR", startFactor=0.1, endFactor=0.8, totalIters=12),
    plain("LinearLR", startFactor=1, endFactor=0.0, totalIters=20),
    plain("PolynomialLR"),
    plain("PolynomialLR", totalIters=22, power=2.5),
    plain("CosineAnnealingLR", 10),
    plain("CosineAnnealingLR", 7, etaMin=0.01),
    plain("CosineAnnealingLR", 40),
    plain("CosineAnnealingWarmRestarts", 6),
    plain("CosineAnnealingWarmRestarts", 4, tMult=2, etaMin=0.01),
    plain("LambdaLR", "inverse"),
    plain("LambdaLR", ["inverse", "waning"]),
    plain("MultiplicativeLR", "alternating"),
    plain("MultiplicativeLR", ["gentle", "alternating"]),
    plain("OneCycleLR", 0.5, totalSteps=30),
    plain("OneCycleLR", [0.5, 0.1], epochs=5, stepsPerEpoch=7, pctStart=0.5, annealStrategy="linear", divFactor=10,
          finalDivFactor=100),
    plain("OneCycleLR", 0.5, totalSteps=32, threePhase=True, pctStart=0.4, baseMomentum=0.7, maxMomentum=0.9),
    plain("OneCycleLR", 0.5, totalSteps=31, cycleMomentum=False),
    plain("CyclicLR", 0.01, 0.3, stepSizeUp=4),
    plain("CyclicLR", [0.01, 0.02], [0.3, 0.1], stepSizeUp=3, stepSizeDown=6, mode="triangular2", baseMomentum=0.6,
          maxMomentum=0.95),
    plain("CyclicLR", 0.01, 0.3, stepSizeUp=5, stepSizeDown=2, mode="exp_range", gamma=0.93),
    plain("CyclicLR", 0.01, 0.3, stepSizeUp=4, cycleMomentum=False),
    plain("SWALR", 0.05),
    plain("SWALR", [0.05, 0.5], annealEpochs=20, annealStrategy="linear"),
    plain("SWALR", 0.01, annealEpochs=0),
    sequential([5], plain("LinearLR", startFactor=0.2, totalIters=5), plain("CosineAnnealingLR", 15, etaMin=0.001)),
    sequential([4, 11], plain("ConstantLR", factor=0.5, totalIters=2), plain("ExponentialLR", 0.8), plain("StepLR", 3)),
    sequential([6, 15], plain("PolynomialLR", totalIters=8), plain("MultiplicativeLR", "gentle"),
               plain("CosineAnnealingWarmRestarts", 5)),
    sequential([10], plain("LambdaLR", "inverse"), plain("CyclicLR", 0.01, 0.3, stepSizeUp=4)),
    sequential([3], plain("LinearLR", startFactor=0.5, totalIters=3), plain("OneCycleLR", 0.5, totalSteps=30)),
    chained(plain("ConstantLR", factor=0.1, totalIters=4), plain("ExponentialLR", 0.9)),
    chained(plain("LinearLR", totalIters=6), plain("CosineAnnealingLR", 9), plain("StepLR", 8, gamma=0.5)),
    chained(plain("PolynomialLR", totalIters=25, power=2), plain("MultiplicativeLR", "gentle")),
]

TORCH_NAMES = {"tMult": "T_mult"}


def build(optimizer, description):
    kind = description["type"]
    if kind == "ChainedScheduler":
        return torch.optim.lr_scheduler.ChainedScheduler([build(optimizer, part) for part in description["parts"]])
    if kind == "SequentialLR":
        parts = [build(optimizer, part) for part in description["parts"]]
        return torch.optim.lr_scheduler.SequentialLR(optimizer, parts, description["milestones"])

    def argument(a):
        if isinstance(a, str):
            return FUNCTIONS[a]
        return [argument(each) for each in a] if isinstance(a, list) else a

    module = torch.optim.swa_utils if kind == "SWALR" else torch.optim.lr_scheduler
    names = {"annealStrategy": "anneal_strategy", "annealEpochs": "anneal_epochs"}
    options = {TORCH_NAMES.get(k, names.get(k, snake(k))): v for k, v in description["options"].items()}
    return getattr(module, kind)(optimizer, *map(argument, description["args"]), **options)


def two_groups():
    return [{"params": [torch.nn.Parameter(torch.ones(1))]}, {"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.05}]


def scheduler_case(description, kind="SGD"):
    given = {"momentum": 0.9} if kind == "SGD" else {}
    optimizer = getattr(torch.optim, kind)(two_groups(), lr=0.2, **given)
    scheduler = build(optimizer, description)
    momentum = lambda group: group["momentum"] if kind == "SGD" else group["betas"][0]
    rates, momenta = [], []
    for epoch in range(EPOCHS + 1):
        if epoch > 0:
            optimizer.step()
            scheduler.step()
        rates.append([group["lr"] for group in optimizer.param_groups])
        momenta.append([momentum(group) for group in optimizer.param_groups])
    return {"optimizer": kind, "description": description, "rates": rates, "momenta": momenta}


PLATEAUS = [
    {"patience": 2},
    {"patience": 1, "factor": 0.5, "cooldown": 3, "threshold": 0.05},
    {"patience": 0, "thresholdMode": "abs", "threshold": 0.02, "minLr": 0.03},
    {"mode": "max", "patience": 2, "factor": 0.3, "minLr": [0.001, 0.02]},
    {"mode": "max", "patience": 1, "thresholdMode": "abs", "threshold": 0.1, "cooldown": 1},
    {"patience": 0, "factor": 0.2, "eps": 0.01},
]


def plateau_case(options):
    optimizer = torch.optim.SGD(two_groups(), lr=0.2)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **{snake(k): v for k, v in options.items()})
    metrics = [round(float(1 / (1 + 0.3 * min(epoch, 12)) + 0.1 * math.sin(3 * epoch)), 4) for epoch in range(EPOCHS)]
    metrics[7] = "nan"
    rates = []
    for metric in metrics:
        scheduler.step(float(metric))
        rates.append([group["lr"] for group in optimizer.param_groups])
    return {"options": options, "metrics": metrics, "rates": rates}


# Averaged weights. ----------------------------------------------------------------------------------------------------

def network():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def randomize(model):
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(uniform(*tensor.shape) + 0.5 if name.endswith("var") else normal(*tensor.shape))
        else:
            tensor.add_(1)


def average_case(decay, use_buffers):
    model = network()
    randomize(model)
    average = None if decay is None else lambda averaged, new, n: averaged * decay + new * (1 - decay)
    averaged = torch.optim.swa_utils.AveragedModel(model, avg_fn=average, use_buffers=use_buffers)
    states = []
    for _ in range(6):
        randomize(model)
        states.append({name: stored(t) for name, t in model.state_dict().items()})
        averaged.update_parameters(model)
    return {"decay": decay, "useBuffers": use_buffers, "states": states,
            "averaged": {name: stored(t) for name, t in averaged.state_dict().items()}}


def statistics_case():
    model = network()
    randomize(model)
    before = {name: stored(t) for name, t in model.state_dict().items()}
    batches = [normal(size, 3) for size in (4, 6, 2)]
    torch.optim.swa_utils.update_bn(batches, model)
    return {"before": before, "batches": [stored(b) for b in batches],
            "after": {name: stored(t) for name, t in model.state_dict().items()}}


def main():
    write("optim", {
        "start": [stored(p) for p in START],
        "gradients": [[None if g is None else stored(g) for g in gradients] for gradients in GRADIENTS],
        "optimizers": [optimizer_case(*row) for row in OPTIMIZERS],
        "leastSquares": {"matrix": stored(MATRIX), "target": stored(TARGET)},
        "lbfgs": [lbfgs_case(*row) for row in LBFGS],
        "schedulers": [scheduler_case(row) for row in SCHEDULERS]
        + [scheduler_case(plain("OneCycleLR", 0.5, totalSteps=30), "Adam")],
        "plateaus": [plateau_case(row) for row in PLATEAUS],
        "averages": [average_case(decay, buffers) for decay in (None, 0.9) for buffers in (False, True)],
        "statistics": [statistics_case()],
    })


main()
