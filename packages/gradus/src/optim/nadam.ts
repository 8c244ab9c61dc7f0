// NAdam: Adam that looks ahead by its momentum, as Nesterov's does (Dozat, 2016), as `torch.optim.NAdam`.

import type { Tensor } from "../tensor/index.ts";
import { type MomentOptions, momentDefaults, momentRanges, updateMean } from "./moments.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import { type DecoupledDecayOptions, decayDefaults, decayed } from "./weight-decay.ts";

/** Options of `NAdam`. */
export interface NAdamOptions extends DecoupledDecayOptions, MomentOptions {
  /** How fast the momentum approaches beta 1. Default 4e-3. */
  readonly momentumDecay?: number;
}

const defaults: Required<NAdamOptions> = {
  ...decayDefaults,
  ...momentDefaults,
  lr: 0.002,
  momentumDecay: 0.004,
  decoupledWeightDecay: false,
};

/** The momentum of a step: beta 1 in the long run, half of it at the start. */
const momentumOf = (step: number, beta1: number, decay: number): number => beta1 * (1 - 0.5 * 0.96 ** (step * decay));

/**
 * Adam with Nesterov's momentum and a schedule for it.
 *
 * PyTorch 1.13 multiplies one factor too many into the look-ahead's correction unless it runs with `foreach`; here, as in
 * PyTorch 2, it is that of the paper.
 *
 * @example
 * const optimizer = new optim.NAdam(model.parameters(), { lr: 2e-3 });
 */
export class NAdam extends Optimizer<NAdamOptions> {
  /** Defaults: lr 2e-3, betas [0.9, 0.999], eps 1e-8, weightDecay 0, momentumDecay 4e-3. */
  constructor(params: OptimizedParameters<NAdamOptions>, options: NAdamOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    return { ...super.ranges, ...momentRanges, weightDecay: nonNegative, momentumDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<NAdamOptions>,
    scalars: StepScalars,
  ): void {
    const { lr, eps, momentumDecay } = group;
    const [beta1, beta2] = group.betas;
    const step = this.countStep(parameter);
    const state = this.stateOf(parameter);
    const momentum = momentumOf(step, beta1, momentumDecay);
    const next = momentumOf(step + 1, beta1, momentumDecay);
    const product = ((state.mu_product as number | undefined) ?? 1) * momentum;
    state.mu_product = product;
    const { grad, start } = decayed(parameter, given, group, scalars, { isDecoupled: group.decoupledWeightDecay });
    const mean = updateMean(this.stateTensor(parameter, "exp_avg"), grad, "beta1", beta1, scalars);
    const square = updateMean(this.stateTensor(parameter, "exp_avg_sq"), grad.mul(grad), "beta2", beta2, scalars);
    const get = (name: string, value: number): Tensor => scalars.get(name, value, parameter.dtype);
    // Parameters with one number of steps have one product too, unless the betas or the decay were changed between.
    const ofGrad = get(`share of the gradient ${step} ${product}`, (lr * (1 - momentum)) / (1 - product));
    const ofMean = get(`share of the mean ${step} ${product}`, (lr * next) / (1 - product * next));
    const correction = get(`correction ${step}`, 1 / Math.sqrt(1 - beta2 ** step));
    const scale = square.sqrt().mul(correction).add(get("eps", eps));
    parameter.copy_(start.sub(grad.mul(ofGrad).add(mean.mul(ofMean)).div(scale)));
  }
}
