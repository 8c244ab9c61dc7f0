// Gradients kept in bounds (`torch.nn.utils`).

import { noGrad, scalar, stack, type Tensor, zeros } from "../tensor/index.ts";

export interface ClipOptions {
  /** The order of the norm; Infinity for the largest element. Default 2. */
  readonly normType?: number;
}

function withGradients(parameters: Tensor | Iterable<Tensor>): Tensor[] {
  const all = Symbol.iterator in parameters ? [...parameters] : [parameters];
  return all.filter((parameter) => parameter.grad !== null);
}

/**
 * Scales all gradients so that their common norm is at most `maxNorm` (`torch.nn.utils.clip_grad_norm_`). Call it between
 * `backward()` and `step()`. The norm is part of the step's program; `maxNorm` may change without a new one.
 * @returns the norm before
 */
export function clipGradNorm_(
  parameters: Tensor | Iterable<Tensor>,
  maxNorm: number,
  { normType = 2 }: ClipOptions = {},
): Tensor {
  const clipped = withGradients(parameters);
  if (clipped.length === 0) return zeros([]);
  return noGrad(() => {
    const total = stack(clipped.map(({ grad }) => grad!.norm(normType))).norm(normType);
    const limit = scalar(maxNorm, { dtype: total.dtype });
    const factor = limit.div(total.add(1e-6)).clamp(undefined, 1);
    for (const parameter of clipped) parameter.grad = parameter.grad!.mul(factor.to(parameter.grad!.dtype));
    return total;
  });
}

/** Limits every element of all gradients to [-clipValue, clipValue] (`torch.nn.utils.clip_grad_value_`). */
export function clipGradValue_(parameters: Tensor | Iterable<Tensor>, clipValue: number): void {
  noGrad(() => {
    for (const parameter of withGradients(parameters)) parameter.grad = parameter.grad!.clamp(-clipValue, clipValue);
  });
}
