"""Golden data for the operations of Gradus, from PyTorch: run with Debian's `/usr/bin/python3` (python3-torch).

    /usr/bin/python3 tools/golden_ops.py

writes packages/gradus/test/golden/ops.json and printing.json (at the end). In ops.json every case names a call of Gradus (`x.` a method of a tensor, `gd.` a
function, `graph.` a composition of the tests) with its arguments, and holds PyTorch's outputs, the gradients of
sum(w * output) and, where gradients depend on the inputs, the gradients of sum(v * gradient). The weightings w and v
are derived from the position (`weighting` below, and its twin in test/support/golden.ts).

Inputs are numbers of their dtype. Float results are computed in float64 from the float32 inputs, so that they are the
true values; each is also computed in float32, which gives the dtype and shows that the family's tolerance is what
float32 needs (printed at the end). Cases marked `native` are about the dtype itself (promotion, special values) and
hold what PyTorch computes in it.
"""

import json
import math
import os
import zlib

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.set_default_dtype(torch.float32)

INF, NAN = math.inf, math.nan
f32, f64, i32, u8, boolean = torch.float32, torch.float64, torch.int32, torch.uint8, torch.bool

cases = []
seen = set()
worst = {}


# Inputs ---------------------------------------------------------------------------------------------------------------


class Source:
    """Random inputs of one case, seeded by its name."""

    def __init__(self, name):
        self.generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def uniform(self, shape, low=-2.0, high=2.0, dtype=f32):
        x = torch.rand(shape, generator=self.generator, dtype=f64) * (high - low) + low
        return (torch.round(x * 1000) / 1000).to(dtype)  # three decimals keep the file small

    def distinct(self, shape, gap=0.07):
        """Shuffled numbers, no two nearer than half the gap: no ties in maxima and orders."""
        size = math.prod(shape)
        order = torch.randperm(size, generator=self.generator).to(f64)
        return (torch.round(((order - size / 2) * gap) * 1000) / 1000 + 0.011).reshape(shape).to(f32)

    def integers(self, shape, low, high, dtype=i32):
        return torch.randint(low, high, shape, generator=self.generator).to(dtype)

    def bools(self, shape):
        return torch.rand(shape, generator=self.generator) < 0.5


class T:
    """Stands for the i-th input among a call's arguments."""

    def __init__(self, i):
        self.i = i


# Writing --------------------------------------------------------------------------------------------------------------

DTYPES = {f32: "float32", f64: "float64", i32: "int32", torch.int64: "int32", u8: "uint8", boolean: "bool"}


def number(value, digits=9):
    if isinstance(value, bool) or isinstance(value, int):
        return int(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 and str(rounded) != "-0.0" else rounded


def stored(tensor, dtype=None):
    digits = 17 if (dtype or tensor.dtype) == f64 else 9
    data = [number(value, digits) for value in tensor.detach().reshape(-1).tolist()]
    return {"shape": list(tensor.shape), "dtype": DTYPES[dtype or tensor.dtype], "data": data}


def argument(value):
    if isinstance(value, T):
        return {"input": value.i}
    if isinstance(value, (list, tuple)):
        return [argument(entry) for entry in value]
    if isinstance(value, dict):
        return {key: argument(entry) for key, entry in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": number(value)}
    return value


# Cases ----------------------------------------------------------------------------------------------------------------


def weighting(shape, multiplier, offset, dtype):
    """Numbers of at most 8 bits between -1 and 1, never 0: exact in every float dtype."""
    i = torch.arange(math.prod(shape), dtype=torch.int64)
    return (((i * multiplier + offset) % 128 - 63.5) / 64).reshape(shape).to(dtype)


def differentiable(tensor):
    return tensor.dtype in (f32, f64)


def evaluate(fn, inputs, gradient, second):
    """Outputs, gradients and second gradients."""
    leaves = [x.clone().requires_grad_(gradient and differentiable(x)) for x in inputs]
    result = fn(*leaves)
    outputs = list(result) if isinstance(result, (list, tuple)) else [result]
    wanted = [x for x in leaves if x.requires_grad]
    graded = [(k, y) for k, y in enumerate(outputs) if y.requires_grad]
    if not gradient or not graded or not wanted:
        return outputs, None, None
    total = sum((y * weighting(y.shape, 37, 11 + 5 * k, y.dtype)).sum() for k, y in graded)
    gradients = torch.autograd.grad(total, wanted, create_graph=second, allow_unused=True)
    gradients = [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, gradients)]
    seconds = None
    again = [(k, g) for k, g in enumerate(gradients) if g.requires_grad]
    if second and again:
        total = sum((g * weighting(g.shape, 29, 5 + 3 * k, g.dtype)).sum() for k, g in again)
        seconds = torch.autograd.grad(total, wanted, allow_unused=True)
        seconds = [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, seconds)]
        if all(bool((g == 0).all()) for g in seconds):
            seconds = None
    return outputs, gradients, seconds


def note_error(family, kind, approximate, true):
    """How far PyTorch's own float32 is from the truth, in units of 1e-6 of the value plus of the largest value."""
    a, e = approximate.detach().to(f64).reshape(-1), true.detach().to(f64).reshape(-1)
    finite = torch.isfinite(e) & torch.isfinite(a)
    if not bool(finite.any()):
        return
    a, e = a[finite], e[finite]
    scale = float(e.abs().max())
    if scale == 0:
        return
    error = float(((a - e).abs() / (e.abs() + scale)).max()) / 1e-6
    key = (family, kind)
    if error > worst.get(key, (0.0, ""))[0]:
        worst[key] = (error, current[0])


current = [""]


def case(name, op, args, fn, inputs, family="map", gradient=True, second=True, native=False):
    assert name not in seen, name
    seen.add(name)
    current[0] = name
    gradient = gradient and any(differentiable(x) for x in inputs)
    outputs, gradients, seconds = evaluate(fn, inputs, gradient, second)
    kinds = [y.dtype for y in outputs]
    if not native:
        double = [x.to(f64) if x.dtype == f32 else x for x in inputs]
        true, true_gradients, true_seconds = evaluate(fn, double, gradient, second)
        for y, e in zip(outputs, true):
            if differentiable(y):
                note_error(family, "values", y, e)
        for g, e in zip(gradients or [], true_gradients or []):
            note_error(family, "gradients", g, e)
        for g, e in zip(seconds or [], true_seconds or []):
            note_error(family, "second", g, e)
        outputs, gradients, seconds = true, true_gradients, true_seconds
    record = {
        "name": name,
        "family": family,
        "op": op,
        "args": argument(args),
        "inputs": [stored(x) for x in inputs],
        "outputs": [stored(y, kind) for y, kind in zip(outputs, kinds)],
    }
    wanted = [x for x in inputs if differentiable(x)]
    if gradients is not None:
        record["gradients"] = [stored(g, x.dtype)["data"] for g, x in zip(gradients, wanted)]
    if seconds is not None:
        record["second"] = [stored(g, x.dtype)["data"] for g, x in zip(seconds, wanted)]
    cases.append(record)


# Maps of one tensor -----------------------------------------------------------------------------------------------------

UNARY = {
    # name in Gradus: (PyTorch, ordinary range)
    "neg": (torch.neg, (-2, 2)),
    "abs": (torch.abs, (-2, 2)),
    "sign": (torch.sign, (-2, 2)),
    "floor": (torch.floor, (-4, 4)),
    "ceil": (torch.ceil, (-4, 4)),
    "round": (torch.round, (-4, 4)),
    "trunc": (torch.trunc, (-4, 4)),
    "exp": (torch.exp, (-5, 5)),
    "expm1": (torch.expm1, (-2, 2)),
    "log": (torch.log, (0.05, 8)),
    "log1p": (torch.log1p, (-0.9, 5)),
    "log2": (torch.log2, (0.05, 8)),
    "log10": (torch.log10, (0.05, 8)),
    "sqrt": (torch.sqrt, (0.05, 8)),
    "rsqrt": (torch.rsqrt, (0.05, 8)),
    "square": (torch.square, (-2, 2)),
    "reciprocal": (torch.reciprocal, (0.3, 4)),
    "sin": (torch.sin, (-7, 7)),
    "cos": (torch.cos, (-7, 7)),
    "tan": (torch.tan, (-1.3, 1.3)),
    "tanh": (torch.tanh, (-4, 4)),
    "sigmoid": (torch.sigmoid, (-6, 6)),
    "erf": (torch.erf, (-3, 3)),
    "relu": (torch.relu, (-2, 2)),
}

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, INF, -INF, NAN, 1e-30, -1e-30, 1e-7, 30.0, -30.0, 88.0,
           -87.0, 100.0, -110.0, 1e30, -1e30, 12345.678, -12345.678, 16777217.0, 3.0e9]  # fmt: skip

for name, (fn, (low, high)) in UNARY.items():
    s = Source(name)
    case(name, f"x.{name}", [T(0)], fn, [s.uniform((3, 17), low, high)])
    large = name in ("sin", "cos", "tan")
    values = [v for v in SPECIAL if not (large and abs(v) > 2e4 and math.isfinite(v))]
    case(f"{name} of special values", f"x.{name}", [T(0)], fn, [torch.tensor(values)], gradient=False, native=True)
    case(f"{name} of float64", f"x.{name}", [T(0)], fn, [s.uniform((5,), low, high, f64)], native=True)
    # Nearer to 0 where that is allowed: far out, a gradient such as 1 - tanh(x)^2 has no larger element to be small beside.
    part = 4 if low < 0 else 1
    case(f"{name} of a scalar tensor", f"x.{name}", [T(0)], fn, [s.uniform((), low / part, high / part)])
    if name not in ("round", "floor", "ceil", "trunc", "rsqrt", "reciprocal", "log", "log2", "log10", "log1p"):
        ints = torch.tensor([-3, -1, 0, 1, 2, 5], dtype=i32) if low < 0 else torch.tensor([0, 1, 2, 5], dtype=i32)
        case(f"{name} of int32", f"x.{name}", [T(0)], fn, [ints], native=True)

case("relu at 0 has gradient 0", "x.relu", [T(0)], torch.relu, [torch.tensor([0.0, -1.0, 1.0, 0.0])])
case("abs at 0 has gradient 0", "x.abs", [T(0)], torch.abs, [torch.tensor([0.0, -1.0, 1.0])])

for dtype in (i32, u8, boolean, f64):
    kind = DTYPES[dtype]
    values = torch.tensor([0.0, 1.9, 200.4, 0.3, 3.0])
    case(f"to {kind}", "x.to", [T(0), kind], lambda x, dtype=dtype: x.to(dtype), [values], "exact", native=True)
case("to int32 of negative numbers truncates", "x.int", [T(0)], lambda x: x.to(i32), [torch.tensor([-1.9, -0.5, 7.99])], "exact", native=True)
case("to float32 of int32", "x.float", [T(0)], lambda x: x.float(), [torch.tensor([-7, 16777216, 16777217], dtype=i32)], "exact", native=True)
case("to float64 has a gradient", "x.double", [T(0)], lambda x: x.double(), [Source("double").uniform((4,))], "exact", native=True)
case("to bool of nan", "x.bool", [T(0)], lambda x: x.bool(), [torch.tensor([NAN, -0.0, INF, 0.25])], "exact", native=True)
case("to uint8 of int32 wraps", "x.to", [T(0), "uint8"], lambda x: x.to(u8), [torch.tensor([-1, 256, 255, 700], dtype=i32)], "exact", native=True)

# Maps of two tensors ----------------------------------------------------------------------------------------------------

BINARY = {
    # name: (PyTorch, range of the first, range of the second)
    "add": (torch.add, (-2, 2), (-2, 2)),
    "sub": (torch.sub, (-2, 2), (-2, 2)),
    "rsub": (torch.rsub, (-2, 2), (-2, 2)),
    "mul": (torch.mul, (-2, 2), (-2, 2)),
    "div": (torch.div, (-2, 2), (0.4, 3)),
    "pow": (torch.pow, (0.2, 3), (-2, 3)),
    "maximum": (torch.maximum, (-2, 2), (-2, 2)),
    "minimum": (torch.minimum, (-2, 2), (-2, 2)),
    "remainder": (torch.remainder, (-5, 5), (0.7, 2)),
    "floorDivide": (torch.floor_divide, (-5, 5), (0.7, 2)),
}
BROADCASTS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((2, 1, 3), (5, 1)), ((), (2, 3)), ((2, 3), ()), ((1, 1), (3,)), ((2, 0, 3), (3,))]

for name, (fn, first, second) in BINARY.items():
    for a, b in BROADCASTS:
        s = Source(f"{name}{a}{b}")
        differentiates = name != "floorDivide"
        title = f"{name} of {list(a)} and {list(b)}"
        case(title, f"x.{name}", [T(0), T(1)], fn, [s.uniform(a, *first), s.uniform(b, *second)], gradient=differentiates)
    s = Source(f"{name} number")
    if name not in ("maximum", "minimum"):
        for value in (2.5, 3):
            case(f"{name} with {value}", f"x.{name}", [T(0), value], lambda x, v=value, fn=fn: fn(x, v), [s.uniform((7,), *first)], gradient=name != "floorDivide")
    corners = torch.tensor([0.0, -0.0, 1.0, -2.0, INF, -INF, NAN, 3.5, -3.5])
    grid = [corners.reshape(-1, 1), corners.reshape(1, -1)]
    # PyTorch's remainder and floor division of infinities depend on the vector unit: only finite ones are compared.
    if name in ("remainder", "floorDivide"):
        finite = torch.tensor([1.0, -2.0, 3.5, -3.5, 7.0, -0.25])
        grid = [finite.reshape(-1, 1), finite.reshape(1, -1)]
    case(f"{name} of special values", f"x.{name}", [T(0), T(1)], fn, grid, gradient=False, native=True)

case("add with alpha", "x.add", [T(0), T(1), {"alpha": -1.5}], lambda a, b: torch.add(a, b, alpha=-1.5), [Source("alpha").uniform((3,)), Source("alphb").uniform((3,))])
case("sub with alpha", "x.sub", [T(0), 3, {"alpha": 2}], lambda a: torch.sub(a, 3, alpha=2), [Source("alpha").uniform((3,))])
for name in ("maximum", "minimum"):
    fn = getattr(torch, name)
    case(f"{name} of equal elements shares the gradient", f"x.{name}", [T(0), T(1)], fn, [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 3.0, 2.0])])

for exponent in (-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4):
    s = Source(f"pow{exponent}")
    case(f"pow {exponent}", "x.pow", [T(0), exponent], lambda x, p=exponent: x.pow(p), [s.uniform((6,), 0.3, 3)])
for exponent in (2, 3, 4, 0, 1):
    base = torch.tensor([-2.0, -0.5, 0.0, 1.5])
    case(f"pow {exponent} of negative numbers and 0", "x.pow", [T(0), exponent], lambda x, p=exponent: x.pow(p), [base])
case("pow of 0 to a tensor has finite gradients", "x.pow", [T(0), T(1)], torch.pow, [torch.tensor([0.0, 0.0, 2.0, 3.0]), torch.tensor([2.0, 3.0, 0.0, 1.0])], second=False)
case("pow of integers", "x.pow", [T(0), T(1)], torch.pow, [torch.tensor([-3, 2, 0, 7, 5], dtype=i32), torch.tensor([3, 10, 0, 1, 0], dtype=i32)], "exact", native=True)
case("pow of integers to a number", "x.pow", [T(0), 3], lambda x: x.pow(3), [torch.tensor([-3, 2, 0, 100], dtype=i32)], "exact", native=True)
case("pow of integers to half", "x.pow", [T(0), 0.5], lambda x: x.pow(0.5), [torch.tensor([1, 2, 9], dtype=i32)], native=True)

PAIRS = [(a, b) for i, a in enumerate((boolean, u8, i32, f32, f64)) for b in (boolean, u8, i32, f32, f64)[i:]]
for a, b in PAIRS:
    s = Source(f"promote {a} {b}")
    make = lambda dtype: s.bools((5,)) if dtype == boolean else s.integers((5,), 1, 9, dtype) if dtype in (u8, i32) else s.uniform((5,), 1, 3, dtype)
    left, right = make(a), make(b)
    title = f"{DTYPES[a]} and {DTYPES[b]}"
    case(f"add promotes {title}", "x.add", [T(0), T(1)], torch.add, [left, right], native=True)
    case(f"mul promotes {title}", "x.mul", [T(1), T(0)], lambda x, y: torch.mul(y, x), [left, right], native=True)
    case(f"eq compares {title}", "x.eq", [T(0), T(1)], torch.eq, [left, right], "exact", native=True)
    if b != boolean:
        case(f"div promotes {title}", "x.div", [T(0), T(1)], torch.div, [left, right], native=True)
        case(f"where promotes {title}", "gd.where", [T(2), T(0), T(1)], lambda x, y, c: torch.where(c, x.to(torch.promote_types(x.dtype, y.dtype)), y.to(torch.promote_types(x.dtype, y.dtype))), [left, right, s.bools((5,))], "exact", native=True)
        case(f"cat promotes {title}", "gd.cat", [[T(0), T(1)]], lambda x, y: torch.cat([x, y]), [left, right], "exact", native=True)
for dtype in (boolean, u8, i32, f32, f64):
    s = Source(f"promote number {dtype}")
    x = s.bools((4,)) if dtype == boolean else s.integers((4,), 1, 9, dtype) if dtype in (u8, i32) else s.uniform((4,), 1, 3, dtype)
    for value in (2, 0.5):
        case(f"{DTYPES[dtype]} times {value}", "x.mul", [T(0), value], lambda y, v=value: y * v, [x], native=True)
        case(f"{DTYPES[dtype]} plus {value}", "x.add", [T(0), value], lambda y, v=value: y + v, [x], native=True)
        case(f"{DTYPES[dtype]} divided by {value}", "x.div", [T(0), value], lambda y, v=value: y / v, [x], native=True)
        case(f"{DTYPES[dtype]} below {value}", "x.lt", [T(0), value], lambda y, v=value: y < v, [x], "exact", native=True)

signed = torch.tensor([7, -7, 7, -7, 0, 2147483647], dtype=i32)
divisors = torch.tensor([2, 2, -2, -2, 5, 10], dtype=i32)
case("floorDivide of integers", "x.floorDivide", [T(0), T(1)], lambda a, b: torch.div(a, b, rounding_mode="floor"), [signed, divisors], "exact", native=True)
case("remainder of integers", "x.remainder", [T(0), T(1)], torch.remainder, [signed, divisors], "exact", native=True)
case("int32 multiplication wraps", "x.mul", [T(0), T(0)], lambda a: a * a, [torch.tensor([65537, -70000, 46341], dtype=i32)], "exact", native=True)
case("uint8 addition wraps", "x.add", [T(0), T(1)], torch.add, [torch.tensor([250, 3], dtype=u8), torch.tensor([10, 4], dtype=u8)], "exact", native=True)
case("uint8 subtraction wraps", "x.sub", [T(0), T(1)], torch.sub, [torch.tensor([2, 9], dtype=u8), torch.tensor([10, 4], dtype=u8)], "exact", native=True)

# Comparisons, logic, selection -------------------------------------------------------------------------------------------

corners = torch.tensor([0.0, -0.0, 1.0, -2.0, INF, -INF, NAN])
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    fn = getattr(torch, name)
    case(f"{name} with broadcasting and special values", f"x.{name}", [T(0), T(1)], fn, [corners.reshape(-1, 1), corners], "exact", gradient=False)
    case(f"{name} of integers", f"x.{name}", [T(0), 3], lambda x, fn=fn: fn(x, 3), [torch.tensor([1, 3, 5], dtype=i32)], "exact")
    case(f"{name} with a number", f"x.{name}", [T(0), 0.5], lambda x, fn=fn: fn(x, 0.5), [torch.tensor([0.25, 0.5, 2.0])], "exact", gradient=False)
for name, fn in (("logicalAnd", torch.logical_and), ("logicalOr", torch.logical_or), ("logicalXor", torch.logical_xor)):
    case(name, f"x.{name}", [T(0), T(1)], fn, [torch.tensor([0.0, 2.0, NAN, 0.0]).reshape(4, 1), torch.tensor([True, False])], "exact", gradient=False)
for name, fn in (("logicalNot", torch.logical_not), ("isnan", torch.isnan), ("isinf", torch.isinf), ("isfinite", torch.isfinite)):
    case(name, f"x.{name}", [T(0)], fn, [corners], "exact", gradient=False)

s = Source("where")
case("where broadcasts three ways", "gd.where", [T(0), T(1), T(2)], torch.where, [s.bools((3, 1)), s.uniform((1, 4)), s.uniform((3, 4))])
case("where with numbers", "gd.where", [T(0), T(1), 2.5], lambda c, a: torch.where(c, a, torch.tensor(2.5, dtype=a.dtype)), [s.bools((5,)), s.uniform((5,))])
case("where as a method", "x.where", [T(1), T(0), T(2)], torch.where, [s.bools((5,)), s.uniform((5,)), s.uniform((5,))])
case("where keeps nan of the other branch out of values", "gd.where", [T(0), T(1), 0], lambda c, a: torch.where(c, a, torch.zeros((), dtype=a.dtype)), [torch.tensor([True, False]), torch.tensor([1.0, NAN])])
edges = torch.tensor([-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 2.0])
case("clamp", "x.clamp", [T(0), -1, 1], lambda x: x.clamp(-1, 1), [edges])
case("clamp below only", "x.clamp", [T(0), -0.5], lambda x: x.clamp(min=-0.5), [edges])
case("clamp of nan", "x.clamp", [T(0), -1, 1], lambda x: x.clamp(-1, 1), [torch.tensor([NAN, INF, -INF])], gradient=False)
case("clamp of integers", "x.clamp", [T(0), -1, 1], lambda x: x.clamp(-1, 1), [torch.tensor([-4, 0, 9], dtype=i32)], "exact")
case("maskedFill", "x.maskedFill", [T(0), T(1), -7.5], lambda x, m: x.masked_fill(m, -7.5), [s.uniform((2, 3)), s.bools((3,))])
case("maskedFill with a tensor", "x.maskedFill", [T(0), T(1), T(2)], lambda x, m, v: x.masked_fill(m, v), [s.uniform((2, 3)), s.bools((2, 1)), s.uniform(())])
case("maskedFill with -inf before softmax", "graph.maskedSoftmax", [T(0), T(1)], lambda x, m: x.masked_fill(m, -INF).softmax(-1), [s.uniform((3, 4)), torch.tensor([[False, True, False, True], [False] * 4, [True, True, True, False]])], "softmax")

# Reductions ---------------------------------------------------------------------------------------------------------------

DIMS = [("all", None, False), ("0", 0, False), ("1 kept", 1, True), ("-1", -1, False), ("0 and 2", [0, 2], False), ("-1 and 0 kept", [-1, 0], True), ("0, 1 and 2", [0, 1, 2], False)]


def reduce_args(dim, keep, **more):
    options = {**more, **({"keepdim": True} if keep else {})}
    tail = [] if not options else [options]
    # A dimension left out in front of options is undefined there: a list of all dimensions says the same.
    if dim is None:
        return [T(0)] if not tail else [T(0), [0, 1, 2], *tail]
    return [T(0), dim, *tail]


def over(fn):
    return lambda x, dim, keep: fn(x) if dim is None else fn(x, dim=dim, keepdim=keep)


def chained(fn):
    """PyTorch functions that take one dimension only, applied to several, the last one first."""

    def apply(x, dim, keep):
        axes = sorted((d % x.ndim for d in (range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim)), reverse=True)
        for axis in axes:
            x = fn(x, dim=axis, keepdim=keep)
        return x

    return apply


def every(dim, x):
    return list(range(x.ndim)) if dim is None else dim


REDUCTIONS = {
    "sum": over(torch.sum),
    "mean": over(torch.mean),
    "prod": chained(torch.prod),
    "amax": lambda x, dim, keep: torch.amax(x, dim=every(dim, x), keepdim=keep),
    "amin": lambda x, dim, keep: torch.amin(x, dim=every(dim, x), keepdim=keep),
    "var": lambda x, dim, keep: torch.var(x, dim=every(dim, x), unbiased=True, keepdim=keep),
    "std": lambda x, dim, keep: torch.std(x, dim=every(dim, x), unbiased=True, keepdim=keep),
    "any": chained(torch.any),
    "all": chained(torch.all),
    "logsumexp": lambda x, dim, keep: torch.logsumexp(x, dim=every(dim, x), keepdim=keep),
}
for name, fn in REDUCTIONS.items():
    for title, dim, keep in DIMS:
        if name == "logsumexp" and dim is None:
            continue
        s = Source(f"{name} {title}")
        extremum = name in ("amax", "amin")
        x = s.bools((2, 3, 4)) if name in ("any", "all") else s.distinct((2, 3, 4)) if extremum else s.uniform((2, 3, 4), 0.4, 1.7) if name == "prod" else s.uniform((3, 3, 4))
        case(f"{name} over {title}", f"x.{name}", reduce_args(dim, keep), lambda x, d=dim, k=keep, fn=fn: fn(x, d, k), [x], "reduction")
    s = Source(f"{name} long")
    if name not in ("any", "all", "prod"):
        case(f"{name} of a long row", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1, False), [s.distinct((2, 67), 0.03)], "reduction", second=False)

s = Source("more reductions")
x = s.uniform((3, 5))
for name in ("var", "std"):
    fn = getattr(torch, name)
    case(f"{name} with correction 0", f"x.{name}", [T(0), 1, {"correction": 0}], lambda x, fn=fn: fn(x, dim=1, unbiased=False), [x], "reduction")
    case(f"{name} of one element is nan", f"x.{name}", [T(0), 0], lambda x, fn=fn: fn(x, dim=0), [torch.tensor([[1.0, 2.0]])], "reduction", gradient=False)
case("var of a large offset", "x.var", [T(0), 0], lambda x: torch.var(x, dim=0), [s.uniform((40,)) + 100], "reduction", second=False)
case("sum of bool counts", "x.sum", [T(0)], lambda x: x.sum(), [s.bools((3, 4))], "exact")
case("sum of uint8 is wider", "x.sum", [T(0), 0], lambda x: x.sum(0), [torch.tensor([[200], [100]], dtype=u8)], "exact")
case("sum of int32", "x.sum", [T(0), 1, {"keepdim": True}], lambda x: x.sum(1, keepdim=True), [s.integers((2, 5), -9, 9)], "exact")
case("sum of an empty dimension", "x.sum", [T(0), 1], lambda x: x.sum(1), [torch.zeros((2, 0, 3))], "exact")
case("sum of a scalar", "x.sum", [T(0)], lambda x: x.sum(), [torch.tensor(2.5)])
case("prod of an empty dimension", "x.prod", [T(0), 0], lambda x: x.prod(0), [torch.zeros((0, 3))], "exact")
case("prod with one zero", "x.prod", [T(0), 1], lambda x: x.prod(1), [torch.tensor([[2.0, 0.0, 3.0], [1.0, 2.0, 4.0]])], "reduction")
case("prod with two zeros", "x.prod", [T(0)], lambda x: x.prod(), [torch.tensor([2.0, 0.0, 3.0, 0.0, 5.0])], "reduction")
case("prod of int32", "x.prod", [T(0)], lambda x: x.prod(), [torch.tensor([2, -3, 7], dtype=i32)], "exact")
case("mean of nan", "x.mean", [T(0), 0], lambda x: x.mean(0), [torch.tensor([[NAN, 1.0, INF], [1.0, 2.0, 3.0]])], "reduction", gradient=False)

tied = torch.tensor([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0], [-1.0, -4.0, 0.5, 0.5]])
for name in ("amax", "amin"):
    fn = getattr(torch, name)
    case(f"{name} of ties shares the gradient", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [tied], "reduction", second=False)
    case(f"{name} of nan is nan", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[NAN, 1.0], [2.0, NAN], [3.0, 4.0]])], "exact", gradient=False)
    case(f"{name} of infinities", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[-INF, -INF], [INF, 1.0]])], "exact", gradient=False)
    case(f"{name} of int32", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[-3, 7], [5, -2147483647]], dtype=i32)], "exact")
    case(f"{name} of uint8", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[3, 200], [255, 0]], dtype=u8)], "exact")
    case(f"{name} of bool", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[True, False], [True, True]])], "exact")
for name in ("max", "min"):
    fn = getattr(torch, name)
    case(f"{name} of everything", f"x.{name}", [T(0)], lambda x, fn=fn: fn(x), [Source(name).distinct((3, 4))], "reduction")
    case(f"{name} of everything shares the gradient of ties", f"x.{name}", [T(0)], lambda x, fn=fn: fn(x), [torch.tensor([2.0, -1.0, 2.0, -1.0])], "reduction", second=False)
    for dim in (0, 1, -1):
        case(f"{name} along {dim}", f"x.{name}", [T(0), dim], lambda x, d=dim, fn=fn: tuple(fn(x, d)), [Source(f"{name}{dim}").distinct((3, 4, 2))], "reduction")
    case(f"{name} along a dimension, kept", f"x.{name}", [T(0), 1, {"keepdim": True}], lambda x, fn=fn: tuple(fn(x, 1, keepdim=True)), [Source(f"{name}k").distinct((3, 4))], "reduction")
    case(f"{name} along a dimension takes the first of ties", f"x.{name}", [T(0), 1], lambda x, fn=fn: tuple(fn(x, 1)), [tied], "reduction", second=False)
    case(f"{name} along a dimension of nan", f"x.{name}", [T(0), 1], lambda x, fn=fn: tuple(fn(x, 1)), [torch.tensor([[1.0, NAN, 3.0], [2.0, 4.0, 1.0]])], "exact", gradient=False)
    case(f"{name} along a dimension of int32", f"x.{name}", [T(0), 0], lambda x, fn=fn: tuple(fn(x, 0)), [torch.tensor([[1, 7], [3, -9]], dtype=i32)], "exact")
for name in ("argmax", "argmin"):
    fn = getattr(torch, name)
    case(f"{name} of everything", f"x.{name}", [T(0)], lambda x, fn=fn: fn(x), [Source(name).distinct((3, 4))], "exact", gradient=False)
    case(f"{name} of ties is the first", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [tied], "exact", gradient=False)
    case(f"{name} of nan", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[1.0, NAN, 3.0], [2.0, 4.0, 1.0]])], "exact", gradient=False)
    case(f"{name} kept", f"x.{name}", [T(0), 0, {"keepdim": True}], lambda x, fn=fn: fn(x, 0, keepdim=True), [Source(name).distinct((3, 4))], "exact", gradient=False)
    case(f"{name} of uint8", f"x.{name}", [T(0), 0], lambda x, fn=fn: fn(x, 0), [torch.tensor([3, 200, 0, 255], dtype=u8)], "exact")
    case(f"{name} of infinities", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[-INF, -INF], [1.0, INF]])], "exact", gradient=False)
case("any of floats", "x.any", [T(0), 1], lambda x: x.any(1), [torch.tensor([[0.0, -0.0], [0.0, 0.5], [NAN, 0.0]])], "exact", gradient=False)
case("all of integers", "x.all", [T(0)], lambda x: x.all(), [torch.tensor([1, 2, 0], dtype=i32)], "exact")
case("any of nothing", "x.any", [T(0), 1], lambda x: x.any(1), [torch.zeros((2, 0), dtype=boolean)], "exact")
case("all of nothing", "x.all", [T(0), 1], lambda x: x.all(1), [torch.zeros((2, 0), dtype=boolean)], "exact")

for p in (0, 1, 2, 3, 2.5, INF, -INF):
    title = f"norm of order {p}"
    x = Source(title).distinct((3, 4))
    order = p
    case(title, "x.norm", [T(0), p], lambda x, p=p: torch.linalg.vector_norm(x, p), [x], "reduction")
    case(f"{title} along 1", "x.norm", [T(0), p, 1], lambda x, p=p: torch.linalg.vector_norm(x, p, dim=1), [x], "reduction")
    case(f"{title} along both, kept", "x.norm", [T(0), p, [0, 1], {"keepdim": True}], lambda x, p=p: torch.linalg.vector_norm(x, p, dim=(0, 1), keepdim=True), [x], "reduction")
case("norm by default is of order 2", "x.norm", [T(0)], lambda x: x.norm(), [Source("n").uniform((5,))], "reduction")
case("norm of zeros has gradient 0", "x.norm", [T(0), 2, 1], lambda x: torch.linalg.vector_norm(x, 2, dim=1), [torch.tensor([[0.0, 0.0], [3.0, 4.0]])], "reduction", second=False)

s = Source("softmax")
for dim in (0, 1, -1):
    for name, fn in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
        case(f"{name} along {dim}", f"x.{name}", [T(0), dim], lambda x, d=dim, fn=fn: fn(x, d), [s.uniform((3, 4, 2), -3, 3)], "softmax")
for name, fn in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax), ("logsumexp", torch.logsumexp)):
    case(f"{name} of large numbers", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[1000.0, 999.0, -1000.0], [-2000.0, -2001.0, -2003.0]])], "softmax", second=False)
    case(f"{name} with -inf", f"x.{name}", [T(0), 1], lambda x, fn=fn: fn(x, 1), [torch.tensor([[1.0, -INF, 0.5], [-INF, -INF, 2.0]])], "softmax", second=False, gradient=name != "logSoftmax")
case("logsumexp of nothing but -inf", "x.logsumexp", [T(0), 1], lambda x: torch.logsumexp(x, 1), [torch.tensor([[-INF, -INF], [0.0, 1.0]])], "softmax", second=False)
case("logsumexp with inf", "x.logsumexp", [T(0), 1], lambda x: torch.logsumexp(x, 1), [torch.tensor([[INF, 1.0], [NAN, 1.0]])], "softmax", gradient=False)

# Contractions ---------------------------------------------------------------------------------------------------------------

MATMULS = [((5,), (5,)), ((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (4,)), ((4,), (2, 4, 5)), ((2, 1, 3, 4), (1, 5, 4, 2)), ((5, 3, 4), (2, 1, 4, 3)), ((1, 1), (1, 1)), ((1, 7), (7, 1)), ((7, 1), (1, 7)), ((1, 3, 4), (2, 4, 1)), ((2, 0), (0, 3)), ((17, 33), (33, 9))]
for a, b in MATMULS:
    s = Source(f"matmul{a}{b}")
    case(f"matmul of {list(a)} and {list(b)}", "x.matmul", [T(0), T(1)], torch.matmul, [s.uniform(a), s.uniform(b)], "contraction")
s = Source("contractions")
case("matmul as gd.matmul", "gd.matmul", [T(0), T(1)], torch.matmul, [s.uniform((2, 3)), s.uniform((3, 2))], "contraction")
case("mm", "x.mm", [T(0), T(1)], torch.mm, [s.uniform((2, 3)), s.uniform((3, 2))], "contraction")
case("bmm", "x.bmm", [T(0), T(1)], torch.bmm, [s.uniform((2, 2, 3)), s.uniform((2, 3, 2))], "contraction")
case("dot", "x.dot", [T(0), T(1)], torch.dot, [s.uniform((6,)), s.uniform((6,))], "contraction")
case("outer", "x.outer", [T(0), T(1)], torch.outer, [s.uniform((3,)), s.uniform((4,))], "contraction")
case("matmul of float64", "x.matmul", [T(0), T(1)], torch.matmul, [s.uniform((2, 3), dtype=f64), s.uniform((3, 2), dtype=f64)], "contraction", native=True)
case("matmul of int32", "x.matmul", [T(0), T(1)], torch.matmul, [s.integers((2, 3), -9, 9), s.integers((3, 2), -9, 9)], "exact")
case("matmul of transposed operands", "graph.matmulTransposed", [T(0), T(1)], lambda a, b: a.t() @ b.transpose(0, 1), [s.uniform((4, 3)), s.uniform((5, 4))], "contraction")
case("matmul of one tensor with itself", "graph.gram", [T(0)], lambda a: a @ a.t(), [s.uniform((3, 4))], "contraction")

EINSUMS = [
    ("ij->ji", [(2, 3)]), ("ij->", [(2, 3)]), ("ij->i", [(2, 3)]), ("ii->i", [(3, 3)]), ("ii->", [(3, 3)]),
    ("iji->ij", [(3, 2, 3)]), ("iij->ji", [(3, 3, 2)]), ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk", [(2, 3), (3, 4)]),
    ("ji,jk", [(3, 2), (3, 4)]), ("ba", [(2, 3)]), ("i,i->", [(4,), (4,)]), ("i,j->ij", [(2,), (3,)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]), ("...ij,...jk->...ik", [(2, 3, 4), (4, 2)]),
    ("...ij,...jk", [(2, 1, 3, 4), (3, 4, 2)]), ("...->...", [(2, 3)]), ("i...->...i", [(2, 3, 4)]),
    ("b...c,cd->b...d", [(2, 3, 2, 4), (4, 5)]), ("ij,ij->ij", [(2, 3), (2, 3)]), ("ij,kl->ijkl", [(2, 2), (2, 3)]),
    ("ij,j,k->ik", [(2, 3), (3,), (4,)]), ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 2)]), ("bn,anm,bm->ba", [(2, 3), (4, 3, 2), (2, 2)]),
    ("bhqd,bhkd->bhqk", [(1, 2, 3, 4), (1, 2, 5, 4)]), ("ii,i->i", [(3, 3), (3,)]), ("ijk,ijk->", [(2, 2, 3), (2, 2, 3)]),
    ("i , j -> j i", [(2,), (3,)]), ("abc,cd->dab", [(2, 3, 4), (4, 2)]), ("ab,ab,ab->b", [(2, 3), (2, 3), (2, 3)]),
    ("...i,...i->...", [(2, 3), (3,)]), ("ik,kj,k->ij", [(2, 3), (3, 2), (3,)]),
]  # fmt: skip
for equation, shapes in EINSUMS:
    s = Source(f"einsum {equation}")
    operands = [s.uniform(shape) for shape in shapes]
    case(f"einsum {equation} of {shapes}", "gd.einsum", [equation, *[T(i) for i in range(len(shapes))]], lambda *xs, e=equation: torch.einsum(e, *xs), operands, "contraction")

# Views ------------------------------------------------------------------------------------------------------------------------


def view(name, op, args, fn, shape, **options):
    case(name, op, [T(0), *args], fn, [Source(name).uniform(shape)], "view", second=False, **options)


view("reshape", "x.reshape", [4, 6], lambda x: x.reshape(4, 6), (2, 3, 4))
view("reshape with -1", "x.reshape", [[2, -1]], lambda x: x.reshape(2, -1), (2, 3, 4))
view("reshape to a scalar", "x.reshape", [[]], lambda x: x.reshape(()), (1, 1))
view("reshape of nothing", "x.reshape", [3, 0], lambda x: x.reshape(3, 0), (0, 2))
view("view", "x.view", [3, 8], lambda x: x.view(3, 8), (2, 3, 4))
view("permute", "x.permute", [2, 0, 1], lambda x: x.permute(2, 0, 1), (2, 3, 4))
view("permute with negative dimensions", "x.permute", [[-1, 0, -2]], lambda x: x.permute(-1, 0, -2), (2, 3, 4))
view("reshape after permute", "graph.reshapeAfterPermute", [], lambda x: x.permute(1, 2, 0).reshape(6, 4), (2, 3, 4))
view("transpose", "x.transpose", [0, -1], lambda x: x.transpose(0, -1), (2, 3, 4))
view("t", "x.t", [], lambda x: x.t(), (2, 3))
view("T", "graph.T", [], lambda x: x.T, (2, 3))
view("unsqueeze in front", "x.unsqueeze", [0], lambda x: x.unsqueeze(0), (2, 3))
view("unsqueeze at the end", "x.unsqueeze", [-1], lambda x: x.unsqueeze(-1), (2, 3))
view("squeeze", "x.squeeze", [], lambda x: x.squeeze(), (1, 2, 1, 3))
view("squeeze of one dimension", "x.squeeze", [2], lambda x: x.squeeze(2), (1, 2, 1, 3))
view("squeeze of a dimension that is not 1", "x.squeeze", [1], lambda x: x.squeeze(1), (1, 2))
view("flatten", "x.flatten", [], lambda x: x.flatten(), (2, 3, 4))
view("flatten from 1", "x.flatten", [1], lambda x: x.flatten(1), (2, 3, 4))
view("flatten of the middle", "x.flatten", [1, 2], lambda x: x.flatten(1, 2), (2, 3, 4, 2))
view("flatten of a scalar", "x.flatten", [], lambda x: x.flatten(), ())
view("unflatten", "x.unflatten", [1, [2, -1]], lambda x: x.unflatten(1, (2, 3)), (2, 6))
view("expand", "x.expand", [3, 4], lambda x: x.expand(3, 4), (3, 1))
view("expand with new dimensions and -1", "x.expand", [2, -1, 4], lambda x: x.expand(2, -1, 4), (3, 1))
view("repeat", "x.repeat", [2, 3], lambda x: x.repeat(2, 3), (2, 3))
view("repeat with new dimensions", "x.repeat", [[3, 1, 2]], lambda x: x.repeat(3, 1, 2), (2, 3))
view("flip", "x.flip", [[0, -1]], lambda x: x.flip([0, -1]), (2, 3, 4))
view("flip of one dimension", "x.flip", [1], lambda x: x.flip([1]), (2, 3))
view("roll", "x.roll", [2, 1], lambda x: x.roll(2, 1), (2, 5))
view("roll backwards", "x.roll", [-3, 0], lambda x: x.roll(-3, 0), (4, 2))
view("roll by more than there is", "x.roll", [7, 0], lambda x: x.roll(7, 0), (3, 2))
view("narrow", "x.narrow", [1, 1, 2], lambda x: x.narrow(1, 1, 2), (2, 4))
view("narrow from the end", "x.narrow", [-1, -3, 2], lambda x: x.narrow(-1, -3, 2), (2, 4))
view("select", "x.select", [1, -1], lambda x: x.select(1, -1), (2, 3, 4))
view("slice with step", "x.slice", [1, 1, 8, 3], lambda x: x[:, 1:8:3], (2, 9))
view("slice from the end", "x.slice", [0, -3], lambda x: x[-3:], (5, 2))
view("unfold", "x.unfold", [1, 3, 2], lambda x: x.unfold(1, 3, 2), (2, 8))
view("unfold with overlap", "x.unfold", [0, 3, 1], lambda x: x.unfold(0, 3, 1), (5, 2))
view("unfold with gaps", "x.unfold", [-1, 2, 3], lambda x: x.unfold(-1, 2, 3), (2, 9))
view("pad", "x.pad", [[1, 2, 0, 3], 1.5], lambda x: F.pad(x, (1, 2, 0, 3), value=1.5), (2, 3))
view("pad with negative amounts crops", "x.pad", [[-1, 2, 1, -1]], lambda x: F.pad(x, (-1, 2, 1, -1)), (3, 4))
view("pad of an outer dimension", "x.pad", [[0, 0, 2, 1]], lambda x: F.pad(x, (0, 0, 2, 1)), (2, 3, 2))
view("split", "x.split", [2, 1], lambda x: x.split(2, 1), (2, 5))
view("split into lengths", "x.split", [[1, 3, 1], 1], lambda x: x.split([1, 3, 1], 1), (2, 5))
view("chunk", "x.chunk", [3, 0], lambda x: x.chunk(3, 0), (7, 2))
view("chunk into more than there is", "x.chunk", [4, 0], lambda x: x.chunk(4, 0), (3, 2))

s = Source("joins")
case("cat", "gd.cat", [[T(0), T(1), T(2)], 1], lambda a, b, c: torch.cat([a, b, c], 1), [s.uniform((2, 1)), s.uniform((2, 3)), s.uniform((2, 2))], "view", second=False)
case("cat along the first dimension", "gd.cat", [[T(0), T(1)]], lambda a, b: torch.cat([a, b]), [s.uniform((2, 2, 2)), s.uniform((1, 2, 2))], "view", second=False)
case("cat along -1 of a tensor with itself", "gd.cat", [[T(0), T(0)], -1], lambda a: torch.cat([a, a], -1), [s.uniform((2, 2))], "view", second=False)
case("cat with an empty piece", "gd.cat", [[T(0), T(1)], 1], lambda a, b: torch.cat([a, b], 1), [s.uniform((2, 0)), s.uniform((2, 2))], "view", second=False)
case("stack", "gd.stack", [[T(0), T(1)], 1], lambda a, b: torch.stack([a, b], 1), [s.uniform((2, 3)), s.uniform((2, 3))], "view", second=False)
case("stack at the end", "gd.stack", [[T(0), T(1)], -1], lambda a, b: torch.stack([a, b], -1), [s.uniform((2, 3)), s.uniform((2, 3))], "view", second=False)
case("stack of scalars", "gd.stack", [[T(0), T(1)]], lambda a, b: torch.stack([a, b]), [s.uniform(()), s.uniform(())], "view", second=False)

# Indexing ---------------------------------------------------------------------------------------------------------------------


def python_index(entries, inputs):
    def one(entry):
        if isinstance(entry, T):
            chosen = inputs[entry.i]
            return chosen if chosen.dtype == boolean else chosen.long()
        if entry == "...":
            return Ellipsis
        if isinstance(entry, str):
            return slice(*[int(part) if part.strip() else None for part in entry.split(":")])
        return entry

    return tuple(one(entry) for entry in entries)


def describe(entries):
    return "[" + ", ".join("tensor" if isinstance(e, T) else "null" if e is None else str(e) for e in entries) + "]"


def indexed(shape, entries, indices=(), title=None):
    name = title or f"index {describe(entries)} of {list(shape)}"
    inputs = [Source(name).uniform(shape), *indices]
    case(name, "x.index", [T(0), *entries], lambda *xs: xs[0][python_index(entries, xs)], inputs, "index", second=False)


for shape, entries in [
    ((4, 5), [1]), ((4, 5), [-1]), ((4, 5), [1, -2]), ((4, 5), ["1:3"]), ((4, 5), [":", "1:-1"]), ((4, 5), ["::2", "1::3"]),
    ((4, 5), [None, 2]), ((4, 5), [":", None]), ((2, 3, 4), ["...", 1]), ((2, 3, 4), [0, "...", "1:"]), ((2, 3, 4), ["...", None]),
    ((2, 3, 4), [None, "...", 0, None]), ((4, 5), ["3:1"]), ((4, 5), ["-100:100"]), ((2, 3, 4), [1, ":", "::3"]), ((4, 5), ["..."]), ((3,), [0]), ((4, 5), ["-2:", ":-3"]),
]:  # fmt: skip
    indexed(shape, entries)
for name, entries, fn in [
    ("a negative step reverses", ["::-1"], lambda x: x.flip([0])),
    ("a negative step with bounds", [":", "4:0:-2"], lambda x: x[:, [4, 2]]),
    ("a negative step from the end", ["-1:-4:-1"], lambda x: x[[3, 2, 1]]),
    ("a negative step that selects nothing", ["1:3:-1"], lambda x: x[3:1]),
]:
    case(name, "x.index", [T(0), *entries], fn, [Source(name).uniform((4, 5))], "index", second=False)

ints = lambda *values: torch.tensor(values, dtype=i32)
indexed((4, 5), [T(1)], [ints(2, 0, 2)], "index by an integer tensor with repeats")
indexed((4, 5), [T(1)], [torch.tensor([[0, -1], [2, 2]], dtype=i32)], "index by a matrix of integers, some negative")
indexed((4, 5), [":", T(1)], [ints(4, 0, 0)], "index of the second dimension")
indexed((4, 5), [T(1), T(2)], [ints(0, 1, 3), ints(4, -1, 2)], "index by two integer tensors")
indexed((4, 5), [T(1), T(2)], [torch.tensor([[0], [3]], dtype=i32), ints(1, 2, 2)], "index by two tensors that broadcast")
indexed((2, 3, 4), [":", T(1), T(2)], [ints(0, 2), ints(3, 1)], "index of neighbouring dimensions stays in place")
indexed((2, 3, 4), [T(1), ":", T(2)], [ints(0, 1, 1), ints(3, 1, 0)], "index of separated dimensions moves to the front")
indexed((2, 3, 4), [T(1), "1:", T(2)], [ints(1, 0), ints(2, -4)], "index of separated dimensions with a slice between")
indexed((2, 3, 4), ["...", T(1)], [ints(3, 3, 0)], "index by a tensor after an ellipsis")
indexed((2, 3, 4), [1, T(1)], [ints(2, 0)], "index by a number and a tensor")
indexed((2, 3, 4), [T(1), 1], [ints(1, 0)], "index by a tensor and a number")
indexed((2, 3, 4), [1, ":", T(1)], [ints(2, 0)], "index by a number, a slice and a tensor")
indexed((2, 3, 4), [":", None, T(1)], [ints(2, 0)], "index by null and a tensor")
indexed((2, 3, 4), [T(1), None, T(2)], [ints(1, 0), ints(2, 0)], "index by tensors with null between")
indexed((2, 3, 4, 2), [T(1), ":", ":", T(2)], [ints(1, 0), ints(1, 1)], "index of the first and last dimension")
indexed((5,), [T(1)], [torch.tensor(2, dtype=i32)], "index by an integer scalar tensor")
indexed((5, 2), [T(1)], [torch.tensor([], dtype=i32)], "index by an empty tensor")
indexed((3, 4), [T(1)], [torch.tensor([True, False, True])], "index by a bool tensor")
indexed((3, 4), [T(1)], [Source("mask").bools((3, 4))], "index by a bool matrix")
indexed((2, 3, 4), [":", T(1)], [torch.tensor([[True, False, True, False], [False] * 4, [True] * 4])], "index by a bool matrix after a slice")
indexed((3, 4), [":", T(1)], [torch.tensor([False, True, True, False])], "index by a bool tensor after a slice")
indexed((3, 4), [T(1)], [torch.tensor([False] * 3)], "index by a bool tensor that selects nothing")
indexed((3, 4), [T(1), T(2)], [torch.tensor([True, False, True]), ints(0, 3)], "index by a bool and an integer tensor")

s = Source("gathers")
case("gather", "x.gather", [T(0), 1, T(1)], lambda x, i: x.gather(1, i.long()), [s.uniform((3, 4)), s.integers((3, 2), 0, 4)], "index", second=False)
case("gather with repeats along 0", "x.gather", [T(0), 0, T(1)], lambda x, i: x.gather(0, i.long()), [s.uniform((3, 4)), s.integers((5, 4), 0, 3)], "index", second=False)
case("gather with a shorter index", "x.gather", [T(0), -1, T(1)], lambda x, i: x.gather(-1, i.long()), [s.uniform((3, 4)), s.integers((2, 6), 0, 4)], "index", second=False)
case("gather of integers", "x.gather", [T(0), 0, T(1)], lambda x, i: x.gather(0, i.long()), [s.integers((4,), -9, 9), s.integers((3,), 0, 4)], "exact")
case("scatterAdd with repeated indices", "x.scatterAdd", [T(0), 0, T(1), T(2)], lambda x, i, v: x.scatter_add(0, i.long(), v), [s.uniform((3, 4)), s.integers((5, 4), 0, 3), s.uniform((5, 4))], "index", second=False)
case("scatterAdd along 1", "x.scatterAdd", [T(0), 1, T(1), T(2)], lambda x, i, v: x.scatter_add(1, i.long(), v), [s.uniform((2, 3)), torch.tensor([[0, 0, 2, 0], [1, 2, 1, 1]], dtype=i32), s.uniform((2, 4))], "index", second=False)
case("scatterAdd with a shorter index", "x.scatterAdd", [T(0), 0, T(1), T(2)], lambda x, i, v: x.scatter_add(0, i.long(), v[:2, :2]), [s.uniform((3, 4)), s.integers((2, 2), 0, 3), s.uniform((4, 3))], "index", second=False)
case("scatterAdd of integers", "x.scatterAdd", [T(0), 0, T(1), T(2)], lambda x, i, v: x.scatter_add(0, i.long(), v), [s.integers((3,), 0, 5), ints(0, 0, 2, 0), s.integers((4,), 0, 5)], "exact")
case("indexSelect", "x.indexSelect", [T(0), 1, T(1)], lambda x, i: x.index_select(1, i.long()), [s.uniform((2, 4, 3)), ints(3, 0, 3)], "index", second=False)
case("maskedSelect", "x.maskedSelect", [T(0), T(1)], lambda x, m: x.masked_select(m), [s.uniform((3, 4)), s.bools((3, 1))], "index", second=False)
case("nonzero", "x.nonzero", [T(0)], lambda x: x.nonzero(), [torch.tensor([[0.0, 1.5], [-2.0, 0.0], [0.0, 0.0]])], "exact", gradient=False)


def put(name, entries, shape, value, indices=()):
    """x[entries] = value: a number, or an input behind x and before the indices."""
    numeric = isinstance(value, (int, float))
    inputs = [Source(name).uniform(shape), *([] if numeric else [value]), *indices]

    def fn(*xs):
        y = xs[0].clone()
        y[python_index(entries, xs)] = value if numeric else xs[1]
        return y

    case(name, "graph.indexPut", [T(0), list(entries), value if numeric else T(1)], fn, inputs, "index", second=False)


put("indexPut_ of a number at a slice", ["1:3"], (4, 3), 7.5)
put("indexPut_ of a number at a position", [2, -1], (4, 3), -1)
put("indexPut_ of a tensor that broadcasts", [":", "::2"], (4, 3), s.uniform((2,)))
put("indexPut_ of a tensor at a row", [1], (4, 3), s.uniform((3,)))
put("indexPut_ by an integer tensor", [T(2)], (4, 3), s.uniform((2, 3)), [ints(3, 0)])
put("indexPut_ by a negative integer tensor", [":", T(2)], (4, 3), s.uniform((4, 2)), [ints(-1, 0)])
put("indexPut_ by two integer tensors", [T(2), T(3)], (4, 3), s.uniform((3,)), [ints(3, 0, 1), ints(2, 2, 0)])
put("indexPut_ by a bool tensor", [T(2)], (4, 3), s.uniform((3,)), [torch.tensor([True, False, False, True])])
put("indexPut_ of a number by a bool matrix", [T(1)], (3, 2), 0.5, [torch.tensor([[True, False], [False, True], [True, True]])])
put("indexPut_ of everything", ["..."], (2, 3), s.uniform((3,)))

# Order --------------------------------------------------------------------------------------------------------------------------

s = Source("order")
for descending in (False, True):
    title = "descending" if descending else "ascending"
    options = {"descending": descending}
    case(f"sort {title}", "x.sort", [T(0), -1, options], lambda x, d=descending: tuple(x.sort(-1, descending=d)), [s.distinct((3, 7))], "index", second=False)
    case(f"sort {title} along 0", "x.sort", [T(0), 0, options], lambda x, d=descending: tuple(x.sort(0, descending=d)), [s.distinct((5, 2, 2))], "index", second=False)
    case(f"sort {title} is stable", "x.sort", [T(0), 0, options], lambda x, d=descending: tuple(torch.sort(x, stable=True, dim=0, descending=d)), [torch.tensor([2.0, 1.0, 2.0, 1.0, 3.0, 1.0, 2.0])], "index", second=False)
    case(f"sort {title} with nan and infinities", "x.sort", [T(0), 0, options], lambda x, d=descending: tuple(torch.sort(x, stable=True, dim=0, descending=d)), [torch.tensor([1.0, NAN, -INF, 0.0, INF, NAN, -1.0])], "exact", gradient=False)
    case(f"sort {title} of int32", "x.sort", [T(0), 0, options], lambda x, d=descending: tuple(torch.sort(x, stable=True, dim=0, descending=d)), [torch.tensor([5, -2, 5, 2147483647, -2147483648], dtype=i32)], "exact")
    case(f"argsort {title}", "x.argsort", [T(0), 1, options], lambda x, d=descending: x.argsort(1, descending=d), [s.distinct((3, 4))], "exact", gradient=False)
case("sort of a long row", "x.sort", [T(0)], lambda x: tuple(x.sort()), [s.distinct((1, 65))], "index", second=False)
case("topk", "x.topk", [T(0), 3], lambda x: tuple(x.topk(3)), [s.distinct((2, 6))], "index", second=False)
case("topk of the smallest along 0", "x.topk", [T(0), 2, 0, {"largest": False}], lambda x: tuple(x.topk(2, 0, largest=False)), [s.distinct((5, 3))], "index", second=False)
for dim in (0, 1, -1):
    case(f"cumsum along {dim}", "x.cumsum", [T(0), dim], lambda x, d=dim: x.cumsum(d), [s.uniform((3, 4, 5))], "reduction", second=False)
case("cumsum of int32", "x.cumsum", [T(0), 0], lambda x: x.cumsum(0), [s.integers((6,), -9, 9)], "exact")
case("cumsum of bool", "x.cumsum", [T(0), 0], lambda x: x.cumsum(0), [s.bools((6,))], "exact")
case("cumsum of uint8", "x.cumsum", [T(0), 0], lambda x: x.cumsum(0), [torch.tensor([200, 100, 7], dtype=u8)], "exact")

# Creation -----------------------------------------------------------------------------------------------------------------------

case("sort of a scalar", "x.sort", [T(0)], lambda x: tuple(x.sort()), [torch.tensor(2.5)], "index")
case("topk of a scalar", "x.topk", [T(0), 1], lambda x: tuple(x.topk(1)), [torch.tensor(2.5)], "index")
case("gather of a scalar", "x.gather", [T(0), 0, T(1)], lambda x, i: x.gather(0, i.long()), [torch.tensor(2.5), torch.tensor(0, dtype=i32)], "index")
case("roll of a scalar", "x.roll", [T(0), 1, 0], lambda x: x.clone(), [torch.tensor(2.5)], "index")
case("oneHot", "gd.oneHot", [T(0), 4], lambda x: F.one_hot(x.long(), 4).float(), [torch.tensor([[1, 0], [3, 2]], dtype=i32)], "exact")
for name, args, value in [
    ("eye", [3], torch.eye(3)), ("eye wide", [2, 4], torch.eye(2, 4)), ("eye tall int32", [3, 2, {"dtype": "int32"}], torch.eye(3, 2, dtype=i32)),
    ("arange", [5], torch.arange(5)), ("arange from to", [2, 7], torch.arange(2, 7)), ("arange with step", [1, 10, 3], torch.arange(1, 10, 3)),
    ("arange downwards", [5, 0, -2], torch.arange(5, 0, -2)), ("arange of fractions", [0, 1, 0.25], torch.arange(0, 1, 0.25)),
    ("arange of nothing", [3, 1], torch.arange(3, 1) if False else torch.zeros(0, dtype=i32)), ("arange from a fraction", [0.5, 4], torch.arange(0.5, 4)),
    ("arange float64", [0, 4, 1, {"dtype": "float64"}], torch.arange(4, dtype=f64)),
    ("arange of fractions in float64", [0, 1, 0.1, {"dtype": "float64"}], torch.arange(0, 1, 0.1, dtype=f64)),
    ("linspace", [-1, 1, 5], torch.linspace(-1, 1, 5)), ("linspace of one", [3, 9, 1], torch.linspace(3, 9, 1)), ("linspace float64", [0, 1, 7, {"dtype": "float64"}], torch.linspace(0, 1, 7, dtype=f64)),
    ("zeros", [[2, 3]], torch.zeros(2, 3)), ("ones of bool", [[3], {"dtype": "bool"}], torch.ones(3, dtype=boolean)), ("full", [[2, 2], 1.5], torch.full((2, 2), 1.5)), ("full int32", [[2], -3, {"dtype": "int32"}], torch.full((2,), -3, dtype=i32)),
    ("full inf", [[2], INF], torch.full((2,), INF)), ("zeros of no dimensions", [[]], torch.zeros(())), ("ones of nothing", [[0, 2]], torch.ones(0, 2)),
]:  # fmt: skip
    case(name, f"gd.{name.split()[0]}", args, lambda value=value: value, [], "reduction", native=True)
case("zerosLike", "gd.zerosLike", [T(0)], torch.zeros_like, [ints(1, 2)], "exact")
case("onesLike", "gd.onesLike", [T(0)], torch.ones_like, [torch.tensor([1.5, 2.5], dtype=f64)], "exact", gradient=False, native=True)
case("fullLike", "gd.fullLike", [T(0), 2.5], lambda x: torch.full_like(x, 2.5), [torch.tensor([[1.5]])], "exact", gradient=False)

# Convolution and pooling ----------------------------------------------------------------------------------------------------------

CONVS = [
    # title, input, weight, stride, padding, dilation, groups
    ("conv1d", (2, 3, 8), (4, 3, 3), [1], [0], [1], 1),
    ("conv1d with stride 2 and padding", (1, 2, 9), (3, 2, 4), [2], [2], [1], 1),
    ("conv1d with dilation", (1, 2, 10), (2, 2, 3), [1], [1], [3], 1),
    ("conv1d depthwise", (2, 4, 6), (4, 1, 3), [1], [1], [1], 4),
    ("conv2d 3x3 with padding", (2, 2, 5, 5), (3, 2, 3, 3), [1, 1], [1, 1], [1, 1], 1),
    ("conv2d 1x1", (2, 3, 3, 4), (4, 3, 1, 1), [1, 1], [0, 0], [1, 1], 1),
    ("conv2d with stride that leaves a rest", (1, 2, 6, 7), (2, 2, 3, 2), [2, 3], [1, 0], [1, 1], 1),
    ("conv2d with everything", (1, 4, 7, 6), (4, 2, 2, 3), [2, 1], [1, 2], [2, 1], 2),
    ("conv2d with 3 groups", (1, 6, 4, 4), (3, 2, 3, 3), [1, 1], [1, 1], [1, 1], 3),
    ("conv2d of one pixel", (2, 3, 1, 1), (2, 3, 1, 1), [1, 1], [0, 0], [1, 1], 1),
    ("conv2d with a kernel as large as the image", (2, 2, 4, 4), (3, 2, 4, 4), [1, 1], [0, 0], [1, 1], 1),
    ("conv2d with padding beyond the kernel", (1, 1, 3, 3), (1, 1, 2, 2), [1, 1], [3, 2], [1, 1], 1),
    ("conv3d", (1, 2, 4, 3, 4), (2, 2, 2, 2, 3), [1, 1, 1], [0, 1, 1], [1, 1, 1], 1),
    ("conv3d with stride and groups", (1, 2, 5, 4, 4), (2, 1, 2, 3, 2), [2, 1, 2], [0, 1, 0], [1, 1, 1], 2),
]
for title, x, w, stride, padding, dilation, groups in CONVS:
    s = Source(title)
    fn = [F.conv1d, F.conv2d, F.conv3d][len(x) - 3]
    attributes = {"stride": stride, "low": padding, "high": padding, "inputDilation": [1] * len(stride), "kernelDilation": dilation, "groups": groups}
    case(title, "graph.conv", [T(0), T(1), attributes], lambda a, b, fn=fn, o=(None, stride, padding, dilation, groups): fn(a, b, *o), [s.uniform(x), s.uniform(w)], "contraction")

TRANSPOSED = [
    # title, input, weight [in, out / groups, ...], stride, padding, output padding, dilation, groups
    ("transposed conv1d", (2, 3, 5), (3, 2, 3), [1], [0], [0], [1], 1),
    ("transposed conv1d with stride", (1, 2, 4), (2, 3, 4), [2], [1], [0], [1], 1),
    ("transposed conv2d 4x4 with stride 2", (1, 3, 3, 3), (3, 2, 4, 4), [2, 2], [1, 1], [0, 0], [1, 1], 1),
    ("transposed conv2d with output padding", (1, 2, 3, 2), (2, 3, 3, 3), [2, 2], [1, 1], [1, 1], [1, 1], 1),
    ("transposed conv2d with dilation and groups", (2, 4, 3, 3), (4, 1, 2, 3), [1, 2], [0, 1], [0, 0], [2, 1], 2),
    ("transposed conv2d from one pixel", (2, 3, 1, 1), (3, 2, 4, 4), [1, 1], [0, 0], [0, 0], [1, 1], 1),
    ("transposed conv3d", (1, 2, 2, 3, 2), (2, 2, 2, 2, 3), [2, 1, 1], [0, 1, 1], [0, 0, 0], [1, 1, 1], 1),
]
for title, x, w, stride, padding, extra, dilation, groups in TRANSPOSED:
    s = Source(title)
    fn = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][len(x) - 3]
    attributes = {"stride": stride, "padding": padding, "outputPadding": extra, "dilation": dilation, "groups": groups}
    case(title, "graph.convTranspose", [T(0), T(1), attributes], lambda a, b, fn=fn, o=(None, stride, padding, extra, groups, dilation): fn(a, b, *o), [s.uniform(x), s.uniform(w)], "contraction")

POOLS = [
    # title, input, size, stride, padding, dilation
    ("pooling 2x2", (2, 2, 4, 6), [2, 2], [2, 2], [0, 0], [1, 1]),
    ("pooling 3x3 with overlap and padding", (1, 2, 6, 5), [3, 3], [2, 2], [1, 1], [1, 1]),
    ("pooling with a rest", (1, 1, 5, 7), [2, 3], [2, 3], [0, 0], [1, 1]),
    ("pooling of a line", (2, 3, 7), [3], [1], [1], [1]),
    ("pooling of a volume", (1, 2, 4, 4, 4), [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1]),
]
for title, x, size, stride, padding, dilation in POOLS:
    rank = len(size) - 1
    attributes = {"size": size, "stride": stride, "padding": padding, "dilation": dilation}
    maximum = [F.max_pool1d, F.max_pool2d, F.max_pool3d][rank]
    average = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][rank]
    case(f"max {title}", "graph.maxPool", [T(0), attributes], lambda a, fn=maximum, o=(size, stride, padding): fn(a, *o), [Source(title).distinct(x)], "reduction", second=False)
    case(f"average {title}", "graph.avgPool", [T(0), attributes], lambda a, fn=average, o=(size, stride, padding): fn(a, *o), [Source(title).uniform(x)], "reduction", second=False)
tied = torch.tensor([[[1.0, 1.0, 2.0, 2.0, 2.0, 0.0]]])
case("max pooling gives the gradient to the first of ties", "graph.maxPool", [T(0), {"size": [2], "stride": [1], "padding": [0], "dilation": [1]}], lambda x: F.max_pool1d(x, 2, 1), [tied], "reduction", second=False)
case("max pooling with dilation", "graph.maxPool", [T(0), {"size": [2, 2], "stride": [1, 1], "padding": [0, 0], "dilation": [2, 1]}], lambda x: F.max_pool2d(x, 2, 1, 0, (2, 1)), [Source("dilated pool").distinct((1, 1, 5, 4))], "reduction", second=False)

# Programs of several operations -----------------------------------------------------------------------------------------------------

s = Source("programs")
case("a layer norm", "graph.layerNorm", [T(0)], lambda x: F.layer_norm(x, (6,)), [s.uniform((3, 6))], "program")
case("attention", "graph.attention", [T(0), T(1), T(2)], lambda q, k, v: torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v, [s.uniform((2, 3, 4)), s.uniform((2, 5, 4)), s.uniform((2, 5, 2))], "program")
case("a cross entropy", "graph.crossEntropy", [T(0), T(1)], lambda x, t: F.cross_entropy(x, t.long()), [s.uniform((4, 5), -3, 3), s.integers((4,), 0, 5)], "program")
case("a gelu of a linear layer", "graph.geluLinear", [T(0), T(1), T(2)], lambda x, w, b: F.gelu(F.linear(x, w, b)), [s.uniform((3, 4)), s.uniform((5, 4)), s.uniform((5,))], "program")

golden = os.path.join(os.path.dirname(__file__), "..", "packages", "gradus", "test", "golden")
os.makedirs(golden, exist_ok=True)


def write(name, records):
    path = os.path.join(golden, name)
    with open(path, "w") as file:
        file.write("[\n")
        file.write(",\n".join(json.dumps(record, separators=(",", ":")) for record in records))
        file.write("\n]\n")
    print(f"{name}: {len(records)} cases, {os.path.getsize(path)} bytes")


# Printing -----------------------------------------------------------------------------------------------------------------------

s = Source("printing")
PRINTED = {
    "a scalar": torch.tensor(3.14159),
    "a whole scalar": torch.tensor(5.0),
    "an integer scalar": torch.tensor(-7),
    "a row of whole floats": torch.tensor([1.0, 2.0, -3.0]),
    "a row of fractions": torch.tensor([0.5, -1.25, 100.125]),
    "zeros": torch.zeros(2, 2),
    "whole floats of different widths": torch.tensor([1.0, -1000.0, 20.0]),
    "large whole floats": torch.tensor([1.0e9, 2.0]),
    "a wide range is scientific": torch.tensor([1e-3, 123.456, 1.0]),
    "small numbers are scientific": torch.tensor([1e-5, 2.5e-5]),
    "large fractions are scientific": torch.tensor([1.5e10, 3.25e9]),
    "whole numbers of a wide range": torch.tensor([1.0, 100000.0]),
    "nan and infinities": torch.tensor([float("nan"), INF, -INF, 1.5]),
    "nan among whole numbers": torch.tensor([float("nan"), 1.0, -2.0]),
    "only nan": torch.tensor([float("nan"), float("nan")]),
    "minus zero": torch.tensor([-0.0, 1.0]),
    "a matrix": s.uniform((2, 3)),
    "three dimensions": s.uniform((2, 2, 3)),
    "four dimensions": torch.arange(16.0).reshape(2, 2, 2, 2),
    "integers are aligned": torch.tensor([[1, -20], [300, 4]]),
    "infinity among whole numbers": torch.tensor([1.0, -INF]),
    "a zero among fractions": torch.tensor([0.5, 0.0, -0.0]),
    "bools": torch.tensor([[True, False], [False, False]]),
    "float64": torch.tensor([1.5, 2.25], dtype=f64),
    "uint8": torch.tensor([1, 200], dtype=u8),
    "nothing": torch.tensor([]),
    "a matrix of nothing": torch.zeros(0, 3),
    "integers of nothing": torch.zeros(0, dtype=torch.int64),
    "a long row wraps": torch.arange(40),
    "a long row of floats wraps": s.uniform((23,)),
    "long rows of a matrix wrap": s.uniform((2, 17)),
    "more than a thousand are summarized": torch.arange(1001.0),
    "a large matrix is summarized": torch.arange(40 * 50).reshape(40, 50) / 7,
    "a tall matrix is summarized": torch.arange(700 * 2).reshape(700, 2),
    "three dimensions are summarized": torch.arange(10 * 11 * 12.0).reshape(10, 11, 12),
    "a thousand are not summarized": torch.arange(1000) % 10,
    "a leaf with a gradient": torch.tensor([1.5, 2.5]).requires_grad_(),
}
printed = []
for name, x in PRINTED.items():
    text = repr(x).replace("True", "true").replace("False", "false").replace("torch.", "").replace("requires_grad", "requiresGrad")
    text = text.replace("size=(0, 3)", "size=[0, 3]").replace("dtype=int64", "dtype=int32")
    printed.append({"name": name, "requiresGrad": x.requires_grad, "tensor": stored(x), "text": text})

write("ops.json", cases)
write("printing.json", printed)
print("PyTorch's own float32 errors, in 1e-6 of (|value| + largest |value|):")
for (family, kind), (error, name) in sorted(worst.items()):
    print(f"  {family:12s} {kind:10s} {error:8.2f}  {name}")
