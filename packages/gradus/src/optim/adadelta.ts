// Adadelta: steps in the units of the parameters, by the running mean square of the updates themselves (Zeiler, 2012), as
// `torch.optim.Adadelta`.

import type { Tensor } from "../tensor/index.ts";
import { updateMean } from "./moments.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges, unit } from "./ranges.ts";
import { type DecayOptions, decayDefaults, penalized } from "./weight-decay.ts";

/** Options of `Adadelta`. */
export interface AdadeltaOptions extends DecayOptions {
  /** How slowly the mean squares of gradients and updates change. Default 0.9. */
  readonly rho?: number;
  /** Added to both mean squares under the root. Default 1e-6. */
  readonly eps?: number;
}

const defaults: Required<AdadeltaOptions> = { ...decayDefaults, lr: 1, rho: 0.9, eps: 1e-6 };

/**
 * v = rho v + (1 - rho) g^2; d = sqrt(u + eps) / sqrt(v + eps) g; u = rho u + (1 - rho) d^2; p = p - lr d.
 *
 * @example
 * const optimizer = new optim.Adadelta(model.parameters());
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  /** Defaults: lr 1, rho 0.9, eps 1e-6, weightDecay 0. */
  constructor(params: OptimizedParameters<AdadeltaOptions>, options: AdadeltaOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    return { ...super.ranges, rho: unit, eps: nonNegative, weightDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<AdadeltaOptions>,
    scalars: StepScalars,
  ): void {
    this.countStep(parameter);
    const grad = penalized(parameter, given, group, scalars);
    const { rho } = group;
    const eps = scalars.get("eps", group.eps, parameter.dtype);
    const square = updateMean(this.stateTensor(parameter, "square_avg"), grad.mul(grad), "rho", rho, scalars);
    const updates = this.stateTensor(parameter, "acc_delta");
    const delta = updates.add(eps).sqrt().div(square.add(eps).sqrt()).mul(grad);
    updateMean(updates, delta.mul(delta), "rho", rho, scalars);
    parameter.copy_(parameter.sub(delta.mul(scalars.get("lr", group.lr, parameter.dtype))));
  }
}
