// RAdam: Adam whose steps are rectified while the mean square is made of few gradients (Liu et al., 2020), as
// `torch.optim.RAdam`.

import type { Tensor } from "../tensor/index.ts";
import { type MomentOptions, momentDefaults, momentRanges, updateMean } from "./moments.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import { type DecoupledDecayOptions, decayDefaults, decayed } from "./weight-decay.ts";

/** Options of `RAdam`. */
export interface RAdamOptions extends DecoupledDecayOptions, MomentOptions {}

const defaults: Required<RAdamOptions> = { ...decayDefaults, ...momentDefaults, decoupledWeightDecay: false };

/** The length of the moving average below which its variance is not to be relied upon. */
const shortest = 5;

/** By how much the variance of the mean square after some steps shortens the step; null while there is none to speak of. */
function rectification(step: number, beta2: number): number | null {
  const longest = 2 / (1 - beta2) - 1;
  const length = longest - (2 * step * beta2 ** step) / (1 - beta2 ** step);
  if (length <= shortest) return null;
  return Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
}

/**
 * Adam with a rectified learning rate: no warm-up is needed.
 *
 * @example
 * const optimizer = new optim.RAdam(model.parameters(), { lr: 1e-3 });
 */
export class RAdam extends Optimizer<RAdamOptions> {
  /** Defaults: lr 1e-3, betas [0.9, 0.999], eps 1e-8, weightDecay 0. */
  constructor(params: OptimizedParameters<RAdamOptions>, options: RAdamOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    return { ...super.ranges, ...momentRanges, weightDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<RAdamOptions>,
    scalars: StepScalars,
  ): void {
    const [beta1, beta2] = group.betas;
    const step = this.countStep(parameter);
    const { grad, start } = decayed(parameter, given, group, scalars, { isDecoupled: group.decoupledWeightDecay });
    const mean = updateMean(this.stateTensor(parameter, "exp_avg"), grad, "beta1", beta1, scalars);
    const square = updateMean(this.stateTensor(parameter, "exp_avg_sq"), grad.mul(grad), "beta2", beta2, scalars);
    const stepSize = group.lr / (1 - beta1 ** step);
    const rectified = rectification(step, beta2);
    // Both kinds of step are one program: stepSize m (adaptive / (sqrt(v) + eps) + plain), where one of the two is 0. The
    // divisor must not be 0 where it does not count.
    const get = (name: string, value: number): Tensor => scalars.get(`${name} ${step}`, value, parameter.dtype);
    const adaptive = get("adaptive", rectified === null ? 0 : stepSize * rectified * Math.sqrt(1 - beta2 ** step));
    const plain = get("plain", rectified === null ? stepSize : 0);
    const eps = get("eps", rectified === null ? 1 : group.eps);
    parameter.copy_(start.sub(mean.mul(adaptive.div(square.sqrt().add(eps)).add(plain))));
  }
}
