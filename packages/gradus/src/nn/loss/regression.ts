// Losses of regression as layers (`torch.nn`, loss functions): forward(input, target) gives the loss.

import type { Tensor } from "../../tensor/index.ts";
import * as functional from "../functional/loss/index.ts";
import { Loss } from "./base.ts";

/**
 * The mean of squared differences: `F.mseLoss` of two tensors of one shape.
 *
 * @example
 * const loss = new nn.MSELoss();
 * loss.forward(model.forward(x), y).backward();
 */
export class MSELoss extends Loss<functional.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.mseLoss(input, target, this.options);
  }
}

/** The mean of absolute differences: `F.l1Loss` of two tensors of one shape. */
export class L1Loss extends Loss<functional.LossOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.l1Loss(input, target, this.options);
  }
}

/** Squared differences below `beta` (default 1), absolute ones above: `F.smoothL1Loss` of two tensors of one shape. */
export class SmoothL1Loss extends Loss<functional.SmoothL1Options> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.smoothL1Loss(input, target, this.options);
  }
}

/** Squared differences up to `delta` (default 1), absolute ones above: `F.huberLoss` of two tensors of one shape. */
export class HuberLoss extends Loss<functional.HuberOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.huberLoss(input, target, this.options);
  }
}

/**
 * The negative log-likelihood of a normal distribution whose variance is predicted too: `F.gaussianNllLoss`.
 *
 * @example
 * const [mean, logVariance] = model.forward(x).chunk(2, 1);
 * const loss = new nn.GaussianNLLLoss().forward(mean, y, logVariance.exp());
 */
export class GaussianNLLLoss extends Loss<
  functional.GaussianNLLOptions,
  [input: Tensor, target: Tensor, variance: Tensor]
> {
  /**
   * The loss of predictions with a variance each.
   * @param variance of the input's shape, or without its last dimension, or with 1 there
   */
  forward(input: Tensor, target: Tensor, variance: Tensor): Tensor {
    return functional.gaussianNllLoss(input, target, variance, this.options);
  }
}

/** The negative log-likelihood of counts under a predicted rate: `F.poissonNllLoss` of two tensors of one shape. */
export class PoissonNLLLoss extends Loss<functional.PoissonNLLOptions> {
  forward(input: Tensor, target: Tensor): Tensor {
    return functional.poissonNllLoss(input, target, this.options);
  }
}
