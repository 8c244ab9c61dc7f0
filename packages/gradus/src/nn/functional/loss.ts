// Losses (`torch.nn.functional`). Every one ends in a reduction: the mean, the sum, or none. Class indices are looked up by
// comparing with 0 ... C - 1 and selecting, which fuses with what surrounds it.

import { ArgumentError, arange, DTypeError, isFloat, ShapeError, type Tensor, where } from "../../tensor/index.ts";
import { stableSoftplus } from "./activation.ts";

export type Reduction = "mean" | "sum" | "none";

export interface LossOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

export interface NLLOptions extends LossOptions {
  /** How much each class counts, [C]. */
  readonly weight?: Tensor | null;
  /** Targets of this class do not count. Default -100. */
  readonly ignoreIndex?: number;
}

export interface CrossEntropyOptions extends NLLOptions {
  /** How much of the target is spread evenly over all classes (Szegedy et al., 2016). Default 0. */
  readonly labelSmoothing?: number;
}

export interface BCEOptions extends LossOptions {
  /** A factor for each element; it broadcasts. */
  readonly weight?: Tensor | null;
}

export interface BCEWithLogitsOptions extends BCEOptions {
  /** How much positive examples count; it broadcasts. */
  readonly posWeight?: Tensor | null;
}

const reductions: { readonly [R in Reduction]: (loss: Tensor) => Tensor } = {
  mean: (loss) => loss.mean(),
  sum: (loss) => loss.sum(),
  none: (loss) => loss,
};

function reduce(operation: string, loss: Tensor, reduction: Reduction): Tensor {
  const rule = reductions[reduction];
  if (rule === undefined) {
    throw new ArgumentError(operation, `there is no reduction "${reduction}"`, 'Use "mean", "sum" or "none".');
  }
  return rule(loss);
}

function checkSameShape(operation: string, input: Tensor, target: Tensor): void {
  if (input.shape.join() !== target.shape.join()) {
    throw new ShapeError(
      operation,
      [input.shape, target.shape],
      "input and target have other shapes, and broadcasting them would not be meant",
      "Reshape one, for example with squeeze(1) or unsqueeze(1).",
    );
  }
}

/** The mean of squared differences. */
export function mseLoss(input: Tensor, target: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  checkSameShape("mseLoss", input, target);
  const difference = input.sub(target);
  return reduce("mseLoss", difference.mul(difference), reduction);
}

/** The mean of absolute differences. */
export function l1Loss(input: Tensor, target: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  checkSameShape("l1Loss", input, target);
  return reduce("l1Loss", input.sub(target).abs(), reduction);
}

/** Squared below `beta`, absolute above (Girshick, 2015). */
export function smoothL1Loss(
  input: Tensor,
  target: Tensor,
  { reduction = "mean", beta = 1 }: LossOptions & { beta?: number } = {},
): Tensor {
  if (beta === 0) return l1Loss(input, target, { reduction });
  checkSameShape("smoothL1Loss", input, target);
  const difference = input.sub(target);
  const distance = difference.abs();
  const loss = where(distance.lt(beta), difference.mul(difference).mul(0.5 / beta), distance.sub(beta / 2));
  return reduce("smoothL1Loss", loss, reduction);
}

/** A vector over classes, shaped to broadcast over [N, C, ...]. */
const alongClasses = (vector: Tensor, rank: number): Tensor =>
  vector.reshape([-1, ...new Array<number>(Math.max(0, rank - 2)).fill(1)]);

/** What a target of class indices selects. */
interface Selection {
  /** [N, C, ...], bool: the class of each place. */
  readonly hit: Tensor;
  /** [N, ...], bool: whether a place counts. */
  readonly counts: Tensor;
  /** [N, ...]: the weight of each place, 0 where it does not count. */
  readonly weights: Tensor;
  readonly axis: number;
}

function selectClasses(
  operation: string,
  input: Tensor,
  target: Tensor,
  { weight = null, ignoreIndex = -100 }: NLLOptions,
): Selection {
  const axis = input.ndim === 1 ? 0 : 1;
  const expected = input.shape.filter((_, i) => i !== axis);
  if (isFloat(target.dtype)) {
    throw new DTypeError(
      operation,
      [target.dtype],
      "class indices must be integers",
      'Cast the target with .to("int32").',
    );
  }
  if (input.ndim === 0 || target.shape.join() !== expected.join()) {
    throw new ShapeError(
      operation,
      [input.shape, target.shape],
      `class indices for this input must have the shape [${expected.join(", ")}]`,
      "The input is [N, C] or [N, C, ...], the target [N] or [N, ...].",
    );
  }
  const classes = input.shape[axis];
  if (weight !== null && (weight.ndim !== 1 || weight.shape[0] !== classes)) {
    throw new ShapeError(
      operation,
      [input.shape, weight.shape],
      `there must be one weight for each of ${classes} classes`,
    );
  }
  const labels = target.to("int32");
  const counts = labels.ne(ignoreIndex);
  const same = labels.unsqueeze(axis).eq(alongClasses(arange(classes), input.ndim));
  const hit = ignoreIndex >= 0 && ignoreIndex < classes ? same.logicalAnd(counts.unsqueeze(axis)) : same;
  const weights =
    weight === null
      ? counts.to(input.dtype)
      : where(hit, alongClasses(weight.to(input.dtype), input.ndim), 0).sum(axis);
  return { hit, counts, weights, axis };
}

/** Minus the selected log-probabilities. A class that does not exist gives NaN rather than a wrong number. */
function selectedLoss(logProbabilities: Tensor, { hit, counts, weights, axis }: Selection): Tensor {
  const classes = logProbabilities.shape[axis];
  const picked = where(hit, logProbabilities, 0).sum(axis).neg();
  const weighted = picked.mul(weights);
  if (classes === 0) return weighted;
  const unknown = hit.any(axis).logicalNot().logicalAnd(counts);
  return where(unknown, Number.NaN, weighted);
}

function reduceWeighted(operation: string, loss: Tensor, weights: Tensor, reduction: Reduction): Tensor {
  return reduction === "mean" ? loss.sum().div(weights.sum()) : reduce(operation, loss, reduction);
}

/**
 * The negative log-likelihood of classes. The mean is over weights, so that it does not depend on what is ignored.
 * @param input log-probabilities, [N, C] or [N, C, ...]
 * @param target class indices, [N] or [N, ...]; one that is no class gives NaN
 */
export function nllLoss(input: Tensor, target: Tensor, options: NLLOptions = {}): Tensor {
  const selection = selectClasses("nllLoss", input, target, options);
  return reduceWeighted("nllLoss", selectedLoss(input, selection), selection.weights, options.reduction ?? "mean");
}

/**
 * The cross-entropy of a softmax with a target (`torch.nn.functional.cross_entropy`).
 * @param input logits, [N, C] or [N, C, ...]
 * @param target class indices [N] or [N, ...] of integers (one that is no class gives NaN), or probabilities of floats in
 *   the input's shape
 */
export function crossEntropy(input: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { reduction = "mean", labelSmoothing = 0, weight = null } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ArgumentError("crossEntropy", `a labelSmoothing of ${labelSmoothing} is not within 0 and 1`);
  }
  const axis = input.ndim === 1 ? 0 : 1;
  if (isFloat(target.dtype) && input.shape.join() === target.shape.join()) {
    return crossEntropyOfProbabilities(input, target, axis, options);
  }
  const selection = selectClasses("crossEntropy", input, target, options);
  const logProbabilities = input.logSoftmax(axis);
  const loss = selectedLoss(logProbabilities, selection);
  const result = reduceWeighted("crossEntropy", loss, selection.weights, reduction);
  if (labelSmoothing === 0) return result;
  const classes = input.shape[axis];
  const all =
    weight === null ? logProbabilities : logProbabilities.mul(alongClasses(weight.to(input.dtype), input.ndim));
  const spread = where(selection.counts, all.sum(axis).neg(), 0);
  const smooth = reduceWeighted("crossEntropy", spread, selection.weights, reduction);
  return result.mul(1 - labelSmoothing).add(smooth.mul(labelSmoothing / classes));
}

function crossEntropyOfProbabilities(
  input: Tensor,
  target: Tensor,
  axis: number,
  { reduction = "mean", labelSmoothing = 0, weight = null }: CrossEntropyOptions,
): Tensor {
  const classes = input.shape[axis];
  const wanted = labelSmoothing > 0 ? target.mul(1 - labelSmoothing).add(labelSmoothing / classes) : target;
  const products = input.logSoftmax(axis).mul(wanted);
  const weighted = weight === null ? products : products.mul(alongClasses(weight.to(input.dtype), input.ndim));
  const loss = weighted.sum(axis).neg();
  // The mean is over places, whatever the weights.
  return reduce("crossEntropy", loss, reduction);
}

/** log(p), not below -100. */
function clampedLog(p: Tensor): Tensor {
  return p.log().clamp(-100);
}

/** Below this p (1 - p) counts as so much in the slope, which PyTorch thus keeps finite. */
const smallestSpread = 1e-12;

/**
 * The cross-entropy of probabilities with targets from 0 to 1; logarithms are cut off at -100, as in PyTorch. Prefer
 * `binaryCrossEntropyWithLogits`, which is exact.
 */
export function binaryCrossEntropy(input: Tensor, target: Tensor, options: BCEOptions = {}): Tensor {
  checkSameShape("binaryCrossEntropy", input, target);
  const entropy = (p: Tensor, log: (p: Tensor) => Tensor): Tensor =>
    target
      .mul(log(p))
      .add(target.rsub(1).mul(log(p.rsub(1))))
      .neg();
  const fixed = input.detach();
  const atEdge = fixed.mul(fixed.rsub(1)).lt(smallestSpread);
  const inside = entropy(where(atEdge, 0.5, input), (p) => p.log());
  // At 0 and 1 the logarithm's own slope is infinite: the value is a constant there, to which the slope is added.
  const slope = fixed.sub(target.detach()).div(smallestSpread);
  const edge = entropy(fixed, clampedLog).add(input.sub(fixed).mul(slope));
  const loss = where(atEdge, edge, inside);
  const weighted = options.weight ? loss.mul(options.weight) : loss;
  return reduce("binaryCrossEntropy", weighted, options.reduction ?? "mean");
}

/** The cross-entropy of sigmoid(input) with targets from 0 to 1, without overflow. */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: BCEWithLogitsOptions = {},
): Tensor {
  checkSameShape("binaryCrossEntropyWithLogits", input, target);
  // -log sigmoid(x) = softplus(-x), and -log(1 - sigmoid(x)) = x + softplus(-x).
  const positive = stableSoftplus(input.neg());
  const factor = options.posWeight ? options.posWeight.sub(1).mul(target).add(1) : null;
  const loss = target
    .rsub(1)
    .mul(input)
    .add(factor === null ? positive : positive.mul(factor));
  const weighted = options.weight ? loss.mul(options.weight) : loss;
  return reduce("binaryCrossEntropyWithLogits", weighted, options.reduction ?? "mean");
}
