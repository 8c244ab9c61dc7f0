// Arithmetic on constants at compile time, rounded as the device would.

import type { BinaryFunction, Comparison, DType, UnaryFunction } from "../graph/index.ts";

function round(value: number, dtype: DType): number {
  switch (dtype) {
    case "float32":
      return Math.fround(value);
    case "float64":
      return value;
    case "int32":
      return value | 0;
    case "uint8":
      return value & 255;
    case "bool":
      return value ? 1 : 0;
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Half to even. */
function nearest(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

const unaryFolds: { readonly [F in UnaryFunction]: ((x: number) => number) | null } = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0),
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
  erf: null,
  floor: Math.floor,
  ceil: Math.ceil,
  round: nearest,
  trunc: Math.trunc,
  not: null,
};

/** The constant, or null where it is left to the device. */
export function foldUnary(fn: UnaryFunction, x: number, dtype: DType): number | null {
  const fold = unaryFolds[fn];
  return fold === null ? null : round(fold(x), dtype);
}

const binaryFolds: { readonly [F in BinaryFunction]?: (x: number, y: number) => number } = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  max: (x, y) => (Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : Math.max(x, y)),
  min: (x, y) => (Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : Math.min(x, y)),
};

/** The constant, or null where it is left to the device (functions with rules of their own, products that wrap). */
export function foldBinary(fn: BinaryFunction, x: number, y: number, dtype: DType): number | null {
  const fold = binaryFolds[fn];
  if (fold === undefined || dtype === "bool") return null;
  const value = fold(x, y);
  return Number.isInteger(value) && Math.abs(value) > 2 ** 52 && dtype !== "float32" ? null : round(value, dtype);
}

const comparisons: { readonly [F in Comparison]: (x: number, y: number) => boolean } = {
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
  lt: (x, y) => x < y,
  le: (x, y) => x <= y,
};

export function foldComparison(fn: Comparison, x: number, y: number): number {
  return comparisons[fn](x, y) ? 1 : 0;
}
