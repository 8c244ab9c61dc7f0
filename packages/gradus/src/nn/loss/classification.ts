// Losses of classification as layers (`torch.nn`, loss functions): forward(input, target) gives the loss.

import type { Tensor } from "../../tensor/index.ts";
import * as functional from "../functional/loss/index.ts";
import { Loss, WeightedLoss } from "./base.ts";

/**
 * The cross-entropy of logits [N, C, ...] with class indices [N, ...] or probabilities [N, C, ...]: `F.crossEntropy`.
 *
 * @example
 * const criterion = new nn.CrossEntropyLoss({ labelSmoothing: 0.1 });
 * const loss = criterion.forward(model.forward(x), y); // x: [N, ...], y: int32 [N]
 */
export class CrossEntropyLoss extends WeightedLoss<functional.CrossEntropyOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.crossEntropy(input, target, this.weighted);
  }
}

/** The negative log-likelihood of class indices [N, ...] under log-probabilities [N, C, ...]: `F.nllLoss`. */
export class NLLLoss extends WeightedLoss<functional.NLLOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.nllLoss(input, target, this.weighted);
  }
}

/** The cross-entropy of probabilities with targets from 0 to 1, of one shape: `F.binaryCrossEntropy`. */
export class BCELoss extends WeightedLoss<functional.BCEOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.binaryCrossEntropy(input, target, this.weighted);
  }
}

/**
 * The cross-entropy of sigmoid(input) with targets from 0 to 1, of one shape, without overflow:
 * `F.binaryCrossEntropyWithLogits`. The loss of most GANs.
 *
 * @example
 * const criterion = new nn.BCEWithLogitsLoss();
 * const loss = criterion.forward(logits, gd.onesLike(logits));
 */
export class BCEWithLogitsLoss extends WeightedLoss<functional.BCEWithLogitsOptions> {
  /** A copy of the option of that name; undefined without one. A buffer, under PyTorch's key "pos_weight". */
  declare readonly posWeight?: Tensor;

  /** @param options see `F.binaryCrossEntropyWithLogits` */
  constructor(options: functional.BCEWithLogitsOptions = {}) {
    super(options);
    if (options.posWeight) this.registerBuffer("pos_weight", options.posWeight);
  }

  forward(input: Tensor, target: Tensor): Tensor {
    return functional.binaryCrossEntropyWithLogits(input, target, { ...this.weighted, posWeight: this.posWeight });
  }
}

/** The divergence of log-probabilities from a distribution of one shape: `F.klDiv`. Mostly with "batchmean". */
export class KLDivLoss extends Loss<functional.KLDivOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.klDiv(input, target, this.options);
  }
}

/** A yes or no for each class, targets 0 or 1 of the logits' shape [N, C]: `F.multilabelSoftMarginLoss`. */
export class MultiLabelSoftMarginLoss extends WeightedLoss<functional.MultiLabelSoftMarginOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.multilabelSoftMarginLoss(input, target, this.weighted);
  }
}

/** log(1 + exp(-target input)) for targets of 1 and -1, of one shape: `F.softMarginLoss`. */
export class SoftMarginLoss extends Loss<functional.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.softMarginLoss(input, target, this.options);
  }
}
