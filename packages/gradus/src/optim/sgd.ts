// Stochastic gradient descent with momentum (`torch.optim.SGD`; Sutskever et al., 2013, for Nesterov's).

import { ArgumentError, scalar, type Tensor } from "../tensor/index.ts";
import { type OptimizedParameters, Optimizer, type ParamGroup, type StepScalars } from "./optimizer.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import { type DecayOptions, decayDefaults, penalized } from "./weight-decay.ts";

/** Options of `SGD`. */
export interface SGDOptions extends DecayOptions {
  /** How much of the last update goes on. Default 0. */
  readonly momentum?: number;
  /** How much less than all of the gradient enters the momentum. Default 0. */
  readonly dampening?: number;
  /** Whether to look ahead by the momentum. Default false. */
  readonly nesterov?: boolean;
}

const defaults: Required<SGDOptions> = {
  ...decayDefaults,
  momentum: 0,
  dampening: 0,
  nesterov: false,
};

/**
 * v = momentum v + (1 - dampening) (g + weightDecay p); p = p - lr v. The first v is the gradient itself.
 *
 * @example
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
 */
export class SGD extends Optimizer<SGDOptions> {
  /**
   * Defaults: lr 1e-3, momentum 0, dampening 0, weightDecay 0, no look ahead.
   * @throws ArgumentError for options out of their ranges, and for `nesterov` without momentum or with dampening
   */
  constructor(params: OptimizedParameters<SGDOptions>, options: SGDOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override get ranges(): Ranges {
    return { ...super.ranges, momentum: nonNegative, weightDecay: nonNegative };
  }

  protected override checkOptions(group: ParamGroup<SGDOptions>): void {
    super.checkOptions(group);
    if (group.nesterov && (group.momentum <= 0 || group.dampening !== 0)) {
      throw new ArgumentError(
        "SGD",
        `nesterov cannot be with a momentum of ${group.momentum} and a dampening of ${group.dampening}`,
        "Use a momentum above 0 and no dampening.",
      );
    }
  }

  protected override update(
    parameter: Tensor,
    grad: Tensor,
    group: ParamGroup<SGDOptions>,
    scalars: StepScalars,
  ): void {
    const { dtype } = parameter;
    let direction = penalized(parameter, grad, group, scalars);
    if (group.momentum !== 0) {
      const isFirst = this.state.get(parameter)?.momentum_buffer === undefined;
      const buffer = this.stateTensor(parameter, "momentum_buffer");
      const momentum = scalars.get("momentum", group.momentum, dtype);
      // The buffer is 0 at first, so a first step differs only by this factor, which is a scalar and no other program.
      const share =
        group.dampening === 0 ? direction : direction.mul(scalar(isFirst ? 1 : 1 - group.dampening, { dtype }));
      buffer.copy_(buffer.mul(momentum).add(share));
      direction = group.nesterov ? direction.add(buffer.mul(momentum)) : buffer;
    }
    parameter.copy_(parameter.sub(direction.mul(scalars.get("lr", group.lr, dtype))));
  }
}
