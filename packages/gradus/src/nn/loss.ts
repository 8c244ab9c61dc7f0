// Losses as modules (`torch.nn`, loss functions): forward(input, target) gives the loss.

import type { Tensor } from "../tensor/index.ts";
import * as functional from "./functional/loss.ts";
import { Module } from "./module.ts";

/** A loss: its options, and a forward pass from input and target. */
export abstract class Loss<Options> extends Module<[input: Tensor, target: Tensor]> {
  constructor(protected readonly options: Options) {
    super();
  }
}

/** The mean of squared differences. */
export class MSELoss extends Loss<functional.LossOptions> {
  constructor(options: functional.LossOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.mseLoss(input, target, this.options);
  }
}

/** The mean of absolute differences. */
export class L1Loss extends Loss<functional.LossOptions> {
  constructor(options: functional.LossOptions = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.l1Loss(input, target, this.options);
  }
}

/** Squared differences below `beta` (default 1), absolute ones above. */
export class SmoothL1Loss extends Loss<functional.LossOptions & { readonly beta?: number }> {
  constructor(options: functional.LossOptions & { readonly beta?: number } = {}) {
    super(options);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.smoothL1Loss(input, target, this.options);
  }
}

/** The cross-entropy of logits [N, C, ...] with class indices [N, ...] or probabilities [N, C, ...]. */
export class CrossEntropyLoss extends Loss<functional.CrossEntropyOptions> {
  declare readonly weight?: Tensor;

  constructor(options: functional.CrossEntropyOptions = {}) {
    super(options);
    if (options.weight) this.registerBuffer("weight", options.weight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.crossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/** The negative log-likelihood of class indices [N, ...] under log-probabilities [N, C, ...]. */
export class NLLLoss extends Loss<functional.NLLOptions> {
  declare readonly weight?: Tensor;

  constructor(options: functional.NLLOptions = {}) {
    super(options);
    if (options.weight) this.registerBuffer("weight", options.weight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.nllLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/** The cross-entropy of probabilities with targets from 0 to 1. */
export class BCELoss extends Loss<functional.BCEOptions> {
  declare readonly weight?: Tensor;

  constructor(options: functional.BCEOptions = {}) {
    super(options);
    if (options.weight) this.registerBuffer("weight", options.weight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.binaryCrossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/** The cross-entropy of sigmoid(input) with targets from 0 to 1, without overflow. */
export class BCEWithLogitsLoss extends Loss<functional.BCEWithLogitsOptions> {
  declare readonly weight?: Tensor;
  declare readonly posWeight?: Tensor;

  constructor(options: functional.BCEWithLogitsOptions = {}) {
    super(options);
    if (options.weight) this.registerBuffer("weight", options.weight);
    if (options.posWeight) this.registerBuffer("pos_weight", options.posWeight);
  }
  forward(input: Tensor, target: Tensor): Tensor {
    const { weight, posWeight } = this;
    return functional.binaryCrossEntropyWithLogits(input, target, { ...this.options, weight, posWeight });
  }
}
