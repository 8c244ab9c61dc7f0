// Rprop: steps that know only the signs of the gradients, for whole batches (Riedmiller and Braun, 1993), as
// `torch.optim.Rprop`.

import { ArgumentError, type Tensor, where } from "../tensor/index.ts";
import {
  type LearningRate,
  type OptimizedParameters,
  Optimizer,
  type ParamGroup,
  type StepScalars,
} from "./optimizer.ts";

/** Options of `Rprop`. */
export interface RpropOptions extends LearningRate {
  /** By what a step shrinks where the sign has changed, and grows where it has not. Default [0.5, 1.2]. */
  readonly etas?: readonly [number, number];
  /** The shortest and the longest step. Default [1e-6, 50]. */
  readonly stepSizes?: readonly [number, number];
  /** Whether to go up instead of down. Default false. */
  readonly maximize?: boolean;
}

const defaults: Required<RpropOptions> = { lr: 0.01, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false };

/**
 * Every weight has a step of its own, which grows while its gradient keeps its sign and shrinks when it changes; after a
 * change the weight rests for one step. `lr` is the first step.
 *
 * @example
 * const optimizer = new optim.Rprop(model.parameters());
 */
export class Rprop extends Optimizer<RpropOptions> {
  /** Defaults: lr 1e-2, etas [0.5, 1.2], stepSizes [1e-6, 50]. */
  constructor(params: OptimizedParameters<RpropOptions>, options: RpropOptions = {}) {
    super(params, { ...defaults, ...options });
  }

  protected override checkOptions(group: ParamGroup<RpropOptions>): void {
    super.checkOptions(group);
    const [down, up] = group.etas;
    if (!(down > 0 && down < 1 && up > 1)) {
      const remedy = "Use one number between 0 and 1 and one above 1.";
      throw new ArgumentError("Rprop", `etas are ${down} and ${up}`, remedy);
    }
    const [shortest, longest] = group.stepSizes;
    if (!(shortest >= 0 && shortest <= longest)) {
      throw new ArgumentError("Rprop", `stepSizes are ${shortest} and ${longest}`, "Give the smaller one first.");
    }
  }

  protected override update(
    parameter: Tensor,
    given: Tensor,
    group: ParamGroup<RpropOptions>,
    scalars: StepScalars,
  ): void {
    this.countStep(parameter);
    const grad = group.maximize ? given.neg() : given;
    const get = (name: string, value: number): Tensor => scalars.get(name, value, parameter.dtype);
    const before = this.stateTensor(parameter, "prev");
    const stepSize = this.stateTensor(parameter, "step_size", group.lr);
    const [down, up] = group.etas;
    const [shortest, longest] = group.stepSizes;
    const agreement = grad.mul(before);
    const turned = agreement.lt(0);
    const factor = where(turned, get("down", down), where(agreement.gt(0), get("up", up), 1));
    stepSize.copy_(stepSize.mul(factor).maximum(get("shortest", shortest)).minimum(get("longest", longest)));
    const used = where(turned, 0, grad);
    before.copy_(used);
    parameter.copy_(parameter.sub(used.sign().mul(stepSize)));
  }
}
