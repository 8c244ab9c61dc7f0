// Convolutions and transposed convolutions of any rank, as the graph's one general convolution (Dumoulin and Visin, "A
// guide to convolution arithmetic for deep learning", 2016, for the relations between paddings).

import { build } from "../../graph/index.ts";
import { ArgumentError, DTypeError, ShapeError, Tensor } from "../../tensor/index.ts";
import { nodeOf } from "../../tensor/tensor.ts";
import { checkSpatialInput, type SpatialSize, spatialSizes } from "./sizes.ts";

/** Zeros around the input: a number, one for each dimension, as many as keep the size ("same"), or none ("valid"). */
export type Padding = SpatialSize | "same" | "valid";

/** Options of `conv1d`, `conv2d` and `conv3d`. */
export interface ConvOptions {
  /** The step from window to window. Default 1. */
  readonly stride?: SpatialSize;
  /** Zeros on both sides of every dimension; "same" keeps the size and needs a stride of 1. Default 0. */
  readonly padding?: Padding;
  /** Distance between the elements of the kernel. Default 1. */
  readonly dilation?: SpatialSize;
  /** Groups of channels that are convolved apart from each other. Default 1. */
  readonly groups?: number;
}

/** Options of `convTranspose1d`, `convTranspose2d` and `convTranspose3d`. */
export interface ConvTransposeOptions {
  /** The distance of the input's elements in the output. Default 1. */
  readonly stride?: SpatialSize;
  /** What is cut off on both sides. Default 0. */
  readonly padding?: SpatialSize;
  /** What is added on one side, since several input sizes give one output size. Default 0. */
  readonly outputPadding?: SpatialSize;
  /** Distance between the elements of the kernel. Default 1. */
  readonly dilation?: SpatialSize;
  /** Groups of channels that are convolved apart from each other. Default 1. */
  readonly groups?: number;
}

/** [C, ...] becomes [1, C, ...] for the body, whose result loses the batch again. */
function batched(operation: string, x: Tensor, weight: Tensor, rank: number, body: (x: Tensor) => Tensor): Tensor {
  checkSpatialInput(operation, x, rank, "convolved");
  if (weight.ndim !== rank + 2) {
    throw new ShapeError(
      operation,
      [x.shape, weight.shape],
      `a weight of ${weight.ndim} dimensions is no kernel of ${rank}`,
      `Give a weight of ${rank + 2} dimensions: channels, channels of a group, and the kernel's size.`,
    );
  }
  return x.ndim === rank + 1 ? body(x.unsqueeze(0)).squeeze(0) : body(x);
}

interface Operands {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  /** How many channels the weight expects, and how many it makes. */
  readonly inputs: number;
  readonly outputs: number;
}

function checkOperands(operation: string, x: Tensor, { weight, bias, inputs, outputs }: Operands): void {
  if (x.shape[1] !== inputs) {
    throw new ShapeError(
      operation,
      [x.shape, weight.shape],
      `the input has ${x.shape[1]} channels, the weight expects ${inputs}`,
      `Make the layer with inChannels = ${x.shape[1]}, or give it [N, ${inputs}, ...].`,
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
  if (bias !== null && (bias.ndim !== 1 || bias.shape[0] !== outputs)) {
    throw new ShapeError(
      operation,
      [weight.shape, bias.shape],
      `the bias does not fit ${outputs} output channels`,
      `Give it [${outputs}].`,
    );
  }
}

/** The number of groups. @throws ArgumentError unless it divides the weight's first dimension */
function groupsOf(operation: string, groups: number, channels: number): number {
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new ArgumentError(
      operation,
      `${channels} channels cannot be divided into ${groups} groups`,
      "Use a number of groups that divides both numbers of channels.",
    );
  }
  return groups;
}

function withBias(result: Tensor, bias: Tensor | null, rank: number): Tensor {
  return bias === null ? result : result.add(bias.reshape([1, -1, ...new Array<number>(rank).fill(1)]));
}

/** What is padded before and after each spatial dimension. */
export interface PaddingPairs {
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** Padding before and after each spatial dimension; where "same" needs an odd number, the additional one is after. */
export function paddingPairs(
  operation: string,
  padding: Padding,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): PaddingPairs {
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

/** The convolution of any rank that `conv1d`, `conv2d` and `conv3d` name. */
export function convolve(
  operation: string,
  rank: number,
  input: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  options: ConvOptions,
): Tensor {
  return batched(operation, input, weight, rank, (x) => {
    const [outputs, inputsPerGroup, ...kernel] = weight.shape;
    const groups = groupsOf(operation, options.groups ?? 1, outputs);
    const stride = spatialSizes(operation, "stride", options.stride ?? 1, rank, 1);
    const dilation = spatialSizes(operation, "dilation", options.dilation ?? 1, rank, 1);
    const { low, high } = paddingPairs(operation, options.padding ?? 0, kernel, stride, dilation);
    checkOperands(operation, x, { weight, bias, inputs: inputsPerGroup * groups, outputs });
    const attributes = { stride, low, high, inputDilation: kernel.map(() => 1), kernelDilation: dilation, groups };
    return withBias(Tensor.of(build.conv(nodeOf(x), nodeOf(weight), attributes)), bias, rank);
  });
}

/**
 * The convolution of signals (`torch.nn.functional.conv1d`).
 * @param x [N, C, L] or [C, L]
 * @param weight [O, C / groups, K], of x's dtype
 * @param bias [O], or null
 * @returns [N, O, L'] with L' = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1
 * @throws ShapeError, DTypeError or ArgumentError where sizes, dtypes or options do not fit each other
 */
export function conv1d(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  return convolve("conv1d", 1, x, weight, bias, options);
}

/**
 * The convolution of images (`torch.nn.functional.conv2d`).
 * @param x [N, C, H, W] or [C, H, W]
 * @param weight [O, C / groups, KH, KW], of x's dtype
 * @param bias [O], or null
 * @returns [N, O, H', W'], with sizes as of `conv1d`
 * @throws ShapeError, DTypeError or ArgumentError where sizes, dtypes or options do not fit each other
 * @example
 * const blurred = F.conv2d(x, gd.full([1, 1, 3, 3], 1 / 9), null, { padding: 1 });
 */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  return convolve("conv2d", 2, x, weight, bias, options);
}

/**
 * The convolution of volumes (`torch.nn.functional.conv3d`).
 * @param x [N, C, D, H, W] or [C, D, H, W]
 * @param weight [O, C / groups, KD, KH, KW], of x's dtype
 * @param bias [O], or null
 * @returns [N, O, D', H', W'], with sizes as of `conv1d`
 * @throws ShapeError, DTypeError or ArgumentError where sizes, dtypes or options do not fit each other
 */
export function conv3d(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: ConvOptions = {}): Tensor {
  return convolve("conv3d", 3, x, weight, bias, options);
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
  return batched(operation, input, weight, rank, (x) => {
    const [inputs, outputsPerGroup, ...kernel] = weight.shape;
    const groups = groupsOf(operation, options.groups ?? 1, inputs);
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
    checkOperands(operation, x, { weight, bias, inputs, outputs: outputsPerGroup * groups });
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

/**
 * The transposed convolution of signals (`torch.nn.functional.conv_transpose1d`).
 * @param x [N, C, L] or [C, L]
 * @param weight [C, O / groups, K], of x's dtype
 * @param bias [O], or null
 * @returns [N, O, L'] with L' = (L - 1) stride - 2 padding + dilation (K - 1) + outputPadding + 1
 * @throws ShapeError, DTypeError or ArgumentError where sizes, dtypes or options do not fit each other
 */
export function convTranspose1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convolveTransposed("convTranspose1d", 1, x, weight, bias, options);
}

/**
 * The transposed convolution of images (`torch.nn.functional.conv_transpose2d`).
 * @param x [N, C, H, W] or [C, H, W]
 * @param weight [C, O / groups, KH, KW], of x's dtype
 * @param bias [O], or null
 * @returns [N, O, H', W'], with sizes as of `convTranspose1d`
 * @throws ShapeError, DTypeError or ArgumentError where sizes, dtypes or options do not fit each other
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convolveTransposed("convTranspose2d", 2, x, weight, bias, options);
}

/**
 * The transposed convolution of volumes (`torch.nn.functional.conv_transpose3d`).
 * @param x [N, C, D, H, W] or [C, D, H, W]
 * @param weight [C, O / groups, KD, KH, KW], of x's dtype
 * @param bias [O], or null
 * @returns [N, O, D', H', W'], with sizes as of `convTranspose1d`
 * @throws ShapeError, DTypeError or ArgumentError where sizes, dtypes or options do not fit each other
 */
export function convTranspose3d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convolveTransposed("convTranspose3d", 3, x, weight, bias, options);
}
