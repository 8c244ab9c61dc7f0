// Adagrad: steps divided by the root of the sum of squares of all gradients so far (Duchi, Hazan and Singer, 2011), as
// `torch.optim.Adagrad`.

import type { Tensor } from "../tensor/index.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import { type DecayOptions, decayDefaults, penalized } from "./weight-decay.ts";

/** Options of `Adagrad`. */
export interface AdagradOptions extends DecayOptions {
  /** How the rate falls by itself: lr / (1 + (step - 1) lrDecay). Default 0. */
  readonly lrDecay?: number;
  /** What the sum of squares begins with. Default 0. */
  readonly initialAccumulatorValue?: number;
  /** Added to the root. Default 1e-10. */
  readonly eps?: number;
}

const defaults: Required<AdagradOptions> = {
  ...decayDefaults,
  lr: 0.01,
  lrDecay: 0,
  initialAccumulatorValue: 0,
  eps: 1e-10,
};

/**
 * s = s + g^2; p = p - lr g / (sqrt(s) + eps).
 *
 * @example
 * const optimizer = new optim.Adagrad(model.parameters(), { lr: 0.01 });
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  /** Defaults: lr 1e-2, lrDecay 0, weightDecay 0, initialAccumulatorValue 0, eps 1e-10. */
  constructor(params: OptimizedParameters<AdagradOptions>, options: AdagradOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    const own = { lrDecay: nonNegative, initialAccumulatorValue: nonNegative, eps: nonNegative };
    return { ...super.ranges, ...own, weightDecay: nonNegative };
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<AdagradOptions>,
    scalars: StepScalars,
  ): void {
    const step = this.countStep(parameter);
    const grad = penalized(parameter, given, group, scalars);
    const get = (name: string, value: number): Tensor => scalars.get(name, value, parameter.dtype);
    const sum = this.stateTensor(parameter, "sum", group.initialAccumulatorValue);
    sum.copy_(sum.add(grad.mul(grad)));
    const rate = get(`rate ${step}`, group.lr / (1 + (step - 1) * group.lrDecay));
    parameter.copy_(parameter.sub(grad.mul(rate).div(sum.sqrt().add(get("eps", group.eps)))));
  }
}
