// Normalizations: over the batch (Ioffe and Szegedy, 2015), over features (Ba et al., 2016), over groups of channels (Wu and
// He, 2018). All are (x - mean) / sqrt(var + eps) with the variance of n, not n - 1.

import { noGrad, ShapeError, type Tensor } from "../../tensor/index.ts";

export interface AffineOptions {
  readonly weight?: Tensor | null;
  readonly bias?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

export interface BatchNormOptions extends AffineOptions {
  /** Whether the batch's own statistics are used, and the running ones updated. Default false. */
  readonly training?: boolean;
  /** How much of a running statistic is the newest batch's; a tensor for one that changes. Default 0.1. */
  readonly momentum?: number | Tensor;
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

/** old + momentum (new - old), assigned. */
function update(running: Tensor, observed: Tensor, momentum: number | Tensor): void {
  const value = observed.reshape(running.shape);
  const kept = typeof momentum === "number" ? running.mul(1 - momentum) : running.mul(momentum.rsub(1));
  running.copy_(kept.add(value.mul(momentum)));
}

/**
 * Normalizes each channel over the batch (`torch.nn.functional.batch_norm`).
 * @param x [N, C] or [N, C, ...]
 * @param runningMean [C], updated in training, used in evaluation
 * @param runningVar [C], of the unbiased variance
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options: BatchNormOptions = {},
): Tensor {
  const { training = false, momentum = 0.1, eps = 1e-5 } = options;
  const channelShape = x.shape.map((extent, axis) => (axis === 1 ? extent : 1));
  if (!training) {
    if (runningMean === null || runningVar === null) {
      throw new ShapeError(
        "batchNorm",
        [x.shape],
        "there are no running statistics to evaluate with",
        "Pass training: true.",
      );
    }
    // Scale and shift per channel first: one multiplication and one addition per element.
    const scale = runningVar.add(eps).rsqrt();
    const slope = options.weight ? scale.mul(options.weight) : scale;
    const shift = options.bias ? options.bias.sub(runningMean.mul(slope)) : runningMean.mul(slope).neg();
    return x.mul(slope.reshape(channelShape)).add(shift.reshape(channelShape));
  }
  const dims = [...x.shape.keys()].filter((axis) => axis !== 1);
  const count = x.numel() / x.shape[1];
  if (!(count > 1)) {
    throw new ShapeError(
      "batchNorm",
      [x.shape],
      `in training a channel needs more than ${count} value`,
      "Use a larger batch (DataLoader's dropLast), or call eval().",
    );
  }
  const { normalized, mean, variance } = standardize(x, dims, eps);
  noGrad(() => {
    if (runningMean !== null) update(runningMean, mean, momentum);
    if (runningVar !== null) update(runningVar, variance.mul(count / (count - 1)), momentum);
  });
  return affine(normalized, options, channelShape);
}

/**
 * Normalizes over the last dimensions.
 * @param x [..., ...normalizedShape]; weight and bias have the normalized shape
 */
export function layerNorm(x: Tensor, normalizedShape: readonly number[], options: AffineOptions = {}): Tensor {
  const tail = x.shape.slice(-normalizedShape.length);
  if (tail.join() !== normalizedShape.join()) {
    throw new ShapeError(
      "layerNorm",
      [x.shape, normalizedShape],
      "the input does not end in the normalized shape",
      `Make the layer as LayerNorm([${tail.join(", ")}]).`,
    );
  }
  const dims = normalizedShape.map((_, i) => x.ndim - normalizedShape.length + i);
  return affine(standardize(x, dims, options.eps ?? 1e-5).normalized, options, normalizedShape);
}

/** Normalizes each sample over groups of its channels. @param x [N, C, ...] */
export function groupNorm(x: Tensor, numGroups: number, options: AffineOptions = {}): Tensor {
  const [batch, channels, ...spatial] = x.shape;
  if (!(channels % numGroups === 0)) {
    throw new ShapeError("groupNorm", [x.shape], `${channels} channels cannot be divided into ${numGroups} groups`);
  }
  const grouped = x.reshape([batch, numGroups, channels / numGroups, ...spatial]);
  const dims = [...grouped.shape.keys()].slice(2);
  const normalized = standardize(grouped, dims, options.eps ?? 1e-5).normalized.reshape(x.shape);
  return affine(normalized, options, [1, channels, ...spatial.map(() => 1)]);
}

/** Normalizes each channel of each sample over its extent (Ulyanov et al., 2016). @param x [N, C, ...] */
export function instanceNorm(x: Tensor, options: AffineOptions = {}): Tensor {
  if (x.ndim < 3) {
    throw new ShapeError(
      "instanceNorm",
      [x.shape],
      "channels have no extent to normalize over",
      "Give it [N, C, ...].",
    );
  }
  return groupNorm(x, x.shape[1], options);
}
