// The arithmetic of map ops, one table row per function, for every kind of register.

import type { BinaryFunction, Comparison, DType, UnaryFunction } from "../../graph/index.ts";
import type { Builder } from "../builder.ts";
import { type Expression, kindOf } from "../ir.ts";
import { power, transcendental } from "./mathematics.ts";

type UnaryRule = (b: Builder, x: Expression) => Expression;
type BinaryRule = (b: Builder, x: Expression, y: Expression) => Expression;

const isFloatKind = (x: Expression): boolean => x.kind === "f32" || x.kind === "f64";
const one = (b: Builder, like: Expression): Expression => b.constant(1, like.kind);
const zero = (b: Builder, like: Expression): Expression => b.constant(0, like.kind);

export const unaryRules: { readonly [F in UnaryFunction]: UnaryRule } = {
  neg: (b, x) => (isFloatKind(x) ? b.unary("neg", x) : b.binary("sub", zero(b, x), x)),
  abs: (b, x) => b.unary("abs", x),
  sign: (b, x) => {
    const negative = b.select(b.compare("lt", x, zero(b, x)), b.constant(-1, x.kind), zero(b, x));
    return b.select(b.compare("lt", zero(b, x), x), one(b, x), negative);
  },
  exp: (b, x) => transcendental(b, "exp", x),
  expm1: (b, x) => transcendental(b, "expm1", x),
  log: (b, x) => transcendental(b, "log", x),
  log1p: (b, x) => transcendental(b, "log1p", x),
  sqrt: (b, x) => b.unary("sqrt", x),
  rsqrt: (b, x) => b.binary("div", one(b, x), b.unary("sqrt", x)),
  reciprocal: (b, x) => b.binary("div", one(b, x), x),
  sin: (b, x) => transcendental(b, "sin", x),
  cos: (b, x) => transcendental(b, "cos", x),
  tanh: (b, x) => transcendental(b, "tanh", x),
  sigmoid: (b, x) => transcendental(b, "sigmoid", x),
  erf: (b, x) => transcendental(b, "erf", x),
  floor: (b, x) => b.unary("floor", x),
  ceil: (b, x) => b.unary("ceil", x),
  round: (b, x) => b.unary("nearest", x),
  trunc: (b, x) => b.unary("trunc", x),
  not: (b, x) => (x.kind === "bool" ? b.unary("not", x) : b.binary("xor", x, b.constant(-1, "i32"))),
};

/** The extremum that lets a NaN of either operand through. */
function extremum(fn: "max" | "min"): BinaryRule {
  return (b, x, y) => (x.kind === "bool" ? b.binary(fn === "max" ? "or" : "and", x, y) : b.binary(fn, x, y));
}

/** The remainder with the sign of the divisor; 0 for a divisor of integer 0, where PyTorch raises. */
const remainder: BinaryRule = (b, x, y) => {
  if (isFloatKind(x)) {
    const whole = b.unary("floor", b.binary("div", x, y));
    const naive = b.binary("sub", x, b.binary("mul", whole, y));
    // Where the quotient is exact in the reals but was rounded, the result may touch the divisor or pass zero.
    const negativeDivisor = b.compare("lt", y, zero(b, y));
    const wrongSign = b.select(
      negativeDivisor,
      b.select(b.compare("lt", zero(b, x), naive), one(b, x), zero(b, x)),
      b.select(b.compare("lt", naive, zero(b, x)), one(b, x), zero(b, x)),
    );
    return b.select(b.compare("ne", wrongSign, zero(b, x)), b.binary("add", naive, y), naive);
  }
  const nothing = b.compare("eq", y, zero(b, y));
  const divisor = b.select(nothing, one(b, y), y);
  const truncated = b.binary("remainder", x, divisor);
  const differs = b.compare("lt", b.binary("xor", truncated, divisor), zero(b, x));
  const adjust = b.select(b.compare("eq", truncated, zero(b, x)), zero(b, x), b.select(differs, divisor, zero(b, x)));
  return b.select(nothing, zero(b, x), b.binary("add", truncated, adjust));
};

const boolAs =
  (logical: "and" | "or" | "xor", fn: "add" | "sub" | "mul"): BinaryRule =>
  (b, x, y) =>
    b.binary(x.kind === "bool" ? logical : fn, x, y);

export const binaryRules: { readonly [F in BinaryFunction]: BinaryRule } = {
  add: boolAs("or", "add"),
  sub: boolAs("xor", "sub"),
  mul: boolAs("and", "mul"),
  div: (b, x, y) => b.binary("div", x, y),
  pow: power,
  max: extremum("max"),
  min: extremum("min"),
  remainder,
  and: (b, x, y) => b.binary("and", x, y),
  or: (b, x, y) => b.binary("or", x, y),
  xor: (b, x, y) => b.binary("xor", x, y),
};

export function comparison(b: Builder, fn: Comparison, x: Expression, y: Expression): Expression {
  if (x.kind !== "bool") return b.compare(fn, x, y);
  return b.compare(fn, b.convert(x, "i32"), b.convert(y, "i32"));
}

/** Brings a register's value to what the dtype can hold: uint8 wraps. */
export function wrap(b: Builder, x: Expression, dtype: DType): Expression {
  return dtype === "uint8" ? b.binary("and", x, b.constant(255, "i32")) : x;
}

export function castTo(b: Builder, x: Expression, to: DType): Expression {
  return wrap(b, b.convert(x, kindOf[to]), to);
}
