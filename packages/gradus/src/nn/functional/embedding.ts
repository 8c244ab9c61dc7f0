// Tables of vectors that integers point into (`torch.nn.functional`, sparse functions). A lookup is a gather, so that its
// gradient is an addition to the rows that were looked up.

import {
  ArgumentError,
  DTypeError,
  noGrad,
  onesLike,
  ShapeError,
  type Tensor,
  where,
  zeros,
} from "../../tensor/index.ts";

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** A row that gets no gradient, for tokens that only fill up; negative ones count from the end. Default null. */
  readonly paddingIdx?: number | null;
  /** Rows that are looked up and whose norm is larger are scaled down to it, in the table itself. Default null. */
  readonly maxNorm?: number | null;
  /** The order of the norm that `maxNorm` limits. Default 2. */
  readonly normType?: number;
  /** Whether a row's gradient is divided by how often it was looked up. Default false. */
  readonly scaleGradByFreq?: boolean;
}

/** The row that padding means, from 0, or null. @throws ArgumentError if there is none */
export function paddingRow(operation: string, paddingIdx: number | null | undefined, rows: number): number | null {
  if (paddingIdx === null || paddingIdx === undefined) return null;
  if (!(Number.isInteger(paddingIdx) && paddingIdx >= -rows && paddingIdx < rows)) {
    throw new ArgumentError(
      operation,
      `there is no row ${paddingIdx} among ${rows} for the padding`,
      `Use ${-rows} to ${rows - 1}.`,
    );
  }
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
}

export function checkLookup(operation: string, input: Tensor, weight: Tensor): void {
  if (input.dtype !== "int32" && input.dtype !== "uint8") {
    throw new DTypeError(
      operation,
      [input.dtype],
      "rows are looked up by integers",
      'Cast the input with .to("int32").',
    );
  }
  if (weight.ndim !== 2) {
    throw new ShapeError(operation, [weight.shape], "the table must be a matrix", "Give it [rows, features].");
  }
}

/** How often each row is looked up: [rows], int32. */
function countsOf(indices: Tensor, rows: number): Tensor {
  return zeros([rows], { dtype: "int32" }).scatterAdd(0, indices, onesLike(indices));
}

/** Scales rows that are looked up down to a norm, in the table itself. Its handle has the new value afterwards. */
function limitNorms(weight: Tensor, indices: Tensor, maxNorm: number, normType: number): void {
  if (weight.requiresGrad && !weight.isLeaf) {
    throw new ArgumentError(
      "embedding",
      "maxNorm changes the table, and this one has been computed from other tensors",
      "Pass a parameter, or detach() the table.",
    );
  }
  noGrad(() => {
    const norms = weight.norm(normType, 1);
    const large = countsOf(indices, weight.shape[0]).gt(0).logicalAnd(norms.gt(maxNorm));
    // PyTorch's constant: it keeps the result below the limit in spite of rounding.
    const scale = where(large, norms.add(1e-7).reciprocal().mul(maxNorm), 1);
    weight.copy_(weight.mul(scale.unsqueeze(1)));
  });
}

/**
 * Rows of a table (`torch.nn.functional.embedding`).
 * @param input any shape, int32 or uint8
 * @param weight [rows, features]; with `maxNorm` it is changed
 * @returns [...input's shape, features]
 * @throws DTypeError for indices that are no integers, ArgumentError for a padding row that is not there; IndexError,
 * when it is computed, if an index is not from 0 to rows - 1
 */
export function embedding(input: Tensor, weight: Tensor, options: EmbeddingOptions = {}): Tensor {
  checkLookup("embedding", input, weight);
  const { maxNorm = null, normType = 2, scaleGradByFreq = false } = options;
  const [rows, features] = weight.shape;
  const padding = paddingRow("embedding", options.paddingIdx, rows);
  const indices = input.to("int32").reshape([input.numel()]);
  if (maxNorm !== null) limitNorms(weight, indices, maxNorm, normType);
  const column = indices.unsqueeze(1);
  let found = weight.gather(0, column.expand([input.numel(), features]));
  if (scaleGradByFreq) {
    const share = countsOf(indices, rows).gather(0, indices).to(weight.dtype).reciprocal().unsqueeze(1);
    // What is added is 0 and has a part of the gradient.
    found = found.detach().add(found.sub(found.detach()).mul(share));
  }
  if (padding !== null) found = where(column.eq(padding), found.detach(), found);
  return found.reshape([...input.shape, features]);
}
