"""What the scripts that write golden data share: inputs, their storage as JSON, and PyTorch's layers and losses run on them.

Inputs are float32 numbers of three decimals; PyTorch works on them in float64, so that the expected values are exact for
every device that computes in float32. Names and options are Gradus's, in camelCase; they become PyTorch's here.
Importing this module makes float64 the default dtype and seeds the generator: every script gives the same numbers every time.
"""

import json
import math
import pathlib
import re

import torch

FOLDER = pathlib.Path(__file__).parent.parent / "packages/gradus/test/golden"
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(1)
generator = torch.Generator().manual_seed(20240229)


def normal(*shape, scale=1.0):
    """Random numbers that are no zeros, exact in float32 and short as text."""
    x = torch.randn(shape, generator=generator) * scale
    x = (x * 1000).round() / 1000
    return x.masked_fill(x == 0, 0.001).float().double()


def uniform(*shape, low=0.05, high=0.95):
    x = torch.rand(shape, generator=generator) * (high - low) + low
    return ((x * 1000).round() / 1000).float().double()


def number(x):
    if math.isnan(x):
        return "nan"
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    x = float(f"{x:.8g}")
    return int(x) if x.is_integer() else x


DTYPES = {torch.float64: "float32", torch.int64: "int32", torch.bool: "bool"}


def stored(x):
    x = x.detach()
    return {"shape": list(x.shape), "dtype": DTYPES[x.dtype], "data": [number(v) for v in x.reshape(-1).tolist()]}


def snake(name):
    return re.sub(r"[A-Z]", lambda m: "_" + m.group().lower(), name)


def to_torch(options):
    return {snake(k): torch.tensor(v) if isinstance(v, list) and k in ("weight", "posWeight") else v
            for k, v in options.items()}


def run_layer(layer, x, seed, second_seed=None):
    """Output and gradients of sum(seed * y); with a second seed also those of sum(second_seed * gradient of x)."""
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    (y * seed).sum().backward(create_graph=second_seed is not None)
    gradients = {name: stored(p.grad) for name, p in layer.named_parameters()}
    run = {"output": stored(y), "inputGradient": stored(x.grad), "gradients": gradients}
    if second_seed is not None:
        wanted = dict(x=x, **dict(layer.named_parameters()))
        penalty = (x.grad * second_seed).sum()
        found = torch.autograd.grad(penalty, list(wanted.values()), allow_unused=True)
        # What the gradient does not depend on has no second derivative; it is stored as zeros.
        second = {name: stored(torch.zeros_like(p) if g is None else g) for (name, p), g in zip(wanted.items(), found)}
        run["second"] = {"input": second.pop("x"), "gradients": second}
    return run


def layer_case(kind, args, options, shape, second=False):
    """A layer with random state on a random input. `second`: with second derivatives, as a gradient penalty asks for."""
    torch_args = [tuple(a) if isinstance(a, list) else a for a in args]
    layer = getattr(torch.nn, kind)(*torch_args, **to_torch(options))
    state = {}
    for name, tensor in layer.state_dict().items():
        if tensor.dtype == torch.int64:
            state[name] = torch.tensor(3)
        elif name == "running_var":
            state[name] = uniform(*tensor.shape) + 0.5
        else:
            state[name] = normal(*tensor.shape, scale=0.7)
    layer.load_state_dict(state)
    x = normal(*shape)
    seed = normal(*layer(x).shape)
    # The pass above has changed running statistics.
    layer.load_state_dict(state)
    case = {
        "type": kind,
        "args": args + ([options] if options else []),
        "state": {name: stored(tensor) for name, tensor in state.items()},
        "input": stored(x),
        "seed": stored(seed),
    }
    second_seed = normal(*shape) if second else None
    if second:
        case["secondSeed"] = stored(second_seed)
    case["train"] = run_layer(layer.train(), x, seed, second_seed)
    if "Norm" in kind and hasattr(layer, "track_running_stats"):
        case["stateAfter"] = {name: stored(t) for name, t in layer.state_dict().items()}
        case["eval"] = run_layer(layer.eval(), x, seed, second_seed)
    return case


def loss_case(kind, options, given, target):
    loss = getattr(torch.nn, kind)(**to_torch(options))
    x = given.float().double().requires_grad_()
    target = target.float().double() if target.is_floating_point() else target
    y = loss(x, target)
    seed = normal(*y.shape)
    (y * seed).sum().backward()
    return {"type": kind, "options": options, "input": stored(x), "target": stored(target), "seed": stored(seed),
            "output": stored(y), "inputGradient": stored(x.grad)}


def write(name, golden):
    """Writes the tables of `golden` to packages/gradus/test/golden/<name>.json, a case a line."""
    target = FOLDER / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(
        f'"{table}": ' + ("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]"
                          if isinstance(cases, list) else json.dumps(cases))
        for table, cases in golden.items())
    target.write_text("{\n" + lines + "\n}\n")
    print(f"{target.name}: {target.stat().st_size / 1024:.0f} KiB")
