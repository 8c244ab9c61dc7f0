// Losses of yes-or-no decisions, one or several at each place (`torch.nn.functional`). Those of logits are made of
// softplus, which neither overflows nor loses small values.

import { type Tensor, where } from "../../../tensor/index.ts";
import { stableSoftplus } from "../activation.ts";
import { checkClassWeight, checkSameShape, type LossOptions, reduce } from "./reduction.ts";

/** Options of `binaryCrossEntropy` and `BCELoss`. */
export interface BCEOptions extends LossOptions {
  /** A factor for each element; it broadcasts. Default: all alike. */
  readonly weight?: Tensor | null;
}

/** Options of `binaryCrossEntropyWithLogits` and `BCEWithLogitsLoss`. */
export interface BCEWithLogitsOptions extends BCEOptions {
  /** How much positive examples count, for example negatives / positives; it broadcasts, mostly as [C]. Default 1. */
  readonly posWeight?: Tensor | null;
}

/** Options of `multilabelSoftMarginLoss` and `MultiLabelSoftMarginLoss`. */
export interface MultiLabelSoftMarginOptions extends LossOptions {
  /** How much each class counts, [C]. Default: all alike. */
  readonly weight?: Tensor | null;
}

/** log(p), not below -100. */
function clampedLog(p: Tensor): Tensor {
  return p.log().clamp(-100);
}

/** Below this p (1 - p) counts as so much in the slope, which PyTorch thus keeps finite. */
const smallestSpread = 1e-12;

/**
 * The cross-entropy of probabilities with targets from 0 to 1 (`binary_cross_entropy`). Logarithms are cut off at -100, as
 * in PyTorch. Prefer `binaryCrossEntropyWithLogits`, which is exact.
 * @param input probabilities, any shape
 * @param target from 0 to 1, the same shape
 * @throws ShapeError if the shapes differ
 */
export function binaryCrossEntropy(input: Tensor, target: Tensor, options: BCEOptions = {}): Tensor {
  checkSameShape("binaryCrossEntropy", [input, target]);
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
  return reduce("binaryCrossEntropy", options.weight ? loss.mul(options.weight) : loss, options.reduction);
}

/**
 * The cross-entropy of sigmoid(input) with targets from 0 to 1 (`binary_cross_entropy_with_logits`), without overflow.
 * @param input logits, any shape
 * @param target from 0 to 1, the same shape
 * @throws ShapeError if the shapes differ
 */
export function binaryCrossEntropyWithLogits(
  input: Tensor,
  target: Tensor,
  options: BCEWithLogitsOptions = {},
): Tensor {
  checkSameShape("binaryCrossEntropyWithLogits", [input, target]);
  // -log sigmoid(x) = softplus(-x), and -log(1 - sigmoid(x)) = x + softplus(-x).
  const positive = stableSoftplus(input.neg());
  const factor = options.posWeight ? options.posWeight.sub(1).mul(target).add(1) : null;
  const loss = target
    .rsub(1)
    .mul(input)
    .add(factor === null ? positive : positive.mul(factor));
  return reduce("binaryCrossEntropyWithLogits", options.weight ? loss.mul(options.weight) : loss, options.reduction);
}

/**
 * log(1 + exp(-target input)) (`soft_margin_loss`), without overflow.
 * @param input any shape
 * @param target 1 or -1, the same shape
 * @throws ShapeError if the shapes differ
 */
export function softMarginLoss(input: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  checkSameShape("softMarginLoss", [input, target]);
  return reduce("softMarginLoss", stableSoftplus(input.mul(target).neg()), reduction);
}

/**
 * For every class a yes or no: the mean over classes of the cross-entropy of sigmoid(input)
 * (`multilabel_soft_margin_loss`).
 * @param input logits, [N, C], or any shape whose last dimension is classes
 * @param target 0 or 1, the same shape
 * @returns the reduction of [N], or of all dimensions but the last
 * @throws ShapeError if the shapes differ
 */
export function multilabelSoftMarginLoss(
  input: Tensor,
  target: Tensor,
  { reduction, weight = null }: MultiLabelSoftMarginOptions = {},
): Tensor {
  checkSameShape("multilabelSoftMarginLoss", [input, target]);
  checkClassWeight("multilabelSoftMarginLoss", weight, input, input.shape[input.ndim - 1]);
  const loss = binaryCrossEntropyWithLogits(input, target, { weight, reduction: "none" });
  return reduce("multilabelSoftMarginLoss", loss.mean(-1), reduction);
}
