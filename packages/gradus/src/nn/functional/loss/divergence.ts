// The divergence of Kullback and Leibler (1951): how far one distribution is from another.

import { type Tensor, where } from "../../../tensor/index.ts";
import { checkSameShape, type Reduction, reduce } from "./reduction.ts";

/** Options of `klDiv` and `KLDivLoss`. */
export interface KLDivOptions {
  /** "batchmean" is the sum divided by the first dimension, which is the divergence itself. Default "mean". */
  readonly reduction?: Reduction | "batchmean";
  /** Whether the target is log-probabilities too. Default false. */
  readonly logTarget?: boolean;
}

/** x log(x), which is 0 at 0 with a slope of 0. */
function timesItsLog(x: Tensor): Tensor {
  const vanishes = x.eq(0);
  const safe = where(vanishes, 1, x);
  return where(vanishes, 0, safe.mul(safe.log()));
}

/**
 * The divergence of the input from the target: target (log(target) - input) (`kl_div`). Probabilities of 0 in the target
 * count as 0.
 * @param input log-probabilities, any shape
 * @param target probabilities, or with `logTarget` log-probabilities, the same shape
 * @throws ShapeError if the shapes differ
 */
export function klDiv(input: Tensor, target: Tensor, { reduction, logTarget = false }: KLDivOptions = {}): Tensor {
  checkSameShape("klDiv", [input, target]);
  const loss = logTarget ? target.exp().mul(target.sub(input)) : timesItsLog(target).sub(target.mul(input));
  if (reduction !== "batchmean") return reduce("klDiv", loss, reduction);
  const total = loss.sum();
  return input.ndim === 0 ? total : total.div(input.shape[0]);
}
