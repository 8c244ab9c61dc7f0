// Gradients kept in bounds (`torch.nn.utils`). Source: Pascanu, Mikolov and Bengio, "On the difficulty of training
// recurrent neural networks" (ICML 2013), section 3.2.

import { flush, GradusError, noGrad, scalar, stack, type Tensor, zeros } from "../../tensor/index.ts";

/** Options of `clipGradNorm_` and `getTotalNorm`. */
export interface NormOptions {
  /** The order of the norm; Infinity for the largest element. Default 2. */
  readonly normType?: number;
  /**
   * Whether a norm that is NaN or infinite is an error. The gradients must be computed to know it, so the result is then a
   * promise to be awaited. Default false: the norm is part of the step's program.
   */
  readonly errorIfNonfinite?: boolean;
}

/** Options with the check of the norm. */
export interface CheckedNormOptions extends NormOptions {
  /** A norm that is NaN or infinite is an error; the result is a promise. */
  readonly errorIfNonfinite: true;
}

function withGradients(parameters: Tensor | Iterable<Tensor>): Tensor[] {
  const all = Symbol.iterator in parameters ? [...parameters] : [parameters];
  return all.filter((parameter) => parameter.grad !== null);
}

/** The norm of the norms of tensors; 0 of none. */
function commonNorm(tensors: readonly Tensor[], normType: number): Tensor {
  if (tensors.length === 0) return zeros([]);
  return noGrad(() => stack(tensors.map((tensor) => tensor.norm(normType))).norm(normType));
}

/** The norm, once it is known to be finite. The gradients are computed with it, so that the step need not do so again. */
async function finite(operation: string, total: Tensor, gradients: readonly Tensor[]): Promise<Tensor> {
  await flush(total, ...gradients);
  const value = await total.item();
  if (Number.isFinite(value)) return total;
  throw new GradusError(
    `${operation}: the norm of ${gradients.length} gradients is ${value}. ` +
      "Lower the learning rate, or leave out errorIfNonfinite to go on.",
  );
}

/**
 * The norm of several tensors as of one vector (`torch.nn.utils.get_total_norm`).
 * @param tensors gradients, for example, of any shapes
 * @returns a scalar; with `errorIfNonfinite` a promise of it, which is rejected with GradusError if it is not finite
 */
export function getTotalNorm(tensors: Tensor | Iterable<Tensor>, options: CheckedNormOptions): Promise<Tensor>;
export function getTotalNorm(tensors: Tensor | Iterable<Tensor>, options?: NormOptions): Tensor;
export function getTotalNorm(
  tensors: Tensor | Iterable<Tensor>,
  { normType = 2, errorIfNonfinite = false }: NormOptions = {},
): Tensor | Promise<Tensor> {
  const all = Symbol.iterator in tensors ? [...tensors] : [tensors];
  const total = commonNorm(all, normType);
  return errorIfNonfinite ? finite("getTotalNorm", total, all) : total;
}

/**
 * Scales all gradients by maxNorm / totalNorm if that is less than 1 (`torch.nn.utils.clip_grads_with_norm_`). `maxNorm`
 * may change from step to step without a new program.
 * @param totalNorm what `getTotalNorm` gave, perhaps of more gradients than these
 */
export function clipGradsWithNorm_(parameters: Tensor | Iterable<Tensor>, maxNorm: number, totalNorm: Tensor): void {
  noGrad(() => {
    const limit = scalar(maxNorm, { dtype: totalNorm.dtype });
    const factor = limit.div(totalNorm.add(1e-6)).clamp(undefined, 1);
    for (const parameter of withGradients(parameters)) {
      parameter.grad = parameter.grad!.mul(factor.to(parameter.grad!.dtype));
    }
  });
}

/**
 * Scales all gradients so that their common norm is at most `maxNorm` (`torch.nn.utils.clip_grad_norm_`). Call it between
 * `backward()` and `step()`. The norm is part of the step's program; `maxNorm` may change without a new one.
 * @param parameters those without a gradient do not count
 * @returns the norm before, a scalar; with `errorIfNonfinite` a promise of it, which is rejected with GradusError if it is
 *   not finite
 *
 * @example
 * loss.backward();
 * const norm = nn.utils.clipGradNorm_(model.parameters(), 1);
 * await optimizer.step();
 */
export function clipGradNorm_(
  parameters: Tensor | Iterable<Tensor>,
  maxNorm: number,
  options: CheckedNormOptions,
): Promise<Tensor>;
export function clipGradNorm_(parameters: Tensor | Iterable<Tensor>, maxNorm: number, options?: NormOptions): Tensor;
export function clipGradNorm_(
  parameters: Tensor | Iterable<Tensor>,
  maxNorm: number,
  { normType = 2, errorIfNonfinite = false }: NormOptions = {},
): Tensor | Promise<Tensor> {
  const clipped = withGradients(parameters);
  const total = commonNorm(
    clipped.map(({ grad }) => grad!),
    normType,
  );
  clipGradsWithNorm_(clipped, maxNorm, total);
  if (!errorIfNonfinite) return total;
  return finite(
    "clipGradNorm_",
    total,
    clipped.map(({ grad }) => grad!),
  );
}

/**
 * Limits every element of all gradients to [-clipValue, clipValue] (`torch.nn.utils.clip_grad_value_`). `clipValue` may change
 * from step to step without a new program.
 */
export function clipGradValue_(parameters: Tensor | Iterable<Tensor>, clipValue: number): void {
  noGrad(() => {
    const limited = withGradients(parameters);
    const dtypes = new Set(limited.map(({ grad }) => grad!.dtype));
    const limits = new Map([...dtypes].map((dtype) => [dtype, scalar(clipValue, { dtype })] as const));
    for (const parameter of limited) {
      const grad = parameter.grad!;
      const limit = limits.get(grad.dtype)!;
      parameter.grad = grad.maximum(limit.neg()).minimum(limit);
    }
  });
}
