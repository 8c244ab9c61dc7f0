// Operations that order elements: sort, topk, cumulative sums.

import { ArgumentError, build, normalizeAxis } from "../graph/index.ts";
import type { ValuesAndIndices } from "./reductions.ts";
import { nodeOf, Tensor } from "./tensor.ts";

/** Options of `sort` and `argsort`. */
export interface SortOptions {
  /** Whether the largest comes first. Default false. */
  readonly descending?: boolean;
}

/** Options of `topk`. */
export interface TopkOptions {
  /** Whether the largest elements are wanted, or the smallest. Default true. */
  readonly largest?: boolean;
}

/** Indices that sort along a dimension; equal elements keep their order, NaN counts as the largest. */
export function argsort(x: Tensor, dim: number, descending: boolean): Tensor {
  if (x.ndim === 0) return Tensor.of(build.full(0, [], "int32"));
  return Tensor.of(build.argsort(build.detach(nodeOf(x)), normalizeAxis("argsort", dim, x.ndim), descending));
}

export function sort(x: Tensor, dim: number, descending: boolean): ValuesAndIndices {
  const indices = argsort(x, dim, descending);
  return { values: x.gather(dim, indices), indices };
}

export function topk(x: Tensor, k: number, dim: number, largest: boolean): ValuesAndIndices {
  const axis = normalizeAxis("topk", dim, x.ndim);
  if (!(Number.isInteger(k) && k >= 0 && k <= (x.shape[axis] ?? 1))) {
    throw new ArgumentError("topk", `there are no ${k} elements in dimension ${dim} of ${x.shape[axis] ?? 1}`);
  }
  if (x.ndim === 0) return sort(x, axis, largest);
  const indices = argsort(x, axis, largest).narrow(axis, 0, k);
  return { values: x.gather(axis, indices), indices };
}

export function cumsum(x: Tensor, dim: number): Tensor {
  const source = x.dtype === "bool" || x.dtype === "uint8" ? x.to("int32") : x;
  if (x.ndim === 0) return source;
  return Tensor.of(build.cumsum(nodeOf(source), normalizeAxis("cumsum", dim, x.ndim)));
}
