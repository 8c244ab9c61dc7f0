// Dropout as layers (`torch.nn`, dropout layers). All do nothing in evaluation; in training the random numbers are the
// default generator's, so that `manualSeed` repeats what is dropped.

import type { Tensor } from "../tensor/index.ts";
import * as functional from "./functional/dropout.ts";
import { Module } from "./module.ts";

/** What the layers share. */
abstract class ProbabilityLayer extends Module {
  /**
   * @param p the probability with which something is dropped. Default 0.5
   * @throws ArgumentError unless p lies in [0, 1]
   */
  constructor(readonly p = 0.5) {
    super();
    functional.checkProbability(this.typeName, p);
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}

/** Sets elements to 0 with probability p in training, and scales the others by 1 / (1 - p) (`torch.nn.Dropout`). */
export class Dropout extends ProbabilityLayer {
  forward(x: Tensor): Tensor {
    return functional.dropout(x, this.p, this);
  }
}

/** Sets whole channels of [N, C, L] or [C, L] to 0, and scales the others by 1 / (1 - p) (`torch.nn.Dropout1d`). */
export class Dropout1d extends ProbabilityLayer {
  forward(x: Tensor): Tensor {
    return functional.dropout1d(x, this.p, this);
  }
}

/** Sets whole channels of [N, C, H, W] to 0, and scales the others by 1 / (1 - p) (`torch.nn.Dropout2d`). */
export class Dropout2d extends ProbabilityLayer {
  forward(x: Tensor): Tensor {
    return functional.dropout2d(x, this.p, this);
  }
}

/** Sets whole channels of [N, C, D, H, W] or [C, D, H, W] to 0, and scales the others (`torch.nn.Dropout3d`). */
export class Dropout3d extends ProbabilityLayer {
  forward(x: Tensor): Tensor {
    return functional.dropout3d(x, this.p, this);
  }
}

/** Dropout that keeps mean 0 and variance 1, for networks of SELUs (`torch.nn.AlphaDropout`). */
export class AlphaDropout extends ProbabilityLayer {
  forward(x: Tensor): Tensor {
    return functional.alphaDropout(x, this.p, this);
  }
}

/** Alpha dropout of whole channels, [N, C, ...] (`torch.nn.FeatureAlphaDropout`). */
export class FeatureAlphaDropout extends ProbabilityLayer {
  forward(x: Tensor): Tensor {
    return functional.featureAlphaDropout(x, this.p, this);
  }
}
