// Adam (Kingma and Ba, 2015), AMSGrad (Reddi et al., 2018) and AdamW (Loshchilov and Hutter, 2019), as `torch.optim.Adam`
// and `torch.optim.AdamW`. What depends on the number of the step is combined on the host into scalars.

import type { Tensor } from "../tensor/index.ts";
import { type MomentOptions, momentDefaults, momentRanges, updateMean } from "./moments.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import { type DecayOptions, decayDefaults, decayed } from "./weight-decay.ts";

/** Options of `Adam` and `AdamW`. */
export interface AdamOptions extends DecayOptions, MomentOptions {
  /** Whether the largest mean square so far is used. Default false. */
  readonly amsgrad?: boolean;
}

const defaults: Required<AdamOptions> = { ...decayDefaults, ...momentDefaults, amsgrad: false };

/** The common part; how weights decay is the subclass's. */
abstract class AdamBase extends Optimizer<AdamOptions> {
  /** Whether weights decay apart from the gradient. */
  protected abstract readonly isDecoupled: boolean;

  protected override get ranges(): Ranges {
    return { ...super.ranges, ...momentRanges, weightDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<AdamOptions>,
    scalars: StepScalars,
  ): void {
    const { dtype } = parameter;
    const [beta1, beta2] = group.betas;
    const step = this.countStep(parameter);
    const { grad, start } = decayed(parameter, given, group, scalars, { isDecoupled: this.isDecoupled });
    const mean = updateMean(this.stateTensor(parameter, "exp_avg"), grad, "beta1", beta1, scalars);
    const square = updateMean(this.stateTensor(parameter, "exp_avg_sq"), grad.mul(grad), "beta2", beta2, scalars);
    let bound = square;
    if (group.amsgrad) {
      bound = this.stateTensor(parameter, "max_exp_avg_sq");
      bound.copy_(bound.maximum(square));
    }
    const get = (name: string, value: number): Tensor => scalars.get(name, value, dtype);
    // Parameters that have taken as many steps share their bias corrections.
    const stepSize = get(`step size ${step}`, group.lr / (1 - beta1 ** step));
    const correction = get(`correction ${step}`, 1 / Math.sqrt(1 - beta2 ** step));
    const scale = bound.sqrt().mul(correction).add(get("eps", group.eps));
    parameter.copy_(start.sub(mean.mul(stepSize).div(scale)));
  }
}

/**
 * Adam with an L2 penalty.
 *
 * @example
 * const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
 */
export class Adam extends AdamBase {
  /** The decay is a part of the gradient. */
  protected override readonly isDecoupled = false;

  /** Defaults: lr 1e-3, betas [0.9, 0.999], eps 1e-8, weightDecay 0. */
  constructor(params: OptimizedParameters<AdamOptions>, options: AdamOptions = {}) {
    super(params, { ...defaults, ...options });
  }
}

/** Adam whose weights shrink by lr * weightDecay a step, apart from the gradient. */
export class AdamW extends AdamBase {
  /** Weights decay apart from the gradient. */
  protected override readonly isDecoupled = true;

  /** Defaults as Adam's, but for a weightDecay of 0.01. */
  constructor(params: OptimizedParameters<AdamOptions>, options: AdamOptions = {}) {
    super(params, { ...defaults, weightDecay: 0.01, ...options });
  }
}
