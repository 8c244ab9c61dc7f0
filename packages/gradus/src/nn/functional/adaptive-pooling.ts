// Adaptive pooling (`torch.nn.functional`): as many windows as are wanted, whatever the input's size. Window i of n over a
// dimension of L elements runs from floor(i L / n) to ceil((i + 1) L / n), so windows may overlap by one and differ in
// size by one. Means and maxima of boxes are means and maxima along one dimension after the other.

import { arange, type Tensor, tensor } from "../../tensor/index.ts";
import type { PooledWithIndices } from "./pooling.ts";
import { checkSpatialInput, spatialSizes } from "./sizes.ts";

/** How many windows: one number for all spatial dimensions, or one for each, where null keeps the size. */
export type AdaptiveSize = number | readonly (number | null)[];

interface Windows {
  readonly start: readonly number[];
  readonly size: readonly number[];
  /** The step from window to window where all have one size, else null. */
  readonly step: number | null;
}

function windowsOf(length: number, count: number): Windows {
  const each = Array.from({ length: count }, (_, i) => i);
  const start = each.map((i) => Math.floor((i * length) / count));
  const size = each.map((i) => Math.ceil(((i + 1) * length) / count) - start[i]);
  const step = count > 1 ? start[1] : size[0];
  const even = step > 0 && each.every((i) => start[i] === i * step && size[i] === size[0]);
  return { start, size, step: even ? step : null };
}

/** Windows of one size along a dimension, as a new dimension of which the number is given too. */
function evenWindows(x: Tensor, axis: number, { size: [size], start }: Windows, step: number): [Tensor, number] {
  return step === size ? [x.unflatten(axis, [start.length, size]), axis + 1] : [x.unfold(axis, size, step), x.ndim];
}

/** Means of `count` windows along one dimension. */
export function averageAlong(x: Tensor, axis: number, count: number): Tensor {
  const length = x.shape[axis];
  if (count === length) return x;
  const windows = windowsOf(length, count);
  if (windows.step !== null) {
    const [view, elements] = evenWindows(x, axis, windows, windows.step);
    return view.mean(elements);
  }
  // Row i of the matrix is 1 / size over window i.
  const position = arange(length);
  const index = arange(count).reshape([count, 1]);
  const start = index.mul(length).floorDivide(count);
  const end = index
    .add(1)
    .mul(length)
    .add(count - 1)
    .floorDivide(count);
  const inside = position.ge(start).logicalAnd(position.lt(end)).to(x.dtype);
  const matrix = inside.div(end.sub(start).to(x.dtype));
  const last = x.ndim - 1;
  return x.transpose(axis, last).matmul(matrix.T).transpose(axis, last);
}

/** Largest elements along a dimension and, int32, where along it they were. */
function largestAlong(x: Tensor, axis: number, count: number): { values: Tensor; positions: Tensor } {
  const windows = windowsOf(x.shape[axis], count);
  const { start, size, step } = windows;
  const along = (vector: Tensor): Tensor => vector.reshape([-1, ...x.shape.slice(axis + 1).map(() => 1)]);
  if (step !== null) {
    const [view, elements] = evenWindows(x, axis, windows, step);
    const { values, indices } = view.max(elements);
    return { values, positions: indices.add(along(arange(count).mul(step))) };
  }
  // Short windows are filled with their first element, which changes neither the maximum nor which element is the first.
  const most = Math.max(...size);
  const read = start.flatMap((from, i) => Array.from({ length: most }, (_, k) => from + (k < size[i] ? k : 0)));
  const view = x.indexSelect(axis, tensor(read, { dtype: "int32" })).unflatten(axis, [count, most]);
  const { values, indices } = view.max(axis + 1);
  return { values, positions: indices.add(along(tensor(start, { dtype: "int32" }))) };
}

/** One number for each spatial dimension. */
function wantedSizes(operation: string, x: Tensor, rank: number, outputSize: AdaptiveSize): readonly number[] {
  checkSpatialInput(operation, x, rank, "pooled");
  const sizes =
    typeof outputSize === "number" ? outputSize : outputSize.map((size, i) => size ?? x.shape.at(i - rank)!);
  return spatialSizes(operation, "outputSize", sizes, rank, 1);
}

/** The mean of any rank that `adaptiveAvgPool1d`, `adaptiveAvgPool2d` and `adaptiveAvgPool3d` name. */
export function adaptiveAvgPool(rank: number, x: Tensor, outputSize: AdaptiveSize): Tensor {
  const wanted = wantedSizes(`adaptiveAvgPool${rank}d`, x, rank, outputSize);
  const first = x.ndim - rank;
  if (wanted.every((count) => count === 1)) {
    return x.mean(
      wanted.map((_, i) => first + i),
      { keepdim: true },
    );
  }
  return wanted.reduce((result, count, i) => averageAlong(result, first + i, count), x);
}

/**
 * The maximum of any rank, with the positions of what it takes. The last dimension goes first: then the first of equal
 * elements, row by row, is the one that is taken and gets the gradient, as in PyTorch.
 */
export function adaptiveMaxPoolWithIndices(rank: number, x: Tensor, outputSize: AdaptiveSize): PooledWithIndices {
  const wanted = wantedSizes(`adaptiveMaxPool${rank}d`, x, rank, outputSize);
  const first = x.ndim - rank;
  if (wanted.every((count) => count === 1)) {
    const { values, indices } = x.flatten(first).max(first);
    const shape = [...x.shape.slice(0, first), ...wanted];
    return [values.reshape(shape), indices.reshape(shape)];
  }
  let result = x;
  let places: Tensor | null = null;
  let weight = 1;
  for (let i = rank - 1; i >= 0; i--) {
    const { values, positions } = largestAlong(result, first + i, wanted[i]);
    const along = positions.mul(weight);
    places = places === null ? along : places.gather(first + i, positions).add(along);
    result = values;
    weight *= x.shape[first + i];
  }
  return [result, places!];
}

/**
 * Means over as many windows as are wanted (`torch.nn.functional.adaptive_avg_pool1d`).
 * @param x [N, C, L] or [C, L]
 * @param outputSize L', or [L']
 * @returns [N, C, L']
 */
export function adaptiveAvgPool1d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return adaptiveAvgPool(1, x, outputSize);
}

/**
 * Means over as many windows as are wanted (`torch.nn.functional.adaptive_avg_pool2d`).
 * @param x [N, C, H, W] or [C, H, W]
 * @param outputSize one number or [H', W']; null keeps a dimension
 * @returns [N, C, H', W']
 * @example
 * F.adaptiveAvgPool2d(x, 1).flatten(1); // the mean of every feature map: [N, C]
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return adaptiveAvgPool(2, x, outputSize);
}

/**
 * Means over as many windows as are wanted (`torch.nn.functional.adaptive_avg_pool3d`).
 * @param x [N, C, D, H, W] or [C, D, H, W]
 * @param outputSize one number or [D', H', W']; null keeps a dimension
 * @returns [N, C, D', H', W']
 */
export function adaptiveAvgPool3d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return adaptiveAvgPool(3, x, outputSize);
}

/**
 * Maxima over as many windows as are wanted (`torch.nn.functional.adaptive_max_pool1d`).
 * @param x [N, C, L] or [C, L]
 * @param outputSize L', or [L']
 * @returns [N, C, L']
 */
export function adaptiveMaxPool1d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return adaptiveMaxPoolWithIndices(1, x, outputSize)[0];
}

/**
 * Maxima over as many windows as are wanted (`torch.nn.functional.adaptive_max_pool2d`).
 * @param x [N, C, H, W] or [C, H, W]
 * @param outputSize one number or [H', W']; null keeps a dimension
 * @returns [N, C, H', W']
 */
export function adaptiveMaxPool2d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return adaptiveMaxPoolWithIndices(2, x, outputSize)[0];
}

/**
 * Maxima over as many windows as are wanted (`torch.nn.functional.adaptive_max_pool3d`).
 * @param x [N, C, D, H, W] or [C, D, H, W]
 * @param outputSize one number or [D', H', W']; null keeps a dimension
 * @returns [N, C, D', H', W']
 */
export function adaptiveMaxPool3d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  return adaptiveMaxPoolWithIndices(3, x, outputSize)[0];
}

/** `adaptiveMaxPool1d` and where its elements were, int32 (`torch.nn.functional.adaptive_max_pool1d_with_indices`). */
export function adaptiveMaxPool1dWithIndices(x: Tensor, outputSize: AdaptiveSize): PooledWithIndices {
  return adaptiveMaxPoolWithIndices(1, x, outputSize);
}

/** `adaptiveMaxPool2d` and where its elements were, int32, as h W + w (`adaptive_max_pool2d_with_indices`). */
export function adaptiveMaxPool2dWithIndices(x: Tensor, outputSize: AdaptiveSize): PooledWithIndices {
  return adaptiveMaxPoolWithIndices(2, x, outputSize);
}

/** `adaptiveMaxPool3d` and where its elements were, int32, as (d H + h) W + w (`adaptive_max_pool3d_with_indices`). */
export function adaptiveMaxPool3dWithIndices(x: Tensor, outputSize: AdaptiveSize): PooledWithIndices {
  return adaptiveMaxPoolWithIndices(3, x, outputSize);
}
