// Losses of embeddings (`torch.nn.functional`): what belongs together shall lie close, what does not shall lie apart.

import { ArgumentError, ShapeError, type Tensor, where } from "../../../tensor/index.ts";
import { pairwiseDistance } from "../distance.ts";
import { checkSameShape, type LossOptions, reduce } from "./reduction.ts";

/** Options of `cosineEmbeddingLoss` and `CosineEmbeddingLoss`. */
export interface CosineEmbeddingOptions extends LossOptions {
  /** Dissimilar pairs cost nothing up to this cosine, from -1 to 1; 0 to 0.5 is usual. Default 0. */
  readonly margin?: number;
}

/** What both triplet losses take. */
interface TripletOptions extends LossOptions {
  /** By how much farther the negative must be. Default 1. */
  readonly margin?: number;
  /** Whether the positive may take the anchor's place if it is closer to the negative (Balntas et al., 2016). Default false. */
  readonly swap?: boolean;
}

/** Options of `tripletMarginLoss` and `TripletMarginLoss`. */
export interface TripletMarginOptions extends TripletOptions {
  /** The order of the norm that measures distances. Default 2. */
  readonly p?: number;
  /** Added to every difference, so that no distance is 0, where the norm has no slope. Default 1e-6. */
  readonly eps?: number;
}

/** Options of `tripletMarginWithDistanceLoss` and `TripletMarginWithDistanceLoss`. */
export interface TripletMarginWithDistanceOptions extends TripletOptions {
  /** Distances [N] of two tensors [N, D]. Default: `pairwiseDistance`, the Euclidean one. */
  readonly distanceFunction?: ((a: Tensor, b: Tensor) => Tensor) | null;
}

/** PyTorch's floor for a squared length: a vector of zeros has the cosine 0, and a slope. */
const smallestSquare = 1e-12;

/** The length of each row, not quite 0. Lengths are multiplied rather than their squares, which would overflow earlier. */
const lengths = (x: Tensor): Tensor => x.mul(x).sum(-1).add(smallestSquare).sqrt();

/**
 * 1 - cos(input1, input2) of pairs that are alike, max(0, cos - margin) of others (`cosine_embedding_loss`).
 * @param input1 [N, D] or [D]
 * @param input2 the same shape
 * @param target 1 for alike or -1, [N] or []; what is neither costs nothing
 * @throws ShapeError if the shapes do not fit
 */
export function cosineEmbeddingLoss(
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  { reduction, margin = 0 }: CosineEmbeddingOptions = {},
): Tensor {
  if (input1.ndim !== 1 && input1.ndim !== 2) {
    throw new ShapeError("cosineEmbeddingLoss", [input1.shape], "the inputs must be [N, D] or [D]");
  }
  checkSameShape("cosineEmbeddingLoss", [input1, input2], "both inputs must have one shape");
  if (target.shape.join() !== input1.shape.slice(0, -1).join()) {
    throw new ShapeError(
      "cosineEmbeddingLoss",
      [input1.shape, target.shape],
      `the target must have the shape [${input1.shape.slice(0, -1).join(", ")}], a number for each pair`,
      "Remove dimensions of 1 with squeeze().",
    );
  }
  const cosine = input1
    .mul(input2)
    .sum(-1)
    .div(lengths(input1).mul(lengths(input2)));
  const apart = where(target.eq(-1), cosine.sub(margin).clamp(0), 0);
  const loss = where(target.eq(1), cosine.rsub(1), apart);
  return reduce("cosineEmbeddingLoss", loss, reduction);
}

/**
 * max(0, distance(anchor, positive) - distance(anchor, negative) + margin) (`triplet_margin_loss`; Balntas et al., 2016).
 * @param anchor [N, D] or [D]
 * @param positive what belongs to the anchor, the same shape
 * @param negative what does not, the same shape
 * @returns the reduction of [N]
 * @throws ShapeError if the shapes differ; ArgumentError unless `p` is positive
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { p = 2, eps = 1e-6, ...options }: TripletMarginOptions = {},
): Tensor {
  if (!(p > 0)) throw new ArgumentError("tripletMarginLoss", `a norm of order ${p} is none`, "Use a p above 0.");
  return tripletLoss(
    "tripletMarginLoss",
    [anchor, positive, negative],
    (a, b) => pairwiseDistance(a, b, { p, eps }),
    options,
  );
}

/**
 * `tripletMarginLoss` with a distance of one's own (`triplet_margin_with_distance_loss`).
 * @param anchor [N, D], or whatever the distance takes
 * @param positive the same shape
 * @param negative the same shape
 * @throws ShapeError if the shapes differ
 *
 * @example
 * const distanceFunction = (a: gd.Tensor, b: gd.Tensor) => a.sub(b).abs().amax(1);
 * F.tripletMarginWithDistanceLoss(anchor, positive, negative, { distanceFunction });
 */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  { distanceFunction, ...options }: TripletMarginWithDistanceOptions = {},
): Tensor {
  const distance = distanceFunction ?? pairwiseDistance;
  return tripletLoss("tripletMarginWithDistanceLoss", [anchor, positive, negative], distance, options);
}

function tripletLoss(
  operation: string,
  triplet: readonly [anchor: Tensor, positive: Tensor, negative: Tensor],
  distance: (a: Tensor, b: Tensor) => Tensor,
  { margin = 1, swap = false, reduction }: TripletOptions,
): Tensor {
  checkSameShape(operation, triplet, "anchor, positive and negative must have one shape");
  const [anchor, positive, negative] = triplet;
  const direct = distance(anchor, negative);
  const apart = swap ? direct.minimum(distance(positive, negative)) : direct;
  return reduce(operation, distance(anchor, positive).sub(apart).add(margin).clamp(0), reduction);
}
