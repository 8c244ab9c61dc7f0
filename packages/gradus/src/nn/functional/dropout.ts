// Dropout (Srivastava et al., 2014), inverted: what is kept is scaled up in training, so that evaluation does nothing.
// Whole channels are dropped after Tompson et al. (2015), and alpha dropout keeps mean and variance of what a SELU gives
// (Klambauer et al., 2017). Which elements are dropped depends on the default generator only, the same on every device.

import { ArgumentError, rand, ShapeError, type Tensor, where } from "../../tensor/index.ts";
import { seluAlpha, seluScale, type TrainingOptions } from "./activation.ts";

/** Throws unless p is a probability. */
export function checkProbability(operation: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(operation, `${p} is no probability`, "Use a number from 0 to 1.");
}

/** x with 0 for what is dropped. `shape` is x's with 1 for dimensions that share one decision. */
function drop(x: Tensor, p: number, shape: readonly number[]): Tensor {
  if (p === 1) return x.mul(0);
  return where(rand(shape).ge(p), x.mul(1 / (1 - p)), 0);
}

/** What is dropped becomes the SELU's limit at minus infinity, and an affine map restores mean and variance. */
function dropToLimit(x: Tensor, p: number, shape: readonly number[]): Tensor {
  if (p === 1) return x.mul(0);
  const limit = -seluAlpha * seluScale;
  const scale = 1 / Math.sqrt((1 - p) * (1 + p * limit * limit));
  const shift = -scale * p * limit;
  return where(rand(shape).ge(p), x.mul(scale).add(shift), scale * limit + shift);
}

/** One decision for each channel of [N, C, ...]. */
const perChannel = (x: Tensor): number[] => x.shape.map((extent, axis) => (axis < 2 ? extent : 1));

function checkRank(operation: string, x: Tensor, shapes: readonly string[], ranks: readonly number[]): void {
  if (ranks.includes(x.ndim)) return;
  throw new ShapeError(operation, [x.shape], "channels are not told from the rest", `Give it ${shapes.join(" or ")}.`);
}

/**
 * Sets elements to 0 with probability p in training, and scales the others by 1 / (1 - p).
 * @param x any shape
 * @param options training by default; else x comes back as it is
 * @throws ArgumentError unless p lies in [0, 1]
 */
export function dropout(x: Tensor, p = 0.5, { training = true }: TrainingOptions = {}): Tensor {
  checkProbability("dropout", p);
  return training && p > 0 ? drop(x, p, x.shape) : x;
}

/**
 * Sets whole channels to 0 with probability p in training, and scales the others by 1 / (1 - p).
 * @param x [N, C, L] or [C, L]
 * @param options training by default; else x comes back as it is
 * @throws ShapeError for another number of dimensions
 */
export function dropout1d(x: Tensor, p = 0.5, { training = true }: TrainingOptions = {}): Tensor {
  checkProbability("dropout1d", p);
  checkRank("dropout1d", x, ["[N, C, L]", "[C, L]"], [2, 3]);
  if (!training || p === 0) return x;
  return x.ndim === 2 ? drop(x, p, [x.shape[0], 1]) : drop(x, p, perChannel(x));
}

/**
 * Sets whole channels to 0 with probability p in training, and scales the others by 1 / (1 - p).
 * @param x [N, C, H, W]; three dimensions are [N, C, L], as in PyTorch, not one image
 * @param options training by default; else x comes back as it is
 * @throws ShapeError for another number of dimensions
 */
export function dropout2d(x: Tensor, p = 0.5, { training = true }: TrainingOptions = {}): Tensor {
  checkProbability("dropout2d", p);
  checkRank("dropout2d", x, ["[N, C, H, W]", "[N, C, L]"], [3, 4]);
  return training && p > 0 ? drop(x, p, perChannel(x)) : x;
}

/**
 * Sets whole channels to 0 with probability p in training, and scales the others by 1 / (1 - p).
 * @param x [N, C, D, H, W] or [C, D, H, W]
 * @param options training by default; else x comes back as it is
 * @throws ShapeError for another number of dimensions
 */
export function dropout3d(x: Tensor, p = 0.5, { training = true }: TrainingOptions = {}): Tensor {
  checkProbability("dropout3d", p);
  checkRank("dropout3d", x, ["[N, C, D, H, W]", "[C, D, H, W]"], [4, 5]);
  if (!training || p === 0) return x;
  return x.ndim === 4 ? drop(x, p, [x.shape[0], 1, 1, 1]) : drop(x, p, perChannel(x));
}

/**
 * Dropout that keeps mean 0 and variance 1, as networks of SELUs need it: elements become the SELU's lower limit with
 * probability p in training, and all are scaled and shifted.
 * @param x any shape
 * @param options no training by default, as in PyTorch: x comes back as it is
 */
export function alphaDropout(x: Tensor, p = 0.5, { training = false }: TrainingOptions = {}): Tensor {
  checkProbability("alphaDropout", p);
  return training && p > 0 ? dropToLimit(x, p, x.shape) : x;
}

/**
 * Alpha dropout of whole channels.
 * @param x [N, C, ...]
 * @param options no training by default, as in PyTorch: x comes back as it is
 * @throws ShapeError if there is no dimension of channels
 */
export function featureAlphaDropout(x: Tensor, p = 0.5, { training = false }: TrainingOptions = {}): Tensor {
  checkProbability("featureAlphaDropout", p);
  if (x.ndim < 2) {
    throw new ShapeError("featureAlphaDropout", [x.shape], "there are no channels", "Give it [N, C, ...].");
  }
  return training && p > 0 ? dropToLimit(x, p, perChannel(x)) : x;
}
