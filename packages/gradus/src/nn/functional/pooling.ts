// Pooling as reductions over sliding windows (`torch.nn.functional`, pooling functions). The maximum passes its gradient to
// the first of equal elements, as PyTorch's does.

import { axesFrom, build } from "../../graph/index.ts";
import { ArgumentError, arange, isFloat, ShapeError, Tensor } from "../../tensor/index.ts";
import { nodeOf } from "../../tensor/tensor.ts";
import { type SpatialSize, spatialSizes } from "./sizes.ts";

export interface PoolOptions {
  /** Default: the kernel's size. */
  readonly stride?: SpatialSize;
  /** At most half the kernel. Default 0. */
  readonly padding?: SpatialSize;
  /** Whether a last window that only partly fits counts. Default false. */
  readonly ceilMode?: boolean;
}

export interface MaxPoolOptions extends PoolOptions {
  /** Default 1. */
  readonly dilation?: SpatialSize;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether zeros of the padding count in the mean. Default true. */
  readonly countIncludePad?: boolean;
  /** What sums are divided by, instead of the number of elements. */
  readonly divisorOverride?: number;
}

/** The windows of one pooling: geometry per spatial dimension. */
interface Geometry {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly output: readonly number[];
  /** What must be added after each dimension so that the last window fits. */
  readonly after: readonly number[];
}

function geometryOf(
  operation: string,
  rank: number,
  x: Tensor,
  kernelSize: SpatialSize,
  options: MaxPoolOptions,
): Geometry {
  if (x.ndim !== rank + 1 && x.ndim !== rank + 2) {
    const spatial = rank === 1 ? "L" : "H, W";
    throw new ShapeError(
      operation,
      [x.shape],
      `an input of ${x.ndim} dimensions cannot be pooled`,
      `Give it [N, C, ${spatial}].`,
    );
  }
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
  const lengths = x.shape.slice(-rank);
  const reach = kernel.map((size, i) => dilation[i] * (size - 1) + 1);
  const output = lengths.map((length, i) => {
    const room = length + 2 * padding[i] - reach[i];
    const count = (options.ceilMode ? Math.ceil(room / stride[i]) : Math.floor(room / stride[i])) + 1;
    // A window that would start in the padding after the input does not count.
    return options.ceilMode && (count - 1) * stride[i] >= length + padding[i] ? count - 1 : count;
  });
  if (output.some((count) => count < 1)) {
    throw new ShapeError(
      operation,
      [x.shape],
      `a window of [${reach.join(", ")}] does not fit into the padded input`,
      "Use a smaller kernel or a larger input.",
    );
  }
  const after = lengths.map((length, i) => Math.max(0, (output[i] - 1) * stride[i] + reach[i] - length - padding[i]));
  return { kernel, stride, padding, dilation, output, after };
}

/** [..., spatial] to [..., output, kernel]. */
function windows(x: Tensor, { kernel, stride, padding, dilation, after }: Geometry, fill: number): Tensor {
  const rank = kernel.length;
  // Pairs, the last dimension first. Less is added after than before where the last window ends early.
  const amounts = padding.flatMap((_, i) => [padding[rank - 1 - i], after[rank - 1 - i]]);
  const padded = amounts.some((amount) => amount > 0) ? x.pad(amounts, fill) : x;
  const axes = kernel.map((_, i) => x.ndim - rank + i);
  return Tensor.of(build.window(nodeOf(padded), { axes, size: kernel, stride, dilation }));
}

const windowAxes = (x: Tensor, rank: number): number[] => axesFrom(x.ndim, rank);

function maxPool(operation: string, rank: number, x: Tensor, kernelSize: SpatialSize, options: MaxPoolOptions): Tensor {
  const geometry = geometryOf(operation, rank, x, kernelSize, options);
  const lowest = isFloat(x.dtype) ? Number.NEGATIVE_INFINITY : x.dtype === "int32" ? -(2 ** 31) : 0;
  const view = windows(x, geometry, lowest);
  return Tensor.of(build.max(nodeOf(view), windowAxes(x, rank)));
}

function avgPool(operation: string, rank: number, x: Tensor, kernelSize: SpatialSize, options: AvgPoolOptions): Tensor {
  const geometry = geometryOf(operation, rank, x, kernelSize, options);
  const total = windows(x, geometry, 0).sum(windowAxes(x, rank));
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
  let counts = Tensor.of(build.full(1, new Array<number>(rank).fill(1), x.dtype));
  output.forEach((count, i) => {
    const border = countIncludePad ? padding[i] : 0;
    const start = arange(count).mul(stride[i]).sub(padding[i]);
    const inside = start
      .add(kernel[i])
      .clamp(undefined, lengths[i] + border)
      .sub(start.clamp(-border));
    counts = counts.mul(inside.to(x.dtype).reshape(output.map((_, axis) => (axis === i ? count : 1))));
  });
  return total.div(counts);
}

/** The largest element of each window. @param x [N, C, L] or [C, L] */
export function maxPool1d(x: Tensor, kernelSize: SpatialSize, options: MaxPoolOptions = {}): Tensor {
  return maxPool("maxPool1d", 1, x, kernelSize, options);
}

/** The largest element of each window. @param x [N, C, H, W] or [C, H, W] */
export function maxPool2d(x: Tensor, kernelSize: SpatialSize, options: MaxPoolOptions = {}): Tensor {
  return maxPool("maxPool2d", 2, x, kernelSize, options);
}

/** The mean of each window. @param x [N, C, L] or [C, L] */
export function avgPool1d(x: Tensor, kernelSize: SpatialSize, options: AvgPoolOptions = {}): Tensor {
  return avgPool("avgPool1d", 1, x, kernelSize, options);
}

/** The mean of each window. @param x [N, C, H, W] or [C, H, W] */
export function avgPool2d(x: Tensor, kernelSize: SpatialSize, options: AvgPoolOptions = {}): Tensor {
  return avgPool("avgPool2d", 2, x, kernelSize, options);
}

/**
 * Means over as many windows as are wanted, which cover the input evenly (`torch.nn.functional.adaptive_avg_pool2d`).
 * @param x [N, C, H, W] or [C, H, W]
 * @param outputSize one number or [H', W']; null keeps a dimension
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: number | readonly (number | null)[]): Tensor {
  const sizes = typeof outputSize === "number" ? [outputSize, outputSize] : outputSize;
  if (x.ndim !== 3 && x.ndim !== 4) {
    throw new ShapeError(
      "adaptiveAvgPool2d",
      [x.shape],
      `${x.ndim} dimensions are not three or four`,
      "Give it [N, C, H, W].",
    );
  }
  const offset = x.ndim - 2;
  const wanted = spatialSizes(
    "adaptiveAvgPool2d",
    "outputSize",
    sizes.map((size, i) => size ?? x.shape[offset + i]),
    2,
    1,
  );
  const averaged = wanted.every((count) => count === 1)
    ? x.mean([offset, offset + 1], { keepdim: true })
    : averageAlong(averageAlong(x, offset, wanted[0]), offset + 1, wanted[1]);
  return averaged;
}

/** Means of a rectangle are means of means, so each dimension can be averaged by itself. */
function averageAlong(x: Tensor, axis: number, count: number): Tensor {
  const length = x.shape[axis];
  if (count === length) return x;
  if (length % count === 0) return x.unflatten(axis, [count, length / count]).mean(axis + 1);
  // Windows overlap by one or differ in size: row i of the matrix is 1 / size over window i.
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
