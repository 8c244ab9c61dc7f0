// Running means of gradients and of their squares, which Adam and all that descend from it share (Kingma and Ba, 2015).

import type { Tensor } from "../tensor/index.ts";
import type { StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges, share } from "./ranges.ts";

/** Options of optimizers that keep means of gradients and of their squares. */
export interface MomentOptions {
  /** How slowly the means of gradients and of their squares change. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the mean square. Default 1e-8. */
  readonly eps?: number;
}

export const momentDefaults: Required<MomentOptions> = { betas: [0.9, 0.999], eps: 1e-8 };
export const momentRanges: Ranges = { betas: share, eps: nonNegative };

/**
 * mean = beta mean + (1 - beta) observed, assigned.
 * @param name the option that `beta` is, under which parameters of a group share it
 */
export function updateMean(mean: Tensor, observed: Tensor, name: string, beta: number, scalars: StepScalars): Tensor {
  const kept = mean.mul(scalars.get(name, beta, mean.dtype));
  return mean.copy_(kept.add(observed.mul(scalars.get(`1 - ${name}`, 1 - beta, mean.dtype))));
}
