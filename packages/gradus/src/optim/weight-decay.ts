// What precedes the update in nearly every optimizer: the direction of the search, and weight decay. Coupled, weight decay is
// an L2 penalty whose gradient joins the loss's; decoupled, weights shrink by themselves (Loshchilov and Hutter, 2019).

import type { Tensor } from "../tensor/index.ts";
import type { LearningRate, StepScalars } from "./optimizer.ts";

/** Options that nearly every optimizer has. */
export interface DecayOptions extends LearningRate {
  /** The L2 penalty's factor. Between values above 0 it may change freely; from and to 0 is another program. Default 0. */
  readonly weightDecay?: number;
  /** Whether to go up instead of down. Default false. */
  readonly maximize?: boolean;
}

/** Options of optimizers whose weights may also shrink by themselves. */
export interface DecoupledDecayOptions extends DecayOptions {
  /** Whether weights shrink by lr * weightDecay a step instead of by a penalty, as in AdamW. Default false. */
  readonly decoupledWeightDecay?: boolean;
}

export const decayDefaults: Required<DecayOptions> = { lr: 0.001, weightDecay: 0, maximize: false };

type Group = { -readonly [K in keyof DecayOptions]-?: DecayOptions[K] };

/** The gradient of what is minimized: the penalty's included. */
export function penalized(parameter: Tensor, given: Tensor, group: Group, scalars: StepScalars): Tensor {
  const grad = group.maximize ? given.neg() : given;
  if (group.weightDecay === 0) return grad;
  return grad.add(parameter.mul(scalars.get("weightDecay", group.weightDecay, parameter.dtype)));
}

/** The gradient to go along, and the value of the parameter to start from. */
export function decayed(
  parameter: Tensor,
  given: Tensor,
  group: Group,
  scalars: StepScalars,
  { isDecoupled }: { readonly isDecoupled: boolean },
): { readonly grad: Tensor; readonly start: Tensor } {
  if (!isDecoupled || group.weightDecay === 0) {
    return { grad: penalized(parameter, given, group, scalars), start: parameter };
  }
  const kept = scalars.get("kept", 1 - group.lr * group.weightDecay, parameter.dtype);
  return { grad: group.maximize ? given.neg() : given, start: parameter.mul(kept) };
}
