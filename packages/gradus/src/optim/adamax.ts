// Adamax: Adam with the largest gradient instead of the mean square (Kingma and Ba, 2015, section 7.1), as
// `torch.optim.Adamax`.

import type { Tensor } from "../tensor/index.ts";
import { type MomentOptions, momentDefaults, momentRanges, updateMean } from "./moments.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import { type DecayOptions, decayDefaults, penalized } from "./weight-decay.ts";

/** Options of `Adamax`. */
export interface AdamaxOptions extends DecayOptions, MomentOptions {}

const defaults: Required<AdamaxOptions> = { ...decayDefaults, ...momentDefaults, lr: 0.002 };

/**
 * m = beta1 m + (1 - beta1) g; u = max(beta2 u, |g| + eps); p = p - lr / (1 - beta1^t) m / u.
 *
 * @example
 * const optimizer = new optim.Adamax(model.parameters(), { lr: 2e-3 });
 */
export class Adamax extends Optimizer<AdamaxOptions> {
  /** Defaults: lr 2e-3, betas [0.9, 0.999], eps 1e-8, weightDecay 0. */
  constructor(params: OptimizedParameters<AdamaxOptions>, options: AdamaxOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    return { ...super.ranges, ...momentRanges, weightDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<AdamaxOptions>,
    scalars: StepScalars,
  ): void {
    const [beta1, beta2] = group.betas;
    const step = this.countStep(parameter);
    const grad = penalized(parameter, given, group, scalars);
    const get = (name: string, value: number): Tensor => scalars.get(name, value, parameter.dtype);
    const mean = updateMean(this.stateTensor(parameter, "exp_avg"), grad, "beta1", beta1, scalars);
    const largest = this.stateTensor(parameter, "exp_inf");
    largest.copy_(largest.mul(get("beta2", beta2)).maximum(grad.abs().add(get("eps", group.eps))));
    const stepSize = get(`step size ${step}`, group.lr / (1 - beta1 ** step));
    parameter.copy_(parameter.sub(mean.mul(stepSize).div(largest)));
  }
}
