// Reductions, and what is made of them: statistics, norms, softmax.

import { build, isFloat, type Node, normalizeAxes, sizeOf } from "../graph/index.ts";
import { where } from "./arithmetic.ts";
import { nodeOf, Tensor } from "./tensor.ts";

/** One dimension, several, or all of them where it is left out. */
export type Dims = number | readonly number[] | undefined;

/** What becomes of dimensions that are reduced. */
export interface KeepOptions {
  /** Keep reduced dimensions with size 1. Default false. */
  readonly keepdim?: boolean;
}

/** Options of `var` and `std`. */
export interface VarianceOptions extends KeepOptions {
  /** What the count is lessened by: 1 for the unbiased estimate, 0 for the mean of squares. Default 1. */
  readonly correction?: number;
}

/** Elements that were chosen along a dimension, and where they stood there. */
export interface ValuesAndIndices {
  /** Of the input's dtype; gradients go to the elements that were chosen. */
  readonly values: Tensor;
  /** int32 */
  readonly indices: Tensor;
}

type Reducer = (x: Node, axes: readonly number[]) => Node;

function reduceNode(x: Node, axes: readonly number[], keepdim: boolean, reducer: Reducer): Node {
  const reduced = reducer(x, axes);
  if (!keepdim) return reduced;
  return build.reshape(
    reduced,
    x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)),
  );
}

function reduce(operation: string, x: Tensor, dim: Dims, keepdim: boolean, reducer: Reducer): Tensor {
  return Tensor.of(reduceNode(nodeOf(x), normalizeAxes(operation, dim, x.ndim), keepdim, reducer));
}

/** bool and uint8 would overflow at once; they count and compare as int32. */
const widened = (x: Tensor): Tensor => (x.dtype === "bool" || x.dtype === "uint8" ? x.to("int32") : x);

const floating = (x: Tensor): Tensor => (isFloat(x.dtype) ? x : x.to("float32"));

export function sum(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  return reduce("sum", widened(x), dim, keepdim, build.sum);
}

export function countOf(x: Tensor, dim: Dims): number {
  return sizeOf(normalizeAxes("mean", dim, x.ndim).map((axis) => x.shape[axis]));
}

export function mean(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  return sum(floating(x), dim, keepdim).div(countOf(x, dim));
}

/** @param correction what the count is lessened by: 1 for the unbiased estimate (`torch.var`) */
export function variance(x: Tensor, dim: Dims, correction: number, keepdim: boolean): Tensor {
  const centered = floating(x).sub(mean(x, dim, true));
  return sum(centered.mul(centered), dim, keepdim).div(Math.max(0, countOf(x, dim) - correction));
}

/** The largest element; equal ones share the gradient (`torch.amax`). */
export function largest(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  if (!nodeOf(x).requiresGrad) {
    const result = reduce("amax", widened(x), dim, keepdim, build.max);
    return result.to(x.dtype);
  }
  // The value comes from the maximum itself; the second term is zero and carries the gradient.
  const peak = largest(x.detach(), dim, true);
  const ties = x.detach().eq(peak);
  const share = where(ties, x.sub(x.detach()), 0).div(sum(ties.to(x.dtype), dim, true));
  const result = peak.add(sum(share, dim, true));
  return keepdim ? result : squeezeReduced(result, x, dim);
}

function squeezeReduced(kept: Tensor, x: Tensor, dim: Dims): Tensor {
  const axes = normalizeAxes("amax", dim, x.ndim);
  return kept.reshape(x.shape.filter((_, axis) => !axes.includes(axis)));
}

/** The opposite order: negative floats, and for integers the complement, which cannot overflow. Its own inverse. */
function reversed(x: Tensor): Tensor {
  return isFloat(x.dtype) ? x.neg() : Tensor.of(build.unary("not", nodeOf(x)));
}

export function smallest(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  return reversed(largest(reversed(widened(x)), dim, keepdim)).to(x.dtype);
}

export function argmax(x: Tensor, dim: number | undefined, keepdim: boolean): Tensor {
  return reduce("argmax", widened(x).detach(), dim, keepdim, build.argmax);
}

export function argmin(x: Tensor, dim: number | undefined, keepdim: boolean): Tensor {
  return argmax(reversed(widened(x)), dim, keepdim);
}

/** Largest elements along a dimension and where they are; the first of equal ones takes the gradient. */
export function maxAlong(x: Tensor, dim: number, keepdim: boolean): ValuesAndIndices {
  const values = reduce("max", widened(x), dim, keepdim, build.max).to(x.dtype);
  return { values, indices: argmax(x, dim, keepdim) };
}

export function minAlong(x: Tensor, dim: number, keepdim: boolean): ValuesAndIndices {
  const { values, indices } = maxAlong(reversed(widened(x)), dim, keepdim);
  return { values: reversed(values).to(x.dtype), indices };
}

/**
 * The product along dimensions. A balanced tree of products rather than a running one: exact gradients also where an
 * element is zero, and of every order.
 */
export function product(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  const source = widened(x);
  const axes = normalizeAxes("prod", dim, x.ndim);
  const others = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const outer = others.map((axis) => x.shape[axis]);
  let factors = source.permute([...others, ...axes]).reshape([...outer, countOf(x, axes)]);
  for (let count = factors.shape[outer.length]; count > 1; count = factors.shape[outer.length]) {
    const half = count >> 1;
    const pairs = factors.narrow(-1, 0, half).mul(factors.narrow(-1, half, half));
    factors = count % 2 === 0 ? pairs : Tensor.cat([pairs, factors.narrow(-1, count - 1, 1)], -1);
  }
  if (factors.shape[outer.length] === 0) factors = factors.sum(-1, { keepdim: true }).add(1);
  const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  return factors.reshape(keepdim ? kept : outer);
}

export function any(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  if (countOf(x, dim) === 0) return sum(x.to("int32"), dim, keepdim).ne(0);
  return reduce("any", x.to("bool").to("int32"), dim, keepdim, build.max).ne(0);
}

export function all(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  return any(x.to("bool").logicalNot(), dim, keepdim).logicalNot();
}

/** The vector norm of order p (`torch.linalg.vector_norm`); where it is zero so is its gradient. */
export function norm(x: Tensor, p: number, dim: Dims, keepdim: boolean): Tensor {
  const magnitudes = floating(x).abs();
  if (p === Number.POSITIVE_INFINITY) return largest(magnitudes, dim, keepdim);
  if (p === Number.NEGATIVE_INFINITY) return smallest(magnitudes, dim, keepdim);
  if (p === 0) return sum(magnitudes.ne(0).to(magnitudes.dtype), dim, keepdim);
  if (p === 1) return sum(magnitudes, dim, keepdim);
  const total = sum(magnitudes.pow(p), dim, keepdim);
  const vanishes = total.detach().eq(0);
  // The root is taken of 1 where the sum vanishes: the root's slope at 0 is infinite and would make a NaN.
  return where(vanishes, 0, where(vanishes, 1, total).pow(1 / p));
}

/** The maximum along a dimension as a constant to subtract, so that exp cannot overflow; 0 where it is infinite. */
function stabilizer(x: Tensor, dim: Dims): Tensor {
  const peak = largest(x.detach(), dim, true);
  return where(peak.abs().eq(Number.POSITIVE_INFINITY), 0, peak);
}

export function logSumExp(x: Tensor, dim: Dims, keepdim: boolean): Tensor {
  const source = floating(x);
  const shift = stabilizer(source, dim);
  const total = sum(source.sub(shift).exp(), dim, true).log().add(shift);
  return keepdim ? total : squeezeReduced(total, x, dim);
}

export function softmax(x: Tensor, dim: number): Tensor {
  const source = floating(x);
  // A dimension without elements has no maximum, and there is nothing to compute.
  if (source.numel() === 0) return source;
  const powers = source.sub(largest(source.detach(), dim, true)).exp();
  return powers.div(sum(powers, dim, true));
}

export function logSoftmax(x: Tensor, dim: number): Tensor {
  const source = floating(x);
  if (source.numel() === 0) return source;
  const shifted = source.sub(largest(source.detach(), dim, true));
  return shifted.sub(sum(shifted.exp(), dim, true).log());
}
