// Losses with a margin (`torch.nn.functional`): what is right by more than the margin costs nothing. At the hinge itself
// the slope is PyTorch's, which is the cost's for `hingeEmbeddingLoss` and `marginRankingLoss` and 0 for the others.

import { ArgumentError, arange, DTypeError, isFloat, ShapeError, type Tensor, where } from "../../../tensor/index.ts";
import { selectClasses } from "./classification.ts";
import { checkSameShape, type LossOptions, reduce } from "./reduction.ts";

/** Options of `hingeLoss` and `HingeLoss`. */
export interface HingeOptions extends LossOptions {
  /** Whether the hinge is squared, which makes its slope continuous. Default false. */
  readonly squared?: boolean;
}

/** Options of `hingeEmbeddingLoss` and `HingeEmbeddingLoss`. */
export interface HingeEmbeddingOptions extends LossOptions {
  /** The distance from which dissimilar pairs cost nothing. Default 1. */
  readonly margin?: number;
}

/** Options of `marginRankingLoss` and `MarginRankingLoss`. */
export interface MarginRankingOptions extends LossOptions {
  /** By how much the higher one must be higher. Default 0. */
  readonly margin?: number;
}

/** Options of `multiMarginLoss` and `MultiMarginLoss`. */
export interface MultiMarginOptions extends LossOptions {
  /** The exponent: 1 or 2. Default 1. */
  readonly p?: number;
  /** By how much the right class must exceed the others. Default 1. */
  readonly margin?: number;
  /** How much each class counts, [C]. Default: all alike. */
  readonly weight?: Tensor | null;
}

/**
 * The hinge of a linear classifier, max(0, 1 - target input) (Cortes and Vapnik, 1995). Gradus's own: PyTorch has only
 * `hinge_embedding_loss`, which is another.
 * @param input scores, any shape
 * @param target 1 or -1, the same shape; what is neither gives NaN rather than a wrong number
 * @throws ShapeError if the shapes differ
 */
export function hingeLoss(input: Tensor, target: Tensor, { reduction, squared = false }: HingeOptions = {}): Tensor {
  checkSameShape("hingeLoss", [input, target]);
  const hinge = input.mul(target).rsub(1).relu();
  const known = target.eq(1).logicalOr(target.eq(-1));
  return reduce("hingeLoss", where(known, squared ? hinge.mul(hinge) : hinge, Number.NaN), reduction);
}

/**
 * Of pairs whose distance is known: the distance where they are alike, max(0, margin - distance) where not
 * (`hinge_embedding_loss`).
 * @param input distances, any shape
 * @param target 1 for alike or -1, the same shape
 * @throws ShapeError if the shapes differ
 */
export function hingeEmbeddingLoss(
  input: Tensor,
  target: Tensor,
  { reduction, margin = 1 }: HingeEmbeddingOptions = {},
): Tensor {
  checkSameShape("hingeEmbeddingLoss", [input, target]);
  const apart = where(target.eq(1), 0, input.rsub(margin).clamp(0));
  const alike = where(target.eq(-1), 0, input);
  return reduce("hingeEmbeddingLoss", apart.add(alike), reduction);
}

/**
 * max(0, margin - target (input1 - input2)): which of two should be ranked higher (`margin_ranking_loss`).
 * @param input1 any shape
 * @param input2 the same shape
 * @param target 1 if the first is to be higher, -1 if the second; the same shape
 * @throws ShapeError if the shapes differ
 */
export function marginRankingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { reduction, margin = 0 }: MarginRankingOptions = {},
): Tensor {
  checkSameShape("marginRankingLoss", [input1, input2, target], "both inputs and the target must have one shape");
  const cost = input1.sub(input2).mul(target).rsub(margin);
  return reduce("marginRankingLoss", cost.clamp(0), reduction);
}

/**
 * The hinge of several classes: the sum over wrong classes of max(0, margin - input[target] + input[i])^p, divided by
 * their number C (`multi_margin_loss`; Crammer and Singer, 2001).
 * @param input scores, [C] or [N, C]
 * @param target class indices of integers, [] or [N]; one that is no class gives NaN
 * @throws ShapeError, DTypeError if the target does not fit the input; ArgumentError if `p` is neither 1 nor 2
 */
export function multiMarginLoss(
  input: Tensor,
  target: Tensor,
  { reduction, p = 1, margin = 1, weight = null }: MultiMarginOptions = {},
): Tensor {
  if (p !== 1 && p !== 2) throw new ArgumentError("multiMarginLoss", `the exponent p is ${p}`, "Use 1 or 2.");
  checkRowsOfClasses("multiMarginLoss", input);
  const selection = selectClasses("multiMarginLoss", input, target, { weight, ignoreIndex: null });
  const { hit, unknown, weights, axis } = selection;
  const right = where(hit, input, 0).sum(axis, { keepdim: true });
  const hinge = input.sub(right).add(margin).relu();
  const cost = where(hit, 0, p === 1 ? hinge : hinge.mul(hinge));
  const mean = cost.sum(axis).div(input.shape[axis]);
  const weighted = weight === null ? mean : mean.mul(weights);
  return reduce("multiMarginLoss", where(unknown, Number.NaN, weighted), reduction);
}

function checkRowsOfClasses(operation: string, input: Tensor): void {
  if (input.ndim === 1 || input.ndim === 2) return;
  throw new ShapeError(operation, [input.shape], "the input must be [C] or [N, C]", "Flatten places into N.");
}

/**
 * The hinge of several classes of which more than one may be right: the sum over every right class j and every wrong class
 * i of max(0, 1 - input[j] + input[i]), divided by the number of classes C (`multilabel_margin_loss`).
 * @param input scores, [C] or [N, C]
 * @param target the right classes' indices, in front, the rest filled with -1: integers of the input's shape. What follows
 *   the first -1 does not count; an index that is no class gives NaN.
 * @throws ShapeError if the shapes differ; DTypeError unless the target is of integers
 */
export function multilabelMarginLoss(input: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  checkRowsOfClasses("multilabelMarginLoss", input);
  checkSameShape("multilabelMarginLoss", [input, target], "the target must have the input's shape");
  if (isFloat(target.dtype)) {
    throw new DTypeError(
      "multilabelMarginLoss",
      [target.dtype],
      "class indices must be integers",
      'Cast the target with .to("int32").',
    );
  }
  const labels = target.to("int32");
  const classes = input.shape[input.ndim - 1];
  // [..., C]: whether the list has not ended.
  const listed = labels.lt(0).cumsum(-1).eq(0);
  // [..., place in the list, class]
  const hit = labels.unsqueeze(-1).eq(arange(classes)).logicalAnd(listed.unsqueeze(-1));
  const isRight = hit.any(-2).unsqueeze(-2);
  const right = where(hit, input.unsqueeze(-2), 0).sum(-1, { keepdim: true });
  const hinge = input.unsqueeze(-2).sub(right).add(1).relu();
  const cost = where(listed.unsqueeze(-1).logicalAnd(isRight.logicalNot()), hinge, 0);
  const loss = cost.sum([-2, -1]).div(classes);
  const unknown = labels.ge(classes).logicalAnd(listed).any(-1);
  return reduce("multilabelMarginLoss", where(unknown, Number.NaN, loss), reduction);
}
