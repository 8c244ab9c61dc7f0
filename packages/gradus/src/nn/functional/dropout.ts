// Dropout (Srivastava et al., 2014), inverted: what is kept is scaled up in training, so that evaluation does nothing.

import { ArgumentError, rand, type Tensor, where, zerosLike } from "../../tensor/index.ts";

export function checkProbability(operation: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(operation, `${p} is no probability`, "Use a number from 0 to 1.");
}

/** Sets elements to 0 with probability p in training. The random numbers are the default generator's. */
export function dropout(x: Tensor, p = 0.5, { training = true }: { training?: boolean } = {}): Tensor {
  checkProbability("dropout", p);
  if (!training || p === 0) return x;
  if (p === 1) return zerosLike(x);
  return where(rand(x.shape).ge(p), x.mul(1 / (1 - p)), 0);
}
