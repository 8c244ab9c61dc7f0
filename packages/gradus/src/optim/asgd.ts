// ASGD: gradient descent with a falling rate, and the average of the weights it passes (Polyak and Juditsky, 1992; the
// schedule is Bottou's), as `torch.optim.ASGD`.

import type { Tensor } from "../tensor/index.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import { type DecayOptions, decayDefaults, penalized } from "./weight-decay.ts";

/** Options of `ASGD`. */
export interface ASGDOptions extends DecayOptions {
  /** How fast the rate falls, and the share of a weight that decays. Default 1e-4. */
  readonly lambd?: number;
  /** The power with which the rate falls. Default 0.75. */
  readonly alpha?: number;
  /** The step from which on weights are averaged. Default 1e6. */
  readonly t0?: number;
}

const defaults: Required<ASGDOptions> = { ...decayDefaults, lr: 0.01, lambd: 1e-4, alpha: 0.75, t0: 1e6 };

/**
 * p = (1 - lambd eta) p - eta g with eta = lr / (1 + lambd lr t)^alpha. The average of the weights is `ax` in the state of
 * each parameter: `optimizer.state.get(parameter).ax`.
 *
 * @example
 * const optimizer = new optim.ASGD(model.parameters(), { t0: 1000 });
 */
export class ASGD extends Optimizer<ASGDOptions> {
  /** Defaults: lr 1e-2, lambd 1e-4, alpha 0.75, t0 1e6, weightDecay 0. */
  constructor(params: OptimizedParameters<ASGDOptions>, options: ASGDOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    return { ...super.ranges, lambd: nonNegative, weightDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<ASGDOptions>,
    scalars: StepScalars,
  ): void {
    const { lr, lambd, alpha, t0 } = group;
    const step = this.countStep(parameter);
    const grad = penalized(parameter, given, group, scalars);
    const state = this.stateOf(parameter);
    // The rate and the average's share of a step are those that the step before has set.
    const eta = (state.eta as number | undefined) ?? lr;
    const mu = (state.mu as number | undefined) ?? 1;
    const get = (name: string, value: number): Tensor =>
      scalars.get(`${name} ${step} ${value}`, value, parameter.dtype);
    const moved = parameter.mul(get("kept", 1 - lambd * eta)).sub(grad.mul(get("eta", eta)));
    parameter.copy_(moved);
    const average = this.stateTensor(parameter, "ax");
    average.copy_(average.mul(get("1 - mu", 1 - mu)).add(moved.mul(get("mu", mu))));
    state.eta = lr / (1 + lambd * lr * step) ** alpha;
    state.mu = 1 / Math.max(1, step - t0);
  }
}
