// Losses with a margin as layers (`torch.nn`, loss functions): what is right by more than the margin costs nothing.

import type { Tensor } from "../../tensor/index.ts";
import * as functional from "../functional/loss/index.ts";
import { Loss, WeightedLoss } from "./base.ts";

/**
 * max(0, 1 - target input) for targets of 1 and -1, of one shape: `F.hingeLoss`, the loss of support vector machines.
 * Gradus's own; PyTorch's `HingeEmbeddingLoss` is another.
 *
 * @example
 * const svm = new nn.Linear(2, 1);
 * const loss = new nn.HingeLoss().forward(svm.forward(x).squeeze(1), y); // y: 1 or -1, [N]
 */
export class HingeLoss extends Loss<functional.HingeOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.hingeLoss(input, target, this.options);
  }
}

/** The distance of pairs that are alike (target 1), max(0, margin - distance) of others (-1): `F.hingeEmbeddingLoss`. */
export class HingeEmbeddingLoss extends Loss<functional.HingeEmbeddingOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.hingeEmbeddingLoss(input, target, this.options);
  }
}

/** max(0, margin - target (input1 - input2)), all of one shape: `F.marginRankingLoss`. */
export class MarginRankingLoss extends Loss<
  functional.MarginRankingOptions,
  [input1: Tensor, input2: Tensor, target: Tensor]
> {
  forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return functional.marginRankingLoss(input1, input2, target, this.options);
  }
}

/** The hinge of several classes, scores [N, C] and class indices [N]: `F.multiMarginLoss`. */
export class MultiMarginLoss extends WeightedLoss<functional.MultiMarginOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.multiMarginLoss(input, target, this.weighted);
  }
}

/** The hinge of several right classes, scores [N, C] and lists of indices [N, C] filled with -1: `F.multilabelMarginLoss`. */
export class MultiLabelMarginLoss extends Loss<functional.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.multilabelMarginLoss(input, target, this.options);
  }
}
