// The functions of one and two numbers, by name. Where JavaScript's own differ from C's and PyTorch's, a comment says so.

import {
  ArgumentError,
  type BinaryFunction,
  type Comparison,
  type DType,
  isFloat,
  type UnaryFunction,
} from "../../graph/index.ts";
import { erf } from "./erf.ts";
import { addAs, multiplyAs } from "./rounding.ts";

type Unary = (x: number, dtype: DType) => number;
type Binary = (a: number, b: number, dtype: DType) => number;

export const unaryFunctions: { readonly [F in UnaryFunction]: Unary } = {
  neg: (x) => -x,
  abs: Math.abs,
  // PyTorch's sign of NaN is 0, of -0 is 0.
  sign: (x) => Number(x > 0) - Number(x < 0),
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sigmoid,
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfToEven,
  trunc: Math.trunc,
  not: (x, dtype) => (dtype === "bool" ? Number(x === 0) : ~x),
};

export const binaryFunctions: { readonly [F in BinaryFunction]: Binary } = {
  add: (a, b, dtype) => addAs(dtype, a, b),
  sub: (a, b) => a - b,
  mul: (a, b, dtype) => multiplyAs(dtype, a, b),
  div: (a, b) => a / b,
  pow: (a, b, dtype) => (isFloat(dtype) ? floatPower(a, b) : integerPower(a, b)),
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  remainder,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

export const comparisons: { readonly [F in Comparison]: (a: number, b: number) => boolean } = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
};

/** Both forms are equal; each is used where its exponential cannot overflow. */
function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const exponential = Math.exp(x);
  return exponential / (1 + exponential);
}

function roundHalfToEven(x: number): number {
  const isHalf = Math.abs(x - Math.trunc(x)) === 0.5;
  return isHalf ? 2 * Math.round(x / 2) : Math.round(x);
}

/** C's `pow`: 1 to any power is 1, NaN included, and so is -1 to an infinite one. JavaScript says NaN to these. */
function floatPower(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Infinity)) return 1;
  return a ** b;
}

/** Repeated multiplication that wraps; a negative power is 0 but for bases 1 and -1, as in PyTorch. */
function integerPower(base: number, exponent: number): number {
  if (exponent < 0) {
    if (base === 1) return 1;
    if (base === -1) return exponent % 2 === 0 ? 1 : -1;
    return 0;
  }
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = Math.imul(result, square);
    square = Math.imul(square, square);
  }
  return result;
}

/** The remainder with the divisor's sign (`torch.remainder`, Python's `%`). */
function remainder(a: number, b: number, dtype: DType): number {
  if (b === 0 && !isFloat(dtype))
    throw new ArgumentError("remainder", `the integer ${a} is divided by 0`, "Use a divisor that is not 0, or floats.");
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** The order of `argmax` and `argsort`: ascending, with NaN after everything else. */
export function compareNaNLast(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return Number(a > b) - Number(a < b);
}
