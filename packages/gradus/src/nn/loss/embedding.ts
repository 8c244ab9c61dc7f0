// Losses of embeddings as layers (`torch.nn`, loss functions): pairs and triplets of vectors.

import type { Tensor } from "../../tensor/index.ts";
import * as functional from "../functional/loss/index.ts";
import { Loss } from "./base.ts";

/** 1 - cos of pairs that are alike (target 1), max(0, cos - margin) of others (-1): `F.cosineEmbeddingLoss`. */
export class CosineEmbeddingLoss extends Loss<
  functional.CosineEmbeddingOptions,
  [input1: Tensor, input2: Tensor, target: Tensor]
> {
  /**
   * The loss of pairs of vectors.
   * @param input1 [N, D]
   * @param input2 [N, D]
   * @param target [N], 1 for alike or -1
   */
  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return functional.cosineEmbeddingLoss(input1, input2, target, this.options);
  }
}

/**
 * The distance from the positive shall be less than that from the negative by a margin: `F.tripletMarginLoss`.
 *
 * @example
 * const criterion = new nn.TripletMarginLoss({ margin: 0.2 });
 * const [anchor, positive, negative] = [a, p, n].map((x) => net.forward(x)); // each [N, D]
 * const loss = criterion.forward(anchor, positive, negative);
 */
export class TripletMarginLoss extends Loss<
  functional.TripletMarginOptions,
  [anchor: Tensor, positive: Tensor, negative: Tensor]
> {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return functional.tripletMarginLoss(anchor, positive, negative, this.options);
  }
}

/** `TripletMarginLoss` with a distance of one's own, in the option `distanceFunction`: `F.tripletMarginWithDistanceLoss`. */
export class TripletMarginWithDistanceLoss extends Loss<
  functional.TripletMarginWithDistanceOptions,
  [anchor: Tensor, positive: Tensor, negative: Tensor]
> {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return functional.tripletMarginWithDistanceLoss(anchor, positive, negative, this.options);
  }
}
