// An optimizer's state in PyTorch's structure: `state` by the index of the parameter, `param_groups` with their options
// and the indices they hold, and PyTorch's names, which are in snake_case.

import { GradusError, type Tensor } from "../tensor/index.ts";

/** One entry of an optimizer's state: a tensor such as `exp_avg`, or the number `step`. */
export type StateValue = Tensor | number;

/** What PyTorch keeps as a tensor of one element and Gradus as a number, since it is combined on the host. */
export const hostNumbers: ReadonlySet<string> = new Set([
  "step",
  "mu_product",
  "eta",
  "mu",
  "t",
  "H_diag",
  "prev_loss",
]);

/** An optimizer's state in PyTorch's structure and names. */
export interface OptimizerStateDict {
  /** What is remembered of each parameter that has taken a step, by its index over all groups. */
  readonly state: Readonly<Record<string, Readonly<Record<string, StateValue>>>>;
  /** The options of each group, in snake_case, and under `params` the indices of its parameters. */
  readonly param_groups: readonly Readonly<Record<string, unknown>>[];
}

/** A state dict of another optimizer, or of other parameters. */
export class OptimizerStateError extends GradusError {}

export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
