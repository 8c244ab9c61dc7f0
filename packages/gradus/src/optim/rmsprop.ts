// RMSprop: steps divided by the root of the mean square of the gradients (Hinton, 2012, lecture 6e; centered: Graves, 2013),
// as `torch.optim.RMSprop`.

import type { Tensor } from "../tensor/index.ts";
import { updateMean } from "./moments.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges, unit } from "./ranges.ts";
import { type DecayOptions, decayDefaults, penalized } from "./weight-decay.ts";

/** Options of `RMSprop`. */
export interface RMSpropOptions extends DecayOptions {
  /** How slowly the mean square changes. Default 0.99. */
  readonly alpha?: number;
  /** Added to the root. Default 1e-8. */
  readonly eps?: number;
  /** How much of the last update goes on. Default 0. */
  readonly momentum?: number;
  /** Whether the mean is taken from the mean square, which makes it the variance. Default false. */
  readonly centered?: boolean;
}

const defaults: Required<RMSpropOptions> = {
  ...decayDefaults,
  lr: 0.01,
  alpha: 0.99,
  eps: 1e-8,
  momentum: 0,
  centered: false,
};

/**
 * v = alpha v + (1 - alpha) g^2; p = p - lr g / (sqrt(v) + eps).
 *
 * @example
 * const optimizer = new optim.RMSprop(model.parameters(), { lr: 1e-3, momentum: 0.9 });
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  /** Defaults: lr 1e-2, alpha 0.99, eps 1e-8, weightDecay 0, momentum 0. */
  constructor(params: OptimizedParameters<RMSpropOptions>, options: RMSpropOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    return { ...super.ranges, alpha: unit, eps: nonNegative, momentum: nonNegative, weightDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<RMSpropOptions>,
    scalars: StepScalars,
  ): void {
    const { alpha } = group;
    this.countStep(parameter);
    const grad = penalized(parameter, given, group, scalars);
    const get = (name: string, value: number): Tensor => scalars.get(name, value, parameter.dtype);
    let variance = updateMean(this.stateTensor(parameter, "square_avg"), grad.mul(grad), "alpha", alpha, scalars);
    if (group.centered) {
      const mean = updateMean(this.stateTensor(parameter, "grad_avg"), grad, "alpha", alpha, scalars);
      // Rounding can make it less than 0 where the gradient hardly changes.
      variance = variance.sub(mean.mul(mean)).maximum(0);
    }
    let direction = grad.div(variance.sqrt().add(get("eps", group.eps)));
    if (group.momentum > 0) {
      const buffer = this.stateTensor(parameter, "momentum_buffer");
      direction = buffer.copy_(buffer.mul(get("momentum", group.momentum)).add(direction));
    }
    parameter.copy_(parameter.sub(direction.mul(get("lr", group.lr))));
  }
}
