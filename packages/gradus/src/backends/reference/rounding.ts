// What numbers become in a dtype. The interpreter computes in float64 throughout; floats keep that precision inside a
// program, while integers and bools are brought back into their range after every operation.

import { type DType, isFloat } from "../../graph/index.ts";

type Rounding = (value: number) => number;

const keep: Rounding = (value) => value;
const wrapToInt32: Rounding = (value) => value | 0;
const wrapToUint8: Rounding = (value) => value & 255;
const toBool: Rounding = (value) => (value === 0 ? 0 : 1);

/** What an operation's result becomes. Integers wrap as they do in C and PyTorch. */
export const roundResult: { readonly [D in DType]: Rounding } = {
  bool: toBool,
  uint8: wrapToUint8,
  int32: wrapToInt32,
  float32: keep,
  float64: keep,
};

/** Truncation toward zero that saturates, NaN giving 0: WebAssembly's `i32.trunc_sat`. */
export function truncateToInt32(value: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.max(-0x80000000, Math.min(0x7fffffff, Math.trunc(value))) | 0;
}

/**
 * What a number becomes when it is cast, or enters a program as a constant: the nearest value of the dtype. A float
 * goes to uint8 by way of int32, so that -1 is 255 as in PyTorch. NaN is true, as everything but zero.
 */
export const roundCast: { readonly [D in DType]: Rounding } = {
  bool: toBool,
  uint8: (value) => wrapToUint8(truncateToInt32(value)),
  int32: truncateToInt32,
  float32: Math.fround,
  float64: keep,
};

/** A sum in the arithmetic of a dtype. */
export function addAs(dtype: DType, a: number, b: number): number {
  return isFloat(dtype) ? a + b : (a + b) | 0;
}

/** A product in the arithmetic of a dtype: exact modulo 2^32 for integers, where doubles would lose the low bits. */
export function multiplyAs(dtype: DType, a: number, b: number): number {
  return isFloat(dtype) ? a * b : Math.imul(a, b);
}
