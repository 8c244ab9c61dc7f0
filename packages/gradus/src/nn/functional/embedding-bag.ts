// Sums, means and maxima of rows of a table (`torch.nn.functional.embedding_bag`): which rows belong together is a mask of
// bags by positions, so that the rows, their choice and the reduction are one loop.

import { ArgumentError, arange, DTypeError, ones, ShapeError, type Tensor, where } from "../../tensor/index.ts";
import { checkLookup, type EmbeddingOptions, embedding, paddingRow } from "./embedding.ts";

/** What becomes of the rows of a bag. */
export type BagMode = "sum" | "mean" | "max";

/** Options of `embeddingBag`: those of the lookup, and how its rows are brought together. */
export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** Default "mean". */
  readonly mode?: BagMode;
  /** Where each bag begins in an input of one dimension: [bags], int32, ascending from 0. Default null. */
  readonly offsets?: Tensor | null;
  /** Whether the last offset is where the last bag ends. Default false: it ends with the input. */
  readonly includeLastOffset?: boolean;
  /** What each row is multiplied by, of the input's shape; for mode "sum" only. Default null. */
  readonly perSampleWeights?: Tensor | null;
}

/** For every bag which positions of the input belong to it: [bags, length], bool. */
function membersOf(input: Tensor, offsets: Tensor | null, includeLastOffset: boolean): Tensor {
  if (input.ndim === 2 && offsets === null) return ones(input.shape, { dtype: "bool" });
  if (input.ndim !== 1 || offsets === null || offsets.ndim !== 1) {
    throw new ShapeError(
      "embeddingBag",
      offsets === null ? [input.shape] : [input.shape, offsets.shape],
      "the input is either [bags, length], or [length] with offsets of [bags]",
      "Pass offsets for an input of one dimension, and none for two.",
    );
  }
  if (offsets.dtype !== "int32" && offsets.dtype !== "uint8") {
    throw new DTypeError("embeddingBag", [offsets.dtype], "offsets are integers", 'Cast them with .to("int32").');
  }
  if (includeLastOffset && offsets.numel() === 0) {
    throw new ArgumentError("embeddingBag", "there is no last offset", "Pass one offset or more.");
  }
  const length = input.numel();
  const bags = offsets.numel() - (includeLastOffset ? 1 : 0);
  const at = arange(length).unsqueeze(0);
  const starts = offsets.to("int32");
  const begun = at.ge(starts.narrow(0, 0, bags).unsqueeze(1));
  // A bag ends where the next one begins; the last one has all that is left.
  const next = starts.slice(0, 1).pad([0, 1 - (starts.numel() - bags)], length);
  return begun.logicalAnd(at.lt(next.unsqueeze(1)));
}

/**
 * The sum, the mean or the largest elements of the rows of each bag; zeros for an empty one.
 * @param input [bags, length], or [length] with offsets; int32 or uint8
 * @param weight [rows, features]; with `maxNorm` it is changed
 * @param options rows of `paddingIdx` are left out of a bag, and of the count for a mean
 * @returns [bags, features]
 * @throws ShapeError, DTypeError or ArgumentError for inputs and options that do not go together; IndexError, when it is
 * computed, if an index is not from 0 to rows - 1
 */
export function embeddingBag(input: Tensor, weight: Tensor, options: EmbeddingBagOptions = {}): Tensor {
  const { mode = "mean", offsets = null, perSampleWeights = null, includeLastOffset = false, ...lookup } = options;
  checkLookup("embeddingBag", input, weight);
  if (mode !== "sum" && mode !== "mean" && mode !== "max") {
    throw new ArgumentError("embeddingBag", `there is no mode "${mode}"`, 'Use "sum", "mean" or "max".');
  }
  if (perSampleWeights !== null) checkWeights(input, perSampleWeights, mode);
  if (mode === "max" && lookup.scaleGradByFreq) {
    throw new ArgumentError("embeddingBag", "a maximum is not scaled by how often a row stands there", "Use a sum.");
  }
  const padding = paddingRow("embeddingBag", lookup.paddingIdx, weight.shape[0]);
  const all = membersOf(input, offsets, includeLastOffset);
  const members = padding === null ? all : all.logicalAnd(input.ne(padding));
  let rows = embedding(input, weight, lookup);
  if (perSampleWeights !== null) rows = rows.mul(perSampleWeights.unsqueeze(-1));
  const inside = members.unsqueeze(2);
  if (mode === "max" && input.numel() > 0) {
    const largest = where(inside, rows, Number.NEGATIVE_INFINITY).max(1).values;
    return where(members.any(1, { keepdim: true }), largest, 0);
  }
  const sum = where(inside, rows, 0).sum(1);
  if (mode === "sum") return sum;
  return sum.div(members.sum(1, { keepdim: true }).clamp(1).to(weight.dtype));
}

function checkWeights(input: Tensor, perSampleWeights: Tensor, mode: BagMode): void {
  if (mode !== "sum") {
    throw new ArgumentError("embeddingBag", `rows cannot be weighted in mode "${mode}"`, 'Use mode "sum".');
  }
  if (perSampleWeights.shape.join() !== input.shape.join()) {
    throw new ShapeError(
      "embeddingBag",
      [input.shape, perSampleWeights.shape],
      "there must be one weight for each index",
      "Give the weights the input's shape.",
    );
  }
}
