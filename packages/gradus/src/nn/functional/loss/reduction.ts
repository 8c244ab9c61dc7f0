// What all losses share: the reduction that each ends in, and the checks that each begins with.

import { ArgumentError, ShapeError, type Tensor } from "../../../tensor/index.ts";

/** How the losses of all places become one number: their mean, their sum, or not at all. */
export type Reduction = "mean" | "sum" | "none";

/** What every loss takes. */
export interface LossOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

const reductions: { readonly [R in Reduction]: (loss: Tensor) => Tensor } = {
  mean: (loss) => loss.mean(),
  sum: (loss) => loss.sum(),
  none: (loss) => loss,
};

/** @throws ArgumentError if there is no such reduction */
export function reduce(operation: string, loss: Tensor, reduction: Reduction = "mean"): Tensor {
  const rule = Object.hasOwn(reductions, reduction) ? reductions[reduction] : undefined;
  if (rule === undefined) {
    throw new ArgumentError(operation, `there is no reduction "${reduction}"`, 'Use "mean", "sum" or "none".');
  }
  return rule(loss);
}

/** The mean is over weights, so that places which do not count do not matter. */
export function reduceWeighted(
  operation: string,
  loss: Tensor,
  weights: Tensor,
  reduction: Reduction = "mean",
): Tensor {
  return reduction === "mean" ? loss.sum().div(weights.sum()) : reduce(operation, loss, reduction);
}

/** @throws ShapeError unless all tensors have one shape: a loss that broadcasts is nearly always a mistake */
export function checkSameShape(
  operation: string,
  tensors: readonly Tensor[],
  problem = "input and target have other shapes, and broadcasting them would not be meant",
): void {
  const [first, ...others] = tensors.map(({ shape }) => shape);
  if (others.every((shape) => shape.join() === first.join())) return;
  const remedy = "Reshape one, for example with squeeze(1) or unsqueeze(1).";
  throw new ShapeError(operation, [first, ...others], problem, remedy);
}

/** @throws ArgumentError unless a setting is a number above 0 */
export function checkPositive(operation: string, name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw new ArgumentError(operation, `${name} is ${value}`, "Use a number above 0.");
}

/** A weight for each class, [C], shaped to broadcast over the class dimension of `[N, C, ...]`, or over `[C]`. */
export const alongClasses = (vector: Tensor, rank: number): Tensor =>
  vector.reshape([-1, ...new Array<number>(Math.max(0, rank - 2)).fill(1)]);

/** @throws ShapeError unless there is one weight for each class */
export function checkClassWeight(operation: string, weight: Tensor | null, input: Tensor, classes: number): void {
  if (weight === null || (weight.ndim === 1 && weight.shape[0] === classes)) return;
  throw new ShapeError(
    operation,
    [input.shape, weight.shape],
    `there must be one weight for each of ${classes} classes`,
    `Give the weight the shape [${classes}].`,
  );
}
