// Adam (Kingma and Ba, 2015), AMSGrad (Reddi et al., 2018) and AdamW (Loshchilov and Hutter, 2019), as `torch.optim.Adam`
// and `torch.optim.AdamW`. What depends on the number of the step is combined on the host into scalars.

import type { Tensor } from "../tensor/index.ts";
import {
  type LearningRate,
  type OptimizedParameters,
  Optimizer,
  type ParamGroup,
  type StepScalars,
} from "./optimizer.ts";

export interface AdamOptions extends LearningRate {
  /** How slowly the means of gradients and of their squares change. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the mean square. Default 1e-8. */
  readonly eps?: number;
  /** The L2 penalty's factor; in AdamW the share of a parameter that decays per unit of lr. Default 0, AdamW 0.01. */
  readonly weightDecay?: number;
  /** Whether the largest mean square so far is used. Default false. */
  readonly amsgrad?: boolean;
  readonly maximize?: boolean;
}

const defaults: Required<AdamOptions> = {
  lr: 0.001,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

/** The common part; how weights decay is the subclass's. */
abstract class AdamBase extends Optimizer<AdamOptions> {
  constructor(params: OptimizedParameters<AdamOptions>, options: Required<AdamOptions>) {
    super(params, options);
  }

  protected override checkOptions(group: ParamGroup<AdamOptions>): void {
    super.checkOptions(group);
    this.checkRange("betas[0]", group.betas[0], 0, 1);
    this.checkRange("betas[1]", group.betas[1], 0, 1);
    this.checkRange("eps", group.eps, 0, Number.POSITIVE_INFINITY);
    this.checkRange("weightDecay", group.weightDecay, 0, Number.POSITIVE_INFINITY);
  }

  /** The gradient and the parameter from which the step starts. */
  protected abstract decay(
    parameter: Tensor,
    grad: Tensor,
    group: ParamGroup<AdamOptions>,
    scalars: StepScalars,
  ): { grad: Tensor; start: Tensor };

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<AdamOptions>,
    scalars: StepScalars,
  ): void {
    const { dtype } = parameter;
    const [beta1, beta2] = group.betas;
    const state = this.stateOf(parameter);
    const mean = this.stateTensor(parameter, "exp_avg");
    const square = this.stateTensor(parameter, "exp_avg_sq");
    const step = ((state.step as number | undefined) ?? 0) + 1;
    state.step = step;
    const { grad, start } = this.decay(parameter, group.maximize ? given.neg() : given, group, scalars);
    const get = (name: string, value: number): Tensor => scalars.get(name, value, dtype);
    mean.copy_(mean.mul(get("beta1", beta1)).add(grad.mul(get("1 - beta1", 1 - beta1))));
    square.copy_(square.mul(get("beta2", beta2)).add(grad.mul(grad).mul(get("1 - beta2", 1 - beta2))));
    let bound = square;
    if (group.amsgrad) {
      bound = this.stateTensor(parameter, "max_exp_avg_sq");
      bound.copy_(bound.maximum(square));
    }
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
  constructor(params: OptimizedParameters<AdamOptions>, options: AdamOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override decay(parameter: Tensor, grad: Tensor, group: ParamGroup<AdamOptions>, scalars: StepScalars) {
    if (group.weightDecay === 0) return { grad, start: parameter };
    const penalty = parameter.mul(scalars.get("weightDecay", group.weightDecay, parameter.dtype));
    return { grad: grad.add(penalty), start: parameter };
  }
}

/** Adam whose weights decay by themselves, apart from the gradient. */
export class AdamW extends AdamBase {
  constructor(params: OptimizedParameters<AdamOptions>, options: AdamOptions = {}) {
    super(params, { ...defaults, weightDecay: 0.01, ...options });
  }

  protected override decay(parameter: Tensor, grad: Tensor, group: ParamGroup<AdamOptions>, scalars: StepScalars) {
    if (group.weightDecay === 0) return { grad, start: parameter };
    const kept = scalars.get("kept", 1 - group.lr * group.weightDecay, parameter.dtype);
    return { grad, start: parameter.mul(kept) };
  }
}
