// Pooling as reductions over sliding windows (`torch.nn.functional`, pooling functions). The maximum passes its gradient to
// the first of equal elements, as PyTorch's does.

import { axesFrom, build } from "../../graph/index.ts";
import { ArgumentError, arange, isFloat, ShapeError, Tensor, where } from "../../tensor/index.ts";
import { nodeOf } from "../../tensor/tensor.ts";
import { checkSpatialInput, type SpatialSize, sizeText, spatialSizes } from "./sizes.ts";

/** Where the windows of a pooling lie. */
export interface PoolOptions {
  /** The step from window to window. Default: the kernel's size. */
  readonly stride?: SpatialSize;
  /** What is added on both sides, at most half the kernel. Default 0. */
  readonly padding?: SpatialSize;
  /** Whether a last window that only partly fits counts. Default false. */
  readonly ceilMode?: boolean;
}

/** Options of `maxPool1d`, `maxPool2d` and `maxPool3d`. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance between the elements of a window. Default 1. */
  readonly dilation?: SpatialSize;
}

/** Options of `avgPool1d`, `avgPool2d` and `avgPool3d`. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether zeros of the padding count in the mean. Default true. */
  readonly countIncludePad?: boolean;
  /** What sums are divided by, instead of the number of elements. */
  readonly divisorOverride?: number;
}

/** Options of `lpPool1d` and `lpPool2d`. */
export type LPPoolOptions = Pick<PoolOptions, "stride" | "ceilMode">;

/** Largest elements, and where they were: int32 positions in the flattened spatial dimensions of the input. */
export type PooledWithIndices = readonly [output: Tensor, indices: Tensor];

/** Where windows lie: one number for each spatial dimension. */
export interface WindowGeometry {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  /** How many windows there are. */
  readonly output: readonly number[];
  /** What must be added after each dimension so that the last window fits. */
  readonly after: readonly number[];
}

/** What `x`, whose last dimensions are spatial, must have added to hold all windows: pairs, the last dimension first. */
const amountsOf = ({ padding, after }: WindowGeometry): number[] =>
  padding
    .map((before, i) => [before, after[i]])
    .reverse()
    .flat();

const windowAttributes = (ndim: number, { kernel, stride, dilation }: WindowGeometry) => ({
  axes: axesFrom(ndim - kernel.length, kernel.length),
  size: kernel,
  stride,
  dilation,
});

/** [..., spatial] to [..., output, kernel], the border filled with a number. */
export function slidingWindows(x: Tensor, geometry: WindowGeometry, fill: number): Tensor {
  const amounts = amountsOf(geometry);
  const padded = amounts.some((amount) => amount > 0) ? x.pad(amounts, fill) : x;
  return Tensor.of(build.window(nodeOf(padded), windowAttributes(x.ndim, geometry)));
}

/** The transpose of `slidingWindows`: [..., output, kernel] to [..., lengths], elements that lie on each other added. */
export function foldWindows(windows: Tensor, geometry: WindowGeometry, lengths: readonly number[]): Tensor {
  const { kernel, padding, after } = geometry;
  const rank = kernel.length;
  const padded = [...windows.shape.slice(0, -2 * rank), ...lengths.map((length, i) => padding[i] + length + after[i])];
  const folded = Tensor.of(build.fold(nodeOf(windows), windowAttributes(padded.length, geometry), padded));
  const crop = amountsOf(geometry).map((amount) => -amount);
  return crop.some((amount) => amount < 0) ? folded.pad(crop) : folded;
}

/**
 * The windows that fit into the last dimensions of a shape.
 * @throws ShapeError where there is none
 */
export function geometryOfWindows(
  operation: string,
  shape: readonly number[],
  { kernel, stride, padding, dilation }: Pick<WindowGeometry, "kernel" | "stride" | "padding" | "dilation">,
  ceilMode = false,
): WindowGeometry {
  const lengths = shape.slice(-kernel.length);
  const reach = kernel.map((size, i) => dilation[i] * (size - 1) + 1);
  const output = lengths.map((length, i) => {
    const room = length + 2 * padding[i] - reach[i];
    const count = (ceilMode ? Math.ceil(room / stride[i]) : Math.floor(room / stride[i])) + 1;
    // A window that would start in the padding after the input does not count.
    return ceilMode && (count - 1) * stride[i] >= length + padding[i] ? count - 1 : count;
  });
  if (output.some((count) => count < 1)) {
    throw new ShapeError(
      operation,
      [shape],
      `a window of ${sizeText(reach)} does not fit into the padded input`,
      "Use a smaller kernel or a larger input.",
    );
  }
  // Less is added after than before where the last window ends early.
  const after = lengths.map((length, i) => Math.max(0, (output[i] - 1) * stride[i] + reach[i] - length - padding[i]));
  return { kernel, stride, padding, dilation, output, after };
}

function geometryOf(
  operation: string,
  x: Tensor,
  rank: number,
  kernelSize: SpatialSize,
  options: MaxPoolOptions,
): WindowGeometry {
  checkSpatialInput(operation, x, rank, "pooled");
  const kernel = spatialSizes(operation, "kernelSize", kernelSize, rank, 1);
  const stride = spatialSizes(operation, "stride", options.stride ?? kernel, rank, 1);
  const padding = spatialSizes(operation, "padding", options.padding ?? 0, rank, 0);
  const dilation = spatialSizes(operation, "dilation", options.dilation ?? 1, rank, 1);
  padding.forEach((amount, i) => {
    if (amount > kernel[i] / 2) {
      throw new ArgumentError(
        operation,
        `a padding of ${amount} is more than half the kernel of ${kernel[i]}`,
        "Use less padding.",
      );
    }
  });
  return geometryOfWindows(operation, x.shape, { kernel, stride, padding, dilation }, options.ceilMode);
}

/** The windows, with what no element is below around the input, so that the border never wins. */
function windowsForMax(x: Tensor, geometry: WindowGeometry): Tensor {
  const lowest = isFloat(x.dtype) ? Number.NEGATIVE_INFINITY : x.dtype === "int32" ? -(2 ** 31) : 0;
  return slidingWindows(x, geometry, lowest);
}

/** The maximum of any rank that `maxPool1d`, `maxPool2d` and `maxPool3d` name. */
export function maxPool(rank: number, x: Tensor, kernelSize: SpatialSize, options: MaxPoolOptions): Tensor {
  const geometry = geometryOf(`maxPool${rank}d`, x, rank, kernelSize, options);
  return Tensor.of(build.max(nodeOf(windowsForMax(x, geometry)), axesFrom(x.ndim, rank)));
}

/** `maxPool` with the positions of what it takes. */
export function maxPoolWithIndices(
  rank: number,
  x: Tensor,
  kernelSize: SpatialSize,
  options: MaxPoolOptions,
): PooledWithIndices {
  const geometry = geometryOf(`maxPool${rank}d`, x, rank, kernelSize, options);
  const view = nodeOf(windowsForMax(x, geometry));
  const axes = axesFrom(x.ndim, rank);
  const winner = Tensor.of(build.argmax(build.detach(view), axes));
  return [Tensor.of(build.max(view, axes)), positionsOf(winner, geometry, x.shape.slice(-rank))];
}

/** From positions within windows to positions in the flattened spatial dimensions. */
function positionsOf(winner: Tensor, geometry: WindowGeometry, lengths: readonly number[]): Tensor {
  const { kernel, stride, padding, dilation, output } = geometry;
  const rank = kernel.length;
  let within = winner;
  let position: Tensor | null = null;
  let weight = 1;
  for (let i = rank - 1; i >= 0; i--) {
    const element = rank === 1 || i === 0 ? within : within.remainder(kernel[i]);
    within = i === 0 ? within : within.floorDivide(kernel[i]);
    const start = arange(output[i]).mul(stride[i]).sub(padding[i]);
    const coordinate = element.mul(dilation[i]).add(alongAxis(start, i, rank));
    // Where everything in a window is as low as the border, the first element inside counts.
    const inside =
      padding[i] === 0 ? coordinate : where(coordinate.lt(0), coordinate.remainder(dilation[i]), coordinate);
    const term = inside.mul(weight);
    position = position === null ? term : position.add(term);
    weight *= lengths[i];
  }
  return position!;
}

/** A vector as the spatial dimension `i` of `rank`, to broadcast over the others. */
const alongAxis = (vector: Tensor, i: number, rank: number): Tensor =>
  vector.reshape(axesFrom(0, rank).map((axis) => (axis === i ? -1 : 1)));

/** The mean of any rank that `avgPool1d`, `avgPool2d` and `avgPool3d` name. */
export function avgPool(rank: number, x: Tensor, kernelSize: SpatialSize, options: AvgPoolOptions): Tensor {
  const operation = `avgPool${rank}d`;
  const geometry = geometryOf(operation, x, rank, kernelSize, options);
  const total = slidingWindows(x, geometry, 0).sum(axesFrom(x.ndim, rank));
  const { divisorOverride, countIncludePad = true } = options;
  if (divisorOverride !== undefined) {
    if (divisorOverride === 0) throw new ArgumentError(operation, "the divisor cannot be 0");
    return total.div(divisorOverride);
  }
  const lengths = x.shape.slice(-rank);
  const { kernel, stride, padding, output } = geometry;
  // All windows hold as many elements unless the border is not to count or the last window ends beyond it.
  const even = output.every((count, i) => {
    const end = (count - 1) * stride[i] - padding[i] + kernel[i];
    return countIncludePad ? end <= lengths[i] + padding[i] : padding[i] === 0 && end <= lengths[i];
  });
  if (even) return total.div(kernel.reduce((product, size) => product * size, 1));
  const counts = output.map((count, i) => {
    const border = countIncludePad ? padding[i] : 0;
    const start = arange(count).mul(stride[i]).sub(padding[i]);
    const end = start.add(kernel[i]).clamp(undefined, lengths[i] + border);
    return alongAxis(end.sub(start.clamp(-border)), i, rank);
  });
  return total.div(counts.reduce((product, inside) => product.mul(inside)));
}

/**
 * The largest element of each window (`torch.nn.functional.max_pool1d`). Its gradient goes to the first of equal elements.
 * @param x [N, C, L] or [C, L]
 * @returns [N, C, L'] with L' = floor((L + 2 padding - dilation (kernelSize - 1) - 1) / stride) + 1, or the ceiling
 * @throws ShapeError where no window fits, ArgumentError for a padding of more than half the kernel
 */
export function maxPool1d(x: Tensor, kernelSize: SpatialSize, options: MaxPoolOptions = {}): Tensor {
  return maxPool(1, x, kernelSize, options);
}

/**
 * The largest element of each window (`torch.nn.functional.max_pool2d`).
 * @param x [N, C, H, W] or [C, H, W]
 * @returns [N, C, H', W'], with sizes as of `maxPool1d`
 * @example
 * F.maxPool2d(x, 3, { stride: 2, padding: 1 }); // [N, C, 32, 32] to [N, C, 16, 16]
 */
export function maxPool2d(x: Tensor, kernelSize: SpatialSize, options: MaxPoolOptions = {}): Tensor {
  return maxPool(2, x, kernelSize, options);
}

/**
 * The largest element of each window (`torch.nn.functional.max_pool3d`).
 * @param x [N, C, D, H, W] or [C, D, H, W]
 * @returns [N, C, D', H', W'], with sizes as of `maxPool1d`
 */
export function maxPool3d(x: Tensor, kernelSize: SpatialSize, options: MaxPoolOptions = {}): Tensor {
  return maxPool(3, x, kernelSize, options);
}

/** `maxPool1d` and where its elements were (`torch.nn.functional.max_pool1d_with_indices`): int32 positions from 0 to L - 1. */
export function maxPool1dWithIndices(
  x: Tensor,
  kernelSize: SpatialSize,
  options: MaxPoolOptions = {},
): PooledWithIndices {
  return maxPoolWithIndices(1, x, kernelSize, options);
}

/**
 * `maxPool2d` and where its elements were (`torch.nn.functional.max_pool2d_with_indices`): int32 positions h W + w.
 *
 * @example
 * const [pooled, indices] = F.maxPool2dWithIndices(x, 2);
 * const sparse = F.maxUnpool2d(pooled, indices, 2); // x where it was largest, zeros elsewhere
 */
export function maxPool2dWithIndices(
  x: Tensor,
  kernelSize: SpatialSize,
  options: MaxPoolOptions = {},
): PooledWithIndices {
  return maxPoolWithIndices(2, x, kernelSize, options);
}

/** `maxPool3d` and where its elements were (`torch.nn.functional.max_pool3d_with_indices`): int32 positions (d H + h) W + w. */
export function maxPool3dWithIndices(
  x: Tensor,
  kernelSize: SpatialSize,
  options: MaxPoolOptions = {},
): PooledWithIndices {
  return maxPoolWithIndices(3, x, kernelSize, options);
}

/**
 * The mean of each window (`torch.nn.functional.avg_pool1d`).
 * @param x [N, C, L] or [C, L]
 * @returns [N, C, L'] with L' = floor((L + 2 padding - kernelSize) / stride) + 1, or the ceiling
 * @throws ShapeError where no window fits, ArgumentError for a padding of more than half the kernel or a divisor of 0
 */
export function avgPool1d(x: Tensor, kernelSize: SpatialSize, options: AvgPoolOptions = {}): Tensor {
  return avgPool(1, x, kernelSize, options);
}

/**
 * The mean of each window (`torch.nn.functional.avg_pool2d`).
 * @param x [N, C, H, W] or [C, H, W]
 * @returns [N, C, H', W'], with sizes as of `avgPool1d`
 */
export function avgPool2d(x: Tensor, kernelSize: SpatialSize, options: AvgPoolOptions = {}): Tensor {
  return avgPool(2, x, kernelSize, options);
}

/**
 * The mean of each window (`torch.nn.functional.avg_pool3d`).
 * @param x [N, C, D, H, W] or [C, D, H, W]
 * @returns [N, C, D', H', W'], with sizes as of `avgPool1d`
 */
export function avgPool3d(x: Tensor, kernelSize: SpatialSize, options: AvgPoolOptions = {}): Tensor {
  return avgPool(3, x, kernelSize, options);
}

/** The norm of any rank that `lpPool1d` and `lpPool2d` name. */
export function lpPool(
  rank: number,
  x: Tensor,
  normType: number,
  kernelSize: SpatialSize,
  { stride, ceilMode }: LPPoolOptions,
): Tensor {
  const operation = `lpPool${rank}d`;
  if (!(normType > 0 && Number.isFinite(normType))) {
    throw new ArgumentError(operation, `there is no norm of order ${normType}`, "Use a number above 0.");
  }
  const kernel = spatialSizes(operation, "kernelSize", kernelSize, rank, 1);
  const count = kernel.reduce((product, size) => product * size, 1);
  // From the mean, as PyTorch: a window that only partly fits counts as if it went on like that.
  const total = avgPool(rank, x.pow(normType), kernel, { stride, ceilMode }).mul(count);
  const vanishes = total.detach().eq(0);
  // The root is taken of 1 where the sum vanishes: the root's slope at 0 is infinite and would make a NaN.
  return where(vanishes, 0, where(vanishes, 1, total).pow(1 / normType));
}

/**
 * The p-norm of each window, (sum of x^p)^(1/p) (`torch.nn.functional.lp_pool1d`). Where the sum is 0 so is the gradient; of
 * negative sums, which odd p can have, there is no root but the first: NaN.
 * @param x [N, C, L] or [C, L]
 * @param normType p, above 0: 1 gives sums, and the larger, the closer it comes to the maximum
 */
export function lpPool1d(x: Tensor, normType: number, kernelSize: SpatialSize, options: LPPoolOptions = {}): Tensor {
  return lpPool(1, x, normType, kernelSize, options);
}

/** The p-norm of each window of [N, C, H, W] or [C, H, W], as `lpPool1d` (`torch.nn.functional.lp_pool2d`). */
export function lpPool2d(x: Tensor, normType: number, kernelSize: SpatialSize, options: LPPoolOptions = {}): Tensor {
  return lpPool(2, x, normType, kernelSize, options);
}
