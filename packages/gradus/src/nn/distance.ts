// Similarities and distances of vectors as layers (`torch.nn`, distance functions).

import type { Tensor } from "../tensor/index.ts";
import {
  type CosineSimilarityOptions,
  cosineSimilarity,
  type PairwiseDistanceOptions,
  pairwiseDistance,
} from "./functional/distance.ts";
import { Module } from "./module.ts";

/** The cosine of the angle between vectors along a dimension, which disappears (`torch.nn.CosineSimilarity`). */
export class CosineSimilarity extends Module<[Tensor, Tensor]> {
  /** The least length that is divided by. */
  readonly eps: number;

  /**
   * @param dim the dimension along which a vector lies. Default 1
   * @param options the least length that is divided by
   */
  constructor(
    readonly dim = 1,
    { eps = 1e-8 }: Omit<CosineSimilarityOptions, "dim"> = {},
  ) {
    super();
    this.eps = eps;
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return cosineSimilarity(x1, x2, this);
  }

  override extraRepr(): string {
    return `dim=${this.dim}, eps=${this.eps}`;
  }
}

/** The norm of the difference of vectors, [N, D] and [N, D] to [N] (`torch.nn.PairwiseDistance`). */
export class PairwiseDistance extends Module<[Tensor, Tensor]> {
  /** What is added to every difference. */
  readonly eps: number;
  /** Whether the last dimension stays, with size 1. */
  readonly keepdim: boolean;

  /**
   * @param p the order of the norm. Default 2
   * @param options what is added to differences, and whether the dimension stays
   */
  constructor(
    readonly p = 2,
    { eps = 1e-6, keepdim = false }: Omit<PairwiseDistanceOptions, "p"> = {},
  ) {
    super();
    this.eps = eps;
    this.keepdim = keepdim;
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return pairwiseDistance(x1, x2, this);
  }

  override extraRepr(): string {
    return `p=${this.p}, eps=${this.eps}, keepdim=${this.keepdim}`;
  }
}
