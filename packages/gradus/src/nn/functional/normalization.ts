// Normalizations: over the batch (Ioffe and Szegedy, 2015), over features (Ba et al., 2016), over groups of channels (Wu
// and He, 2018), over single channels (Ulyanov et al., 2016), by the root mean square (Zhang and Sennrich, 2019), and by
// what neighbouring channels do (Krizhevsky et al., 2012). All but the last two are (x - mean) / sqrt(var + eps) with the
// variance of n, not n - 1.

import { ArgumentError, type DType, noGrad, ShapeError, type Tensor } from "../../tensor/index.ts";

/** What normalizations with learned scales and shifts share. */
export interface AffineOptions {
  /** Multiplied after normalizing. Default null, for none. */
  readonly weight?: Tensor | null;
  /** Added at the end. Default null, for none. */
  readonly bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

interface Standardized {
  readonly normalized: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
}

function standardize(x: Tensor, dims: readonly number[], eps: number): Standardized {
  const mean = x.mean(dims, { keepdim: true });
  const centered = x.sub(mean);
  const variance = centered.mul(centered).mean(dims, { keepdim: true });
  return { normalized: centered.mul(variance.add(eps).rsqrt()), mean, variance };
}

function affine(x: Tensor, { weight, bias }: AffineOptions, shape: readonly number[]): Tensor {
  const scaled = weight ? x.mul(weight.reshape(shape)) : x;
  return bias ? scaled.add(bias.reshape(shape)) : scaled;
}

/** A shape by which a vector of channels broadcasts with [N, C, ...]. */
const channelShape = (x: Tensor): number[] => x.shape.map((extent, axis) => (axis === 1 ? extent : 1));

const allAxes = (x: Tensor): number[] => x.shape.map((_, axis) => axis);

/** The spatial axes of [N, C, ...]. */
const spatialAxes = (x: Tensor): number[] => allAxes(x).slice(2);

/** old + momentum (new - old), assigned. */
function update(running: Tensor, observed: Tensor, momentum: number | Tensor): void {
  const value = observed.reshape(running.shape);
  const kept = typeof momentum === "number" ? running.mul(1 - momentum) : running.mul(momentum.rsub(1));
  running.copy_(kept.add(value.mul(momentum)));
}

/** Throws unless a scale, a shift or a statistic has a number for each channel of [N, C, ...]. */
function checkChannels(operation: string, x: Tensor, perChannel: Readonly<Record<string, Tensor | null>>): void {
  if (x.ndim < 2) throw new ShapeError(operation, [x.shape], "there are no channels", "Give it [N, C, ...].");
  for (const [name, tensor] of Object.entries(perChannel)) {
    if (tensor === null || tensor.numel() === x.shape[1]) continue;
    throw new ShapeError(
      operation,
      [x.shape, tensor.shape],
      `the input has ${x.shape[1]} channels, ${name} has ${tensor.numel()}`,
      `Give it an input of [N, ${tensor.numel()}, ...].`,
    );
  }
}

/** Options of `batchNorm`. */
export interface BatchNormOptions extends AffineOptions {
  /** Whether the batch's own statistics are used, and the running ones updated. Default false. */
  readonly training?: boolean;
  /** How much of a running statistic is the newest batch's; a tensor for one that changes. Default 0.1. */
  readonly momentum?: number | Tensor;
}

/**
 * Normalizes each channel over the batch (`torch.nn.functional.batch_norm`).
 * @param x [N, C] or [N, C, ...]
 * @param runningMean [C], updated in training, used in evaluation
 * @param runningVar [C], of the unbiased variance
 * @param options weight and bias are [C]
 * @throws ShapeError where a channel has a single value in training, or there are no statistics in evaluation
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null = null,
  runningVar: Tensor | null = null,
  options: BatchNormOptions = {},
): Tensor {
  const { training = false, momentum = 0.1, eps = 1e-5, weight = null, bias = null } = options;
  checkChannels("batchNorm", x, { weight, bias, runningMean, runningVar });
  if (!training) return byRunningStatistics("batchNorm", x, runningMean, runningVar, options);
  const dims = allAxes(x).filter((axis) => axis !== 1);
  const count = dims.reduce((product, axis) => product * x.shape[axis], 1);
  // An empty batch tells nothing about the statistics.
  if (count === 0) return affine(x, options, channelShape(x));
  if (count === 1) {
    throw new ShapeError(
      "batchNorm",
      [x.shape],
      "in training a channel needs more than 1 value",
      "Use a larger batch (DataLoader's dropLast), or call eval().",
    );
  }
  const { normalized, mean, variance } = standardize(x, dims, eps);
  noGrad(() => {
    if (runningMean !== null) update(runningMean, mean, momentum);
    if (runningVar !== null) update(runningVar, variance.mul(count / (count - 1)), momentum);
  });
  return affine(normalized, options, channelShape(x));
}

/** Scale and shift per channel are computed first: one multiplication and one addition per element. */
function byRunningStatistics(
  operation: string,
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  { weight, bias, eps = 1e-5 }: AffineOptions,
): Tensor {
  if (runningMean === null || runningVar === null) {
    throw new ShapeError(
      operation,
      [x.shape],
      "there are no running statistics to evaluate with",
      operation === "batchNorm" ? "Pass training: true." : "Pass useInputStats: true.",
    );
  }
  const scale = runningVar.add(eps).rsqrt();
  const slope = weight ? scale.mul(weight) : scale;
  const shift = bias ? bias.sub(runningMean.mul(slope)) : runningMean.mul(slope).neg();
  const shape = channelShape(x);
  return x.mul(slope.reshape(shape)).add(shift.reshape(shape));
}

/** Options of `instanceNorm`. */
export interface InstanceNormOptions extends AffineOptions {
  /** Whether each sample's own statistics are used, and the running ones updated, if there are any. Default true. */
  readonly useInputStats?: boolean;
  /** How much of a running statistic is the newest batch's. Default 0.1. */
  readonly momentum?: number;
}

/**
 * Normalizes each channel of each sample over its extent (`torch.nn.functional.instance_norm`).
 * @param x [N, C, ...] with one dimension or more of extent
 * @param runningMean [C], updated with the mean over the samples
 * @param runningVar [C], of the unbiased variance
 * @param options weight and bias are [C]
 * @throws ShapeError where a channel of a sample has a single value, or there are no statistics to use
 */
export function instanceNorm(
  x: Tensor,
  runningMean: Tensor | null = null,
  runningVar: Tensor | null = null,
  options: InstanceNormOptions = {},
): Tensor {
  const { useInputStats = true, momentum = 0.1, eps = 1e-5, weight = null, bias = null } = options;
  checkChannels("instanceNorm", x, { weight, bias, runningMean, runningVar });
  if (!useInputStats) return byRunningStatistics("instanceNorm", x, runningMean, runningVar, options);
  if (x.ndim < 3) {
    throw new ShapeError(
      "instanceNorm",
      [x.shape],
      "channels have no extent to normalize over",
      "Give it [N, C, ...].",
    );
  }
  if (x.numel() === 0) return affine(x, options, channelShape(x));
  const dims = spatialAxes(x);
  const count = dims.reduce((product, axis) => product * x.shape[axis], 1);
  if (count === 1) {
    throw new ShapeError(
      "instanceNorm",
      [x.shape],
      "a channel of a sample needs more than 1 value",
      "Normalize before the extent has shrunk to one, or use LayerNorm.",
    );
  }
  const { normalized, mean, variance } = standardize(x, dims, eps);
  noGrad(() => {
    if (runningMean !== null) update(runningMean, mean.mean(0), momentum);
    if (runningVar !== null) update(runningVar, variance.mean(0).mul(count / (count - 1)), momentum);
  });
  return affine(normalized, options, channelShape(x));
}

/** The axes of the normalized shape. @throws ShapeError unless the input ends in it */
function normalizedAxes(operation: string, x: Tensor, normalizedShape: readonly number[]): number[] {
  const rank = normalizedShape.length;
  if (rank === 0) throw new ArgumentError(operation, "the normalized shape is empty", "Name one dimension or more.");
  const tail = x.shape.slice(-rank);
  if (tail.join() !== normalizedShape.join()) {
    const layer = operation === "rmsNorm" ? "RMSNorm" : "LayerNorm";
    throw new ShapeError(
      operation,
      [x.shape, normalizedShape],
      "the input does not end in the normalized shape",
      `Make the layer as ${layer}([${tail.join(", ")}]).`,
    );
  }
  return allAxes(x).slice(x.ndim - rank);
}

/**
 * Normalizes over the last dimensions (`torch.nn.functional.layer_norm`).
 * @param x [..., ...normalizedShape]
 * @param normalizedShape the extents of the last dimensions
 * @param options weight and bias have the normalized shape
 * @throws ShapeError unless the input ends in the normalized shape
 */
export function layerNorm(x: Tensor, normalizedShape: readonly number[], options: AffineOptions = {}): Tensor {
  const dims = normalizedAxes("layerNorm", x, normalizedShape);
  return affine(standardize(x, dims, options.eps ?? 1e-5).normalized, options, normalizedShape);
}

/** The distance from 1 to the next larger number, which is what `eps` is where none is given. */
const machineEpsilon: { readonly [D in DType]?: number } = { float32: 2 ** -23, float64: 2 ** -52 };

/** Options of `rmsNorm`. */
export interface RMSNormOptions {
  /** Multiplied after normalizing; of the normalized shape. Default null, for none. */
  readonly weight?: Tensor | null;
  /** Added to the mean square. Default null, for the machine epsilon of the input's dtype. */
  readonly eps?: number | null;
}

/**
 * Divides by the root mean square of the last dimensions: x / sqrt(mean(x^2) + eps) (`torch.nn.functional.rms_norm`).
 * @param x [..., ...normalizedShape]
 * @param normalizedShape the extents of the last dimensions
 * @throws ShapeError unless the input ends in the normalized shape
 */
export function rmsNorm(x: Tensor, normalizedShape: readonly number[], options: RMSNormOptions = {}): Tensor {
  const dims = normalizedAxes("rmsNorm", x, normalizedShape);
  const eps = options.eps ?? machineEpsilon[x.dtype] ?? 2 ** -23;
  const meanSquare = x.mul(x).mean(dims, { keepdim: true });
  return affine(x.mul(meanSquare.add(eps).rsqrt()), { weight: options.weight }, normalizedShape);
}

/**
 * Normalizes each sample over groups of its channels (`torch.nn.functional.group_norm`).
 * @param x [N, C, ...]
 * @param numGroups how many groups; it divides C
 * @param options weight and bias are [C]
 * @throws ShapeError if the channels cannot be divided so, or where all there is is a single value
 */
export function groupNorm(x: Tensor, numGroups: number, options: AffineOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = options;
  checkChannels("groupNorm", x, { weight, bias });
  const [batch, channels, ...spatial] = x.shape;
  if (!(channels % numGroups === 0)) {
    throw new ShapeError(
      "groupNorm",
      [x.shape],
      `${channels} channels cannot be divided into ${numGroups} groups`,
      "Use a number of groups that divides the channels.",
    );
  }
  // PyTorch's condition: a batch of single values is let through, though it becomes zeros.
  if (x.numel() > 0 && x.numel() === numGroups) {
    throw new ShapeError(
      "groupNorm",
      [x.shape],
      `each of ${numGroups} groups has a single value`,
      "Use fewer groups, or an input with an extent.",
    );
  }
  const grouped = x.reshape([batch, numGroups, channels / numGroups, ...spatial]);
  const normalized = standardize(grouped, spatialAxes(grouped), eps).normalized.reshape(x.shape);
  return affine(normalized, options, channelShape(x));
}

/** Options of `localResponseNorm` and `LocalResponseNorm`. */
export interface LocalResponseNormOptions {
  /** How much the neighbours count. Default 1e-4. */
  readonly alpha?: number;
  /** The power of the divisor. Default 0.75. */
  readonly beta?: number;
  /** The divisor where all neighbours are 0. Default 1. */
  readonly k?: number;
}

/**
 * Divides each element by a power of the mean square of `size` neighbouring channels, zeros beyond the ends included:
 * x / (k + alpha mean)^beta (`torch.nn.functional.local_response_norm`).
 * @param x [N, C, ...] with one dimension or more of extent
 * @param size how many channels, of which size / 2, rounded down, come before
 * @throws ShapeError for fewer than three dimensions
 */
export function localResponseNorm(
  x: Tensor,
  size: number,
  { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormOptions = {},
): Tensor {
  if (!(Number.isInteger(size) && size >= 1)) {
    throw new ArgumentError("localResponseNorm", `size is ${size}`, "Use an integer from 1.");
  }
  if (x.ndim < 3) {
    throw new ShapeError("localResponseNorm", [x.shape], "three dimensions are needed", "Give it [N, C, ...].");
  }
  if (x.numel() === 0) return x;
  const before = Math.floor(size / 2);
  const around = x.mul(x).pad([...spatialAxes(x).flatMap(() => [0, 0]), before, size - 1 - before]);
  const meanSquare = around.unfold(1, size, 1).mean(-1);
  return x.div(meanSquare.mul(alpha).add(k).pow(beta));
}
