// Lengths of vectors and distances between them (`torch.nn.functional`, distance functions, and `normalize`).

import { type Tensor, where } from "../../tensor/index.ts";

/** Options of `normalize`. */
export interface NormalizeOptions {
  /** The order of the norm, infinity included. Default 2. */
  readonly p?: number;
  /** The dimension along which a vector lies, or several. Default 1. */
  readonly dim?: number | readonly number[];
  /** The least that is divided by. Default 1e-12. */
  readonly eps?: number;
}

/** The larger of a number and each element; where the number is larger there is no gradient. */
const atLeast = (x: Tensor, least: number): Tensor => where(x.lt(least), least, x);

/**
 * Vectors divided by their norms, so that they have length 1; a vector of zeros stays.
 * @param x any shape
 * @returns the same shape
 */
export function normalize(x: Tensor, { p = 2, dim = 1, eps = 1e-12 }: NormalizeOptions = {}): Tensor {
  return x.div(atLeast(x.norm(p, dim, { keepdim: true }), eps));
}

/** Options of `cosineSimilarity`, and without `dim` of the layer. */
export interface CosineSimilarityOptions {
  /** The dimension along which a vector lies; it disappears. Default 1. */
  readonly dim?: number;
  /** The least length that is divided by. Default 1e-8. */
  readonly eps?: number;
}

/**
 * The cosine of the angle between vectors, each divided by its own length first; 0 where one of them is all zeros.
 * @param x1 any shape with the dimension `dim`
 * @param x2 a shape that broadcasts with x1's
 * @returns the common shape without `dim`
 */
export function cosineSimilarity(
  x1: Tensor,
  x2: Tensor,
  { dim = 1, eps = 1e-8 }: CosineSimilarityOptions = {},
): Tensor {
  // Both get the common rank, which `dim` counts in, and the common extent along it, which their lengths are taken over.
  const rank = Math.max(x1.ndim, x2.ndim);
  const [first, second] = [x1, x2].map((x) => x.reshape([...new Array<number>(rank - x.ndim).fill(1), ...x.shape]));
  const axis = dim < 0 ? dim + rank : dim;
  const unit = (x: Tensor, other: Tensor): Tensor => {
    const extent = x.size(dim) === 1 ? other.size(dim) : x.size(dim);
    const whole = x.expand(x.shape.map((own, i) => (i === axis ? extent : own)));
    return normalize(whole, { dim, eps });
  };
  return unit(first, second).mul(unit(second, first)).sum(dim);
}

/** Options of `pairwiseDistance`, and without `p` of the layer. */
export interface PairwiseDistanceOptions {
  /** The order of the norm. Default 2. */
  readonly p?: number;
  /** Added to every difference, so that the gradient exists where two vectors are equal. Default 1e-6. */
  readonly eps?: number;
  /** Whether the last dimension stays, with size 1. Default false. */
  readonly keepdim?: boolean;
}

/**
 * The norm of the difference of vectors that lie along the last dimension.
 * @param x1 [N, D] or [D]
 * @param x2 a shape that broadcasts with x1's
 * @returns [N] or []
 */
export function pairwiseDistance(
  x1: Tensor,
  x2: Tensor,
  { p = 2, eps = 1e-6, keepdim = false }: PairwiseDistanceOptions = {},
): Tensor {
  return x1.sub(x2).add(eps).norm(p, -1, { keepdim });
}
