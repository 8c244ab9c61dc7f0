// Losses of classification into one of several classes (`torch.nn.functional`). Class indices are looked up by comparing
// with 0 ... C - 1 and selecting: that reads what the softmax reads anyway, so it is part of the same loops, forwards and
// backwards. With 1,000 and with 30,000 classes it takes two thirds of the time of a gather, which would also have to store
// what it gathers from and scatter the gradient.

import {
  ArgumentError,
  arange,
  DTypeError,
  fullLike,
  isFloat,
  ShapeError,
  type Tensor,
  where,
} from "../../../tensor/index.ts";
import { alongClasses, checkClassWeight, type LossOptions, reduce, reduceWeighted } from "./reduction.ts";

/** Options of `nllLoss` and `NLLLoss`. */
export interface NLLOptions extends LossOptions {
  /** How much each class counts, [C]. Default: all alike. */
  readonly weight?: Tensor | null;
  /** Targets of this class do not count. Default -100. */
  readonly ignoreIndex?: number;
}

/** Options of `crossEntropy` and `CrossEntropyLoss`. */
export interface CrossEntropyOptions extends NLLOptions {
  /** How much of the target is spread evenly over all classes, from 0 to 1 (Szegedy et al., 2016). Default 0. */
  readonly labelSmoothing?: number;
}

/** What a target of class indices selects. */
export interface Selection {
  /** [N, C, ...], bool: the class of each place. */
  readonly hit: Tensor;
  /** [N, ...], bool: whether a place counts. */
  readonly counts: Tensor;
  /** [N, ...], bool: whether a place that counts names a class that does not exist. */
  readonly unknown: Tensor;
  /** [N, ...]: the weight of each place, 0 where it does not count. */
  readonly weights: Tensor;
  readonly axis: number;
}

interface Lookup {
  readonly weight?: Tensor | null;
  /** null: every place counts. */
  readonly ignoreIndex?: number | null;
}

/** The dimension of classes. */
const classAxis = (input: Tensor): number => (input.ndim === 1 ? 0 : 1);

/** Compares a target of class indices with all classes. @throws ShapeError, DTypeError if it is none for this input */
export function selectClasses(
  operation: string,
  input: Tensor,
  target: Tensor,
  { weight = null, ignoreIndex = -100 }: Lookup,
): Selection {
  const axis = classAxis(input);
  const expected = input.shape.filter((_, i) => i !== axis);
  if (input.ndim === 0 || target.shape.join() !== expected.join()) {
    throw new ShapeError(
      operation,
      [input.shape, target.shape],
      `class indices for this input must have the shape [${expected.join(", ")}]`,
      "The input is [N, C] or [N, C, ...], the target [N] or [N, ...].",
    );
  }
  if (isFloat(target.dtype)) {
    throw new DTypeError(
      operation,
      [target.dtype],
      "class indices must be integers",
      'Cast the target with .to("int32").',
    );
  }
  const classes = input.shape[axis];
  if (ignoreIndex !== null && (ignoreIndex | 0) !== ignoreIndex)
    throw new ArgumentError(operation, `an ignoreIndex of ${ignoreIndex} is no integer of 32 bits`);
  if (classes === 0) throw new ShapeError(operation, [input.shape], "there are no classes to choose from");
  checkClassWeight(operation, weight, input, classes);
  const labels = target.to("int32");
  const counts = ignoreIndex === null ? fullLike(labels, 1, { dtype: "bool" }) : labels.ne(ignoreIndex);
  const same = labels.unsqueeze(axis).eq(alongClasses(arange(classes), input.ndim));
  const mayHit = ignoreIndex !== null && ignoreIndex >= 0 && ignoreIndex < classes;
  const hit = mayHit ? same.logicalAnd(counts.unsqueeze(axis)) : same;
  const unknown = labels.lt(0).logicalOr(labels.ge(classes)).logicalAnd(counts);
  const weights =
    weight === null
      ? counts.to(input.dtype)
      : where(hit, alongClasses(weight.to(input.dtype), input.ndim), 0).sum(axis);
  return { hit, counts, unknown, weights, axis };
}

/** The losses of places, weighted: 0 where one does not count, NaN rather than a wrong number where its class does not exist. */
function placed(loss: Tensor, { counts, unknown, weights }: Selection, weight: Tensor | null = null): Tensor {
  const weighted = weight === null ? loss : loss.mul(weights);
  return where(unknown, Number.NaN, where(counts, weighted, 0));
}

/**
 * The negative log-likelihood of classes (`nll_loss`). The mean is over weights, so that what is ignored does not matter.
 * @param input log-probabilities, [C], [N, C] or [N, C, ...]
 * @param target class indices of integers, [], [N] or [N, ...]; one that is no class gives NaN
 * @throws ShapeError, DTypeError if the target does not fit the input
 */
export function nllLoss(input: Tensor, target: Tensor, options: NLLOptions = {}): Tensor {
  const selection = selectClasses("nllLoss", input, target, options);
  const picked = where(selection.hit, input, 0).sum(selection.axis).neg();
  return reduceWeighted("nllLoss", placed(picked, selection, options.weight), selection.weights, options.reduction);
}

/** Logits less their maximum, and the logarithm of the sum of their powers: their difference is the log-softmax. */
interface Normalized {
  /** [N, C, ...] */
  readonly shifted: Tensor;
  /** [N, ...] */
  readonly logSum: Tensor;
}

function normalize(input: Tensor, axis: number): Normalized {
  const shifted = input.sub(input.detach().amax(axis, { keepdim: true }));
  return { shifted, logSum: shifted.exp().sum(axis).log() };
}

function checkSmoothing(labelSmoothing: number): void {
  if (labelSmoothing >= 0 && labelSmoothing <= 1) return;
  throw new ArgumentError("crossEntropy", `a labelSmoothing of ${labelSmoothing} is not within 0 and 1`);
}

/**
 * The cross-entropy of a softmax with a target (`cross_entropy`).
 * @param input logits, [C], [N, C] or [N, C, ...]
 * @param target class indices of integers, [], [N] or [N, ...] (one that is no class gives NaN), or probabilities of
 *   floats in the input's shape
 * @throws ShapeError, DTypeError if the target does not fit the input; ArgumentError for a labelSmoothing beyond 0 to 1,
 *   and for an ignoreIndex with probabilities
 */
export function crossEntropy(input: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { reduction, labelSmoothing = 0, weight = null } = options;
  checkSmoothing(labelSmoothing);
  if (isFloat(target.dtype) && input.ndim > 0 && input.shape.join() === target.shape.join()) {
    return crossEntropyOfProbabilities(input, target, options);
  }
  const selection = selectClasses("crossEntropy", input, target, options);
  const { hit, counts, axis, weights } = selection;
  const { shifted, logSum } = normalize(input, axis);
  const picked = logSum.sub(where(hit, shifted, 0).sum(axis));
  const result = reduceWeighted("crossEntropy", placed(picked, selection, weight), weights, reduction);
  if (labelSmoothing === 0) return result;
  // Minus the log-probabilities of all classes, each with its weight.
  const negated = logSum.unsqueeze(axis).sub(shifted);
  const all = weight === null ? negated : negated.mul(alongClasses(weight.to(input.dtype), input.ndim));
  const smooth = reduceWeighted("crossEntropy", where(counts, all.sum(axis), 0), weights, reduction);
  return result.mul(1 - labelSmoothing).add(smooth.mul(labelSmoothing / input.shape[axis]));
}

/** The mean is over places, whatever the weights. */
function crossEntropyOfProbabilities(
  input: Tensor,
  target: Tensor,
  { reduction, labelSmoothing = 0, weight = null, ignoreIndex = -100 }: CrossEntropyOptions,
): Tensor {
  const axis = classAxis(input);
  const classes = input.shape[axis];
  if (ignoreIndex >= 0) {
    throw new ArgumentError(
      "crossEntropy",
      `an ignoreIndex of ${ignoreIndex} has no meaning for a target of probabilities`,
      "Give class indices, or set the probabilities of a place to 0.",
    );
  }
  checkClassWeight("crossEntropy", weight, input, classes);
  const wanted = labelSmoothing > 0 ? target.mul(1 - labelSmoothing).add(labelSmoothing / classes) : target;
  const products = input.logSoftmax(axis).mul(wanted);
  const weighted = weight === null ? products : products.mul(alongClasses(weight.to(input.dtype), input.ndim));
  return reduce("crossEntropy", weighted.sum(axis).neg(), reduction);
}
