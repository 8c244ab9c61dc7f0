// Windows as columns of a matrix and back (`torch.nn.functional.unfold` and `fold`, also called im2col and col2im), in two
// spatial dimensions as in PyTorch.

import { ShapeError, type Tensor } from "../../tensor/index.ts";
import { foldWindows, geometryOfWindows, slidingWindows, type WindowGeometry } from "./pooling.ts";
import { checkSpatialInput, type SpatialSize, spatialSizes } from "./sizes.ts";

/** Options of `unfold` and `fold`: how windows lie. */
export interface UnfoldOptions {
  /** Distance between the elements of a window. Default 1. */
  readonly dilation?: SpatialSize;
  /** Zeros on both sides. Default 0. */
  readonly padding?: SpatialSize;
  /** The step from window to window. Default 1. */
  readonly stride?: SpatialSize;
}

function geometryOf(
  operation: string,
  shape: readonly number[],
  kernelSize: SpatialSize,
  { dilation = 1, padding = 0, stride = 1 }: UnfoldOptions,
): WindowGeometry {
  return geometryOfWindows(operation, shape, {
    kernel: spatialSizes(operation, "kernelSize", kernelSize, 2, 1),
    stride: spatialSizes(operation, "stride", stride, 2, 1),
    padding: spatialSizes(operation, "padding", padding, 2, 0),
    dilation: spatialSizes(operation, "dilation", dilation, 2, 1),
  });
}

/**
 * All windows as columns (`torch.nn.functional.unfold`), so that a convolution is a product of matrices.
 * @param x [N, C, H, W] or [C, H, W]
 * @param kernelSize KH x KW
 * @returns [N, C KH KW, number of windows], or without N
 * @throws ShapeError where no window fits
 * @example
 * const columns = F.unfold(x, 3, { padding: 1 }); // [N, C, H, W] to [N, 9 C, H W]
 * weight.flatten(1).matmul(columns); // what F.conv2d(x, weight, null, { padding: 1 }) is, [N, O, H W]
 */
export function unfold(x: Tensor, kernelSize: SpatialSize, options: UnfoldOptions = {}): Tensor {
  checkSpatialInput("unfold", x, 2, "unfolded");
  const windows = slidingWindows(x, geometryOf("unfold", x.shape, kernelSize, options), 0);
  // [..., C, OH, OW, KH, KW]: the kernel goes to the channels.
  const channels = x.ndim - 3;
  const order = [channels, channels + 3, channels + 4, channels + 1, channels + 2];
  return windows
    .permute(channels === 1 ? [0, ...order] : order)
    .flatten(channels, channels + 2)
    .flatten(channels + 1);
}

/**
 * Columns back to where `unfold` read them, those that lie on each other added (`torch.nn.functional.fold`): its
 * transpose, and its gradient.
 * @param x [N, C KH KW, number of windows], or without N
 * @param outputSize [H, W], or one number for both
 * @returns [N, C, H, W], or without N
 * @throws ShapeError where the columns are not those of so large an image
 */
export function fold(x: Tensor, outputSize: SpatialSize, kernelSize: SpatialSize, options: UnfoldOptions = {}): Tensor {
  if (x.ndim !== 2 && x.ndim !== 3) {
    throw new ShapeError("fold", [x.shape], `${x.ndim} dimensions are no columns`, "Give it [N, C KH KW, windows].");
  }
  const sizes = spatialSizes("fold", "outputSize", outputSize, 2, 1);
  const geometry = geometryOf("fold", sizes, kernelSize, options);
  const { kernel, output } = geometry;
  const [rows, columns] = x.shape.slice(-2);
  const area = kernel[0] * kernel[1];
  if (rows % area !== 0 || columns !== output[0] * output[1]) {
    throw new ShapeError(
      "fold",
      [x.shape],
      `${rows} x ${columns} are not the columns of ${kernel[0]} x ${kernel[1]} windows of an image of ${sizes.join(" x ")}`,
      `Give it a multiple of ${area} rows, and ${output[0]} x ${output[1]} = ${output[0] * output[1]} columns.`,
    );
  }
  const batch = x.shape.slice(0, -2);
  const channels = batch.length;
  const windows = x
    .reshape([...batch, rows / area, ...kernel, ...output])
    .permute([...batch.keys(), channels, channels + 3, channels + 4, channels + 1, channels + 2]);
  return foldWindows(windows, geometry, sizes);
}
