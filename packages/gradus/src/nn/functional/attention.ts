// Scaled dot-product attention (Vaswani et al., "Attention is all you need", 2017), and how its masks are read.

import { ArgumentError, arange, DTypeError, isFloat, ShapeError, type Tensor, where } from "../../tensor/index.ts";
import { dropout } from "./dropout.ts";

/** What a mask says: which keys a query may see (bool), and what is added to its scores. Both broadcast to [..., L, S]. */
export interface Masking {
  readonly allowed: Tensor | null;
  readonly added: Tensor | null;
}

export const noMasking: Masking = { allowed: null, added: null };

/**
 * Reads a mask: a bool one by what true means, a float one as numbers to add, -Infinity hiding a key.
 * @throws DTypeError for integers
 */
export function readMask(operation: string, mask: Tensor | null | undefined, trueMeans: "seen" | "hidden"): Masking {
  if (mask === null || mask === undefined) return noMasking;
  if (mask.dtype === "bool") return { allowed: trueMeans === "seen" ? mask : mask.logicalNot(), added: null };
  if (!isFloat(mask.dtype)) {
    throw new DTypeError(
      operation,
      [mask.dtype],
      "a mask must be bool or float",
      'Cast it with .to("bool") if its ones and zeros are truths.',
    );
  }
  // An infinity that took part in sums would make gradients NaN.
  const allowed = mask.gt(Number.NEGATIVE_INFINITY);
  return { allowed, added: where(allowed, mask, 0) };
}

/** Both maskings at once. */
export function bothMaskings(a: Masking, b: Masking): Masking {
  const combine = (x: Tensor | null, y: Tensor | null, join: (x: Tensor, y: Tensor) => Tensor): Tensor | null =>
    x === null ? y : y === null ? x : join(x, y);
  return {
    allowed: combine(a.allowed, b.allowed, (x, y) => x.logicalAnd(y)),
    added: combine(a.added, b.added, (x, y) => x.add(y)),
  };
}

/** Query i sees keys 0 to i: bool [L, S], true where it sees. */
export function causalMask(queries: number, keys: number): Tensor {
  return arange(queries).unsqueeze(1).ge(arange(keys));
}

export interface AttendOptions {
  readonly masking: Masking;
  /** The probability of dropping a weight. */
  readonly dropoutP: number;
  /** What the products of queries and keys are multiplied by. */
  readonly scale: number;
}

/** The least finite float32: what hides a score without making a NaN where all are hidden. */
const hidden = -3.4028234663852886e38;

/**
 * Attention and its weights, dropout included. A query that sees no key gets weights of 0, and passes no gradient.
 * @param query [..., L, E]
 * @param key [..., S, E]
 * @param value [..., S, V]
 * @returns output [..., L, V] and weights [..., L, S]
 */
export function attend(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { masking: { allowed, added }, dropoutP, scale }: AttendOptions,
): { readonly output: Tensor; readonly weights: Tensor } {
  const products = query.mul(scale).matmul(key.transpose(-2, -1));
  const scores = added === null ? products : products.add(added.to(products.dtype));
  const shares = allowed === null ? scores.softmax(-1) : where(allowed, scores, hidden).softmax(-1);
  const seen = allowed === null ? shares : where(allowed, shares, 0);
  const weights = dropout(seen, dropoutP);
  return { output: weights.matmul(value), weights };
}

/** Options of `scaledDotProductAttention`. */
export interface ScaledDotProductAttentionOptions {
  /** Broadcasts to [..., L, S]. bool: true where a key takes part; float: added to the scores. Default: none. */
  readonly attnMask?: Tensor | null;
  /** The probability of dropping a weight, whatever the mode: pass 0 in evaluation. Default 0. */
  readonly dropoutP?: number;
  /** Whether query i sees only keys 0 to i. Default false. */
  readonly isCausal?: boolean;
  /** What the products are multiplied by. Default 1 / sqrt(E). */
  readonly scale?: number;
}

/**
 * softmax(Q K^T scale + mask) V (`torch.nn.functional.scaled_dot_product_attention`). The result of a query that may see
 * no key is 0.
 * @param query [..., L, E]
 * @param key [..., S, E]
 * @param value [..., S, V]; leading dimensions broadcast
 * @returns [..., L, V]
 * @throws ShapeError for shapes that do not fit; ArgumentError for a mask beside `isCausal`
 *
 * @example
 * const [q, k, v] = [0, 1, 2].map(() => gd.randn([2, 8, 16, 64])); // batch, heads, length, features
 * F.scaledDotProductAttention(q, k, v, { isCausal: true }).shape   // [2, 8, 16, 64]
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: ScaledDotProductAttentionOptions = {},
): Tensor {
  const operation = "scaledDotProductAttention";
  const { attnMask = null, dropoutP = 0, isCausal = false } = options;
  for (const { shape } of [query, key, value]) {
    if (shape.length < 2) {
      throw new ShapeError(operation, [shape], "an operand has no length and features", "Give it [..., L, E].");
    }
  }
  const [length, features] = query.shape.slice(-2);
  const [keys, keyFeatures] = key.shape.slice(-2);
  if (features !== keyFeatures) {
    throw new ShapeError(
      operation,
      [query.shape, key.shape],
      `queries have ${features} features, keys ${keyFeatures}`,
      "Project both to one size.",
    );
  }
  if (keys !== value.shape[value.ndim - 2]) {
    throw new ShapeError(
      operation,
      [key.shape, value.shape],
      `there are ${keys} keys and ${value.shape[value.ndim - 2]} values`,
      "Give a value for each key.",
    );
  }
  if (isCausal && attnMask !== null) {
    throw new ArgumentError(operation, "a mask was given beside isCausal", "Make the mask causal itself, or pass one.");
  }
  const masking = isCausal ? { allowed: causalMask(length, keys), added: null } : readMask(operation, attnMask, "seen");
  return attend(query, key, value, { masking, dropoutP, scale: options.scale ?? 1 / Math.sqrt(features) }).output;
}
