// How an initializer gives a tensor its value: assigned outside of any gradient, so that parameters can be initialized.

import { ArgumentError, type DType, type Generator, noGrad, type Tensor } from "../../tensor/index.ts";

/** What every random initializer takes. */
export interface InitOptions {
  /** Where random numbers come from. Default: the default generator, which `gd.manualSeed` seeds. */
  readonly generator?: Generator;
}

/** Gives a tensor a value, and returns it. It stays what it is: a parameter goes on requiring a gradient. */
export function assign(tensor: Tensor, value: () => Tensor | number): Tensor {
  return noGrad(() => tensor.copy_(value()));
}

/** Random numbers for a tensor: its dtype, from the wanted generator. */
export const drawing = (
  tensor: Tensor,
  { generator }: InitOptions,
): { readonly dtype: DType; readonly generator?: Generator } => ({ dtype: tensor.dtype, generator });

/** @throws ArgumentError unless a deviation is a number from 0 */
export function checkDeviation(operation: string, std: number): void {
  if (!(std >= 0)) throw new ArgumentError(operation, `a standard deviation cannot be ${std}`, "Use a number from 0.");
}
