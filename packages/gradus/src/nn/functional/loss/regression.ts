// Losses of regression (`torch.nn.functional`): distances of predictions from what was measured, and the likelihoods of
// Gaussian and Poisson noise.

import { ArgumentError, ShapeError, type Tensor, where } from "../../../tensor/index.ts";
import { checkPositive, checkSameShape, type LossOptions, reduce } from "./reduction.ts";

/** Options of `smoothL1Loss` and `SmoothL1Loss`. */
export interface SmoothL1Options extends LossOptions {
  /** Differences below it count squared. 0 makes it `l1Loss`. Default 1. */
  readonly beta?: number;
}

/** Options of `huberLoss` and `HuberLoss`. */
export interface HuberOptions extends LossOptions {
  /** Differences below it count squared. Default 1. */
  readonly delta?: number;
}

/** Options of `gaussianNllLoss` and `GaussianNLLLoss`. */
export interface GaussianNLLOptions extends LossOptions {
  /** Whether the constant log(2 pi) / 2 is added. Default false. */
  readonly full?: boolean;
  /** Smaller variances count as this. Default 1e-6. */
  readonly eps?: number;
}

/** Options of `poissonNllLoss` and `PoissonNLLLoss`. */
export interface PoissonNLLOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate, or the rate itself. Default true. */
  readonly logInput?: boolean;
  /** Whether log(target!) is added, in Stirling's approximation. Default false. */
  readonly full?: boolean;
  /** Added to the rate before its logarithm is taken; only without `logInput`. Default 1e-8. */
  readonly eps?: number;
}

/**
 * Squared differences (`mse_loss`).
 * @param input any shape
 * @param target the same shape
 * @throws ShapeError if the shapes differ
 */
export function mseLoss(input: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  checkSameShape("mseLoss", [input, target]);
  const difference = input.sub(target);
  return reduce("mseLoss", difference.mul(difference), reduction);
}

/**
 * Absolute differences (`l1_loss`); where there is none the slope is 0.
 * @param input any shape
 * @param target the same shape
 * @throws ShapeError if the shapes differ
 */
export function l1Loss(input: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  checkSameShape("l1Loss", [input, target]);
  return reduce("l1Loss", input.sub(target).abs(), reduction);
}

/**
 * d^2 / (2 beta) for differences d below `beta`, |d| - beta / 2 above (`smooth_l1_loss`; Girshick, 2015).
 * @param input any shape
 * @param target the same shape
 * @throws ShapeError if the shapes differ; ArgumentError if `beta` is negative
 */
export function smoothL1Loss(input: Tensor, target: Tensor, { reduction, beta = 1 }: SmoothL1Options = {}): Tensor {
  if (!(beta >= 0)) throw new ArgumentError("smoothL1Loss", `beta is ${beta}`, "Use a number from 0.");
  if (beta === 0) return l1Loss(input, target, { reduction });
  checkSameShape("smoothL1Loss", [input, target]);
  const difference = input.sub(target);
  const distance = difference.abs();
  const loss = where(distance.lt(beta), difference.mul(difference).mul(0.5 / beta), distance.sub(beta / 2));
  return reduce("smoothL1Loss", loss, reduction);
}

/**
 * d^2 / 2 for differences d up to `delta`, delta (|d| - delta / 2) above (`huber_loss`; Huber, 1964): `delta` times the
 * smooth L1 loss of `beta = delta`.
 * @param input any shape
 * @param target the same shape
 * @throws ShapeError if the shapes differ; ArgumentError unless `delta` is positive
 */
export function huberLoss(input: Tensor, target: Tensor, { reduction, delta = 1 }: HuberOptions = {}): Tensor {
  checkPositive("huberLoss", "delta", delta);
  checkSameShape("huberLoss", [input, target]);
  const difference = input.sub(target);
  const distance = difference.abs();
  const loss = where(distance.le(delta), difference.mul(difference).mul(0.5), distance.sub(delta / 2).mul(delta));
  return reduce("huberLoss", loss, reduction);
}

/** A variance for each element: of the input's shape, or one for all elements of the last dimension. */
function varianceLike(input: Tensor, variance: Tensor): Tensor {
  const leading = input.shape.slice(0, -1).join();
  if (variance.shape.join() === input.shape.join()) return variance;
  if (input.ndim > 0 && variance.shape.join() === leading) return variance.unsqueeze(-1);
  const last = variance.shape[variance.ndim - 1];
  if (variance.ndim === input.ndim && variance.shape.slice(0, -1).join() === leading && last === 1) return variance;
  throw new ShapeError(
    "gaussianNllLoss",
    [input.shape, variance.shape],
    "the variance must have the input's shape, or one element in place of the last dimension",
    "Use the shape of the input, with a last dimension of 1 if the variance is common to it.",
  );
}

/**
 * The negative log-likelihood of a normal distribution: (log v + (input - target)^2 / v) / 2 (`gaussian_nll_loss`; Nix
 * and Weigend, 1994).
 * @param input the mean, any shape
 * @param target the same shape
 * @param variance the variance v, of the same shape, or without the last dimension, or with 1 there. Below `eps` it counts
 *   as `eps`, and its slope is the one at `eps`; a negative one gives NaN.
 * @throws ShapeError if the shapes do not fit; ArgumentError unless `eps` is positive
 */
export function gaussianNllLoss(
  input: Tensor,
  target: Tensor,
  variance: Tensor,
  { reduction, full = false, eps = 1e-6 }: GaussianNLLOptions = {},
): Tensor {
  checkPositive("gaussianNllLoss", "eps", eps);
  checkSameShape("gaussianNllLoss", [input, target]);
  const given = varianceLike(input, variance);
  const raised = where(given.lt(eps), given.sub(given.detach()).add(eps), given);
  const v = where(given.lt(0), Number.NaN, raised);
  const difference = input.sub(target);
  const loss = difference.mul(difference).div(v).add(v.log()).mul(0.5);
  return reduce("gaussianNllLoss", full ? loss.add(0.5 * Math.log(2 * Math.PI)) : loss, reduction);
}

/** Stirling's approximation of log(n!) for n above 1; 0 for 0 and 1. */
function logFactorial(n: Tensor): Tensor {
  const large = n.gt(1);
  const safe = where(large, n, 1);
  const value = safe
    .mul(safe.log())
    .sub(safe)
    .add(
      safe
        .mul(2 * Math.PI)
        .log()
        .mul(0.5),
    );
  return where(large, value, 0);
}

/**
 * The negative log-likelihood of a Poisson distribution: exp(input) - target input, or without `logInput`
 * input - target log(input + eps) (`poisson_nll_loss`).
 * @param input the rate or its logarithm, any shape
 * @param target counts, the same shape
 * @throws ShapeError if the shapes differ
 */
export function poissonNllLoss(
  input: Tensor,
  target: Tensor,
  { reduction, logInput = true, full = false, eps = 1e-8 }: PoissonNLLOptions = {},
): Tensor {
  checkSameShape("poissonNllLoss", [input, target]);
  const loss = logInput ? input.exp().sub(target.mul(input)) : input.sub(target.mul(input.add(eps).log()));
  return reduce("poissonNllLoss", full ? loss.add(logFactorial(target)) : loss, reduction);
}
