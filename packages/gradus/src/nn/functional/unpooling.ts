// The inverse of max pooling (`torch.nn.functional`, max_unpool1d and its like): what was largest, where it was.

import { onesLike, ShapeError, type Tensor, where, zeros } from "../../tensor/index.ts";
import type { PoolOptions } from "./pooling.ts";
import { checkSpatialInput, outputSizes, type SpatialSize, sizeText, spatialSizes } from "./sizes.ts";

/** Options of `maxUnpool1d`, `maxUnpool2d` and `maxUnpool3d`: those of the pooling that is undone. */
export interface MaxUnpoolOptions extends Pick<PoolOptions, "stride" | "padding"> {
  /**
   * The size of the result, of the spatial dimensions or of all: pooling gives one size for several. Default: the
   * smallest that the windows fill.
   */
  readonly outputSize?: readonly number[];
}

/** The transpose of max pooling, of any rank that `maxUnpool1d`, `maxUnpool2d` and `maxUnpool3d` name. */
export function maxUnpool(
  rank: number,
  x: Tensor,
  indices: Tensor,
  kernelSize: SpatialSize,
  options: MaxUnpoolOptions,
): Tensor {
  const operation = `maxUnpool${rank}d`;
  checkSpatialInput(operation, x, rank, "unpooled");
  if (x.shape.join() !== indices.shape.join()) {
    throw new ShapeError(
      operation,
      [x.shape, indices.shape],
      "values and indices must have one shape",
      "Take both from one max pooling.",
    );
  }
  const kernel = spatialSizes(operation, "kernelSize", kernelSize, rank, 1);
  const stride = spatialSizes(operation, "stride", options.stride ?? kernel, rank, 1);
  const padding = spatialSizes(operation, "padding", options.padding ?? 0, rank, 0);
  const smallest = x.shape.slice(-rank).map((length, i) => (length - 1) * stride[i] - 2 * padding[i] + kernel[i]);
  const sizes = outputSizes(operation, options.outputSize ?? smallest, x, rank);
  if (sizes.some((size, i) => Math.abs(size - smallest[i]) >= stride[i])) {
    throw new ShapeError(
      operation,
      [x.shape],
      `an output of ${sizeText(sizes)} cannot have been pooled to this input`,
      `Ask for sizes less than ${sizeText(stride)} away from ${sizeText(smallest)}.`,
    );
  }
  const outer = x.shape.slice(0, -rank);
  const flat = (tensor: Tensor): Tensor => tensor.flatten(-rank);
  const empty = zeros([...outer, sizes.reduce((product, size) => product * size, 1)], { dtype: x.dtype });
  const places = flat(indices);
  const values = flat(x);
  // Windows that overlap may name an element more than once, with one value: each gives its part of it, and gets all of
  // the gradient, as in PyTorch.
  const times = empty.scatterAdd(-1, places, onesLike(values)).gather(-1, places);
  const shared = values.detach().div(times).add(values.sub(values.detach()));
  const parts = where(times.eq(1), values, shared);
  return empty.scatterAdd(-1, places, parts).reshape([...outer, ...sizes]);
}

/**
 * Largest elements back to their places, zeros elsewhere (`torch.nn.functional.max_unpool1d`). Where windows overlapped, an
 * element that is named more than once stands there once.
 * @param x [N, C, L'] or [C, L'], what `maxPool1dWithIndices` gives
 * @param indices int32, of x's shape
 * @param kernelSize that of the pooling, as are the options
 * @returns [N, C, L] with L = (L' - 1) stride - 2 padding + kernelSize, unless `outputSize` says otherwise
 * @throws ShapeError where indices or the output's size do not fit
 */
export function maxUnpool1d(
  x: Tensor,
  indices: Tensor,
  kernelSize: SpatialSize,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool(1, x, indices, kernelSize, options);
}

/** `maxUnpool1d` for images: [N, C, H', W'] to [N, C, H, W] (`torch.nn.functional.max_unpool2d`). */
export function maxUnpool2d(
  x: Tensor,
  indices: Tensor,
  kernelSize: SpatialSize,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool(2, x, indices, kernelSize, options);
}

/** `maxUnpool1d` for volumes: [N, C, D', H', W'] to [N, C, D, H, W] (`torch.nn.functional.max_unpool3d`). */
export function maxUnpool3d(
  x: Tensor,
  indices: Tensor,
  kernelSize: SpatialSize,
  options: MaxUnpoolOptions = {},
): Tensor {
  return maxUnpool(3, x, indices, kernelSize, options);
}
