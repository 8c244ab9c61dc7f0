// The softmax and its relatives as layers (`torch.nn`, non-linear activations). They keep the shape.

import { ShapeError, type Tensor } from "../tensor/index.ts";
import * as functional from "./functional/softmax.ts";
import { Module } from "./module.ts";

/** What the layers share whose numbers belong together along a dimension. */
abstract class AlongDimension extends Module {
  /** @param dim the dimension along which the numbers belong together */
  constructor(readonly dim: number) {
    super();
  }
  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** Positive numbers that add up to 1 along a dimension (`torch.nn.Softmax`). */
export class Softmax extends AlongDimension {
  forward(x: Tensor): Tensor {
    return functional.softmax(x, this.dim);
  }
}

/** The logarithm of the softmax (`torch.nn.LogSoftmax`). */
export class LogSoftmax extends AlongDimension {
  forward(x: Tensor): Tensor {
    return functional.logSoftmax(x, this.dim);
  }
}

/** The softmax of -x (`torch.nn.Softmin`). */
export class Softmin extends AlongDimension {
  forward(x: Tensor): Tensor {
    return functional.softmin(x, this.dim);
  }
}

/** The softmax over the channels at every place of [N, C, H, W] or [C, H, W] (`torch.nn.Softmax2d`). */
export class Softmax2d extends Module {
  forward(x: Tensor): Tensor {
    if (x.ndim !== 3 && x.ndim !== 4) {
      throw new ShapeError(
        "Softmax2d",
        [x.shape],
        `an input of ${x.ndim} dimensions is no image`,
        "Give it [N, C, H, W] or [C, H, W], or use Softmax(dim).",
      );
    }
    return functional.softmax(x, -3);
  }
}
