// Functions that turn numbers into a distribution (`torch.nn.functional`): the softmax and its relatives. The maximum is
// subtracted before the exponential, so nothing overflows.

import { ArgumentError, arange, isFloat, rand, type Tensor } from "../../tensor/index.ts";

/** Positive numbers that add up to 1 along a dimension. @param x any shape @returns the same shape */
export function softmax(x: Tensor, dim: number): Tensor {
  return x.softmax(dim);
}

/** The logarithm of the softmax, computed without taking one of a small number. */
export function logSoftmax(x: Tensor, dim: number): Tensor {
  return x.logSoftmax(dim);
}

/** The softmax of -x: the smallest element has the largest share. */
export function softmin(x: Tensor, dim: number): Tensor {
  return softmax(x.neg(), dim);
}

/** Options of `gumbelSoftmax`. */
export interface GumbelSoftmaxOptions {
  /** The temperature: small ones come near to a choice. Positive. Default 1. */
  readonly tau?: number;
  /** Whether the result is a choice, one 1 among zeros, with the gradient of the soft one. Default false. */
  readonly hard?: boolean;
  /** The dimension that is a distribution. Default -1. */
  readonly dim?: number;
}

/** The smallest waiting time: half of the smallest positive one that the random numbers' grid gives. */
const shortest = 2 ** -25;

/**
 * A sample of the Gumbel-softmax distribution (Jang et al., 2017; Maddison et al., 2017): a differentiable draw from the
 * categories of which `logits` are the logarithms of the probabilities, up to a constant. The random numbers are the
 * default generator's.
 * @param logits [..., categories]
 * @returns the same shape; along `dim` it adds up to 1
 * @throws ArgumentError if tau is not positive
 */
export function gumbelSoftmax(logits: Tensor, { tau = 1, hard = false, dim = -1 }: GumbelSoftmaxOptions = {}): Tensor {
  if (!(tau > 0)) throw new ArgumentError("gumbelSoftmax", `the temperature is ${tau}`, "Use a positive tau.");
  // Minus the logarithm of an exponential waiting time is a Gumbel number. It may be 0, whose logarithm is infinite.
  const drawn = rand(logits.shape, { dtype: isFloat(logits.dtype) ? logits.dtype : "float32" });
  const gumbel = drawn.neg().log1p().neg().clamp(shortest).log().neg();
  const soft = softmax(logits.add(gumbel).div(tau), dim);
  if (!hard || soft.numel() === 0) return soft;
  const extent = soft.ndim === 0 ? 1 : soft.size(dim);
  const axis = dim < 0 ? dim + soft.ndim : dim;
  const positions = arange(extent).reshape(soft.shape.map((_, i) => (i === axis ? extent : 1)));
  const choice = positions.eq(soft.detach().argmax(dim, { keepdim: true })).to(soft.dtype);
  // The added difference is 0 and has the gradient of the soft sample (straight-through).
  return choice.add(soft.sub(soft.detach()));
}
