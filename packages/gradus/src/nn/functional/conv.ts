// Convolutions and transposed convolutions of any rank, as the graph's one general convolution (Dumoulin and Visin, "A
// guide to convolution arithmetic for deep learning", 2016, for the relations between paddings).

import { build } from "../../graph/index.ts";
import { ArgumentError, DTypeError, ShapeError, Tensor } from "../../tensor/index.ts";
import { nodeOf } from "../../tensor/tensor.ts";
import { type SpatialSize, spatialSizes } from "./sizes.ts";

/** Zeros around the input: a number, one for each dimension, as many as keep the size ("same"), or none ("valid"). */
export type Padding = SpatialSize | "same" | "valid";

export interface ConvOptions {
  /** Default 1. */
  readonly stride?: SpatialSize;
  /** Default 0. */
  readonly padding?: Padding;
  /** Distance between the elements of the kernel. Default 1. */
  readonly dilation?: SpatialSize;
  /** Groups of channels that are convolved apart from each other. Default 1. */
  readonly groups?: number;
}

export interface ConvTransposeOptions {
  /** Default 1. */
  readonly stride?: SpatialSize;
  /** What is cut off on both sides. Default 0. */
  readonly padding?: SpatialSize;
  /** What is added on one side, since several input sizes give one output size. Default 0. */
  readonly outputPadding?: SpatialSize;
  readonly dilation?: SpatialSize;
  readonly groups?: number;
}

const spatialNames = ["L", "H, W", "D, H, W"];

/** [C, ...] becomes [1, C, ...] for the body, whose result loses the batch again. */
function batched(operation: string, x: Tensor, weight: Tensor, rank: number, body: (x: Tensor) => Tensor): Tensor {
  if (x.ndim === rank + 1) return body(x.unsqueeze(0)).squeeze(0);
  if (x.ndim !== rank + 2) {
    throw new ShapeError(
      operation,
      [x.shape, weight.shape],
      `an input of ${x.ndim} dimensions cannot be convolved`,
      `Give it [N, C, ${spatialNames[rank - 1]}] or [C, ${spatialNames[rank - 1]}].`,
    );
  }
  return body(x);
}

function checkOperands(operation: string, x: Tensor, weight: Tensor, channels: number): void {
  if (x.shape[1] !== channels) {
    throw new ShapeError(
      operation,
      [x.shape, weight.shape],
      `the input has ${x.shape[1]} channels, the weight expects ${channels}`,
      `Make the layer with inChannels = ${x.shape[1]}, or give it [N, ${channels}, ...].`,
    );
  }
  if (x.dtype !== weight.dtype) {
    throw new DTypeError(
      operation,
      [x.dtype, weight.dtype],
      "input and weight must have one dtype",
      `Cast the input with .to("${weight.dtype}").`,
    );
  }
}

function withBias(result: Tensor, bias: Tensor | null, rank: number): Tensor {
  return bias === null ? result : result.add(bias.reshape([1, -1, ...new Array<number>(rank).fill(1)]));
}

/** Zeros before and after each spatial dimension. */
export function paddingPairs(
  operation: string,
  padding: Padding,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): { low: readonly number[]; high: readonly number[] } {
  if (padding === "same") {
    if (stride.some((step) => step !== 1)) {
      throw new ArgumentError(operation, 'padding "same" keeps the size, which a stride changes', "Use a stride of 1.");
    }
    const total = kernel.map((size, i) => dilation[i] * (size - 1));
    const low = total.map((amount) => Math.floor(amount / 2));
    return { low, high: total.map((amount, i) => amount - low[i]) };
  }
  const both = spatialSizes(operation, "padding", padding === "valid" ? 0 : padding, kernel.length, 0);
  return { low: both, high: both };
}

/** The convolution of any rank that `conv1d` and `conv2d` name. */
export function convolve(
  operation: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: ConvOptions,
): Tensor {
  const groups = options.groups ?? 1;
  const kernel = weight.shape.slice(2);
  const stride = spatialSizes(operation, "stride", options.stride ?? 1, rank, 1);
  const dilation = spatialSizes(operation, "dilation", options.dilation ?? 1, rank, 1);
  const { low, high } = paddingPairs(operation, options.padding ?? 0, kernel, stride, dilation);
  return batched(operation, input, weight, rank, (x) => {
    checkOperands(operation, x, weight, weight.shape[1] * groups);
    const attributes = { stride, low, high, inputDilation: kernel.map(() => 1), kernelDilation: dilation, groups };
    return withBias(Tensor.of(build.conv(nodeOf(x), nodeOf(weight), attributes)), bias, rank);
  });
}

/** @param x [N, C, L] @param weight [O, C / groups, K] @param bias [O] @returns [N, O, L'] */
export function conv1d(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  return convolve("conv1d", 1, x, weight, bias, options);
}

/** @param x [N, C, H, W] @param weight [O, C / groups, KH, KW] @param bias [O] @returns [N, O, H', W'] */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  return convolve("conv2d", 2, x, weight, bias, options);
}

/** The transposed convolution of any rank: the gradient of a convolution with respect to its input. */
export function convolveTransposed(
  operation: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: ConvTransposeOptions,
): Tensor {
  const groups = options.groups ?? 1;
  const [inputs, outputsPerGroup, ...kernel] = weight.shape;
  const stride = spatialSizes(operation, "stride", options.stride ?? 1, rank, 1);
  const dilation = spatialSizes(operation, "dilation", options.dilation ?? 1, rank, 1);
  const padding = spatialSizes(operation, "padding", options.padding ?? 0, rank, 0);
  const outputPadding = spatialSizes(operation, "outputPadding", options.outputPadding ?? 0, rank, 0);
  outputPadding.forEach((amount, i) => {
    if (amount >= stride[i] && amount >= dilation[i]) {
      throw new ArgumentError(
        operation,
        `an outputPadding of ${amount} is not below the stride ${stride[i]} or the dilation ${dilation[i]}`,
        "Use a smaller outputPadding.",
      );
    }
  });
  return batched(operation, input, weight, rank, (x) => {
    checkOperands(operation, x, weight, inputs);
    const spatial = kernel.map((_, i) => i + 2);
    // [in, out / groups, ...] to the flipped kernel of a convolution, [out, in / groups, ...].
    const mirrored = weight
      .flip(spatial)
      .reshape([groups, inputs / groups, outputsPerGroup, ...kernel])
      .permute([0, 2, 1, ...spatial.map((axis) => axis + 1)])
      .reshape([groups * outputsPerGroup, inputs / groups, ...kernel]);
    const low = kernel.map((size, i) => dilation[i] * (size - 1) - padding[i]);
    const attributes = {
      stride: kernel.map(() => 1),
      low,
      high: low.map((amount, i) => amount + outputPadding[i]),
      inputDilation: stride,
      kernelDilation: dilation,
      groups,
    };
    return withBias(Tensor.of(build.conv(nodeOf(x), nodeOf(mirrored), attributes)), bias, rank);
  });
}

/** @param x [N, C, L] @param weight [C, O / groups, K] @param bias [O] @returns [N, O, L'] */
export function convTranspose1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convolveTransposed("convTranspose1d", 1, x, weight, bias, options);
}

/** @param x [N, C, H, W] @param weight [C, O / groups, KH, KW] @param bias [O] @returns [N, O, H', W'] */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convolveTransposed("convTranspose2d", 2, x, weight, bias, options);
}
