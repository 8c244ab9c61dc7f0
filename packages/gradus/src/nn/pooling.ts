// Pooling layers (`torch.nn`, pooling layers).

import type { Tensor } from "../tensor/index.ts";
import {
  type AvgPoolOptions,
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
} from "./functional/pooling.ts";
import type { SpatialSize } from "./functional/sizes.ts";
import { Module } from "./module.ts";

const sizeText = (size: SpatialSize): string => (typeof size === "number" ? String(size) : `(${size.join(", ")})`);

abstract class Pooling<Options extends MaxPoolOptions> extends Module {
  constructor(
    readonly kernelSize: SpatialSize,
    readonly options: Options,
  ) {
    super();
  }

  override extraRepr(): string {
    const { stride = this.kernelSize, padding = 0, dilation = 1, ceilMode = false } = this.options;
    return [
      `kernelSize=${sizeText(this.kernelSize)}, stride=${sizeText(stride)}, padding=${sizeText(padding)}`,
      ...(dilation === 1 ? [] : [`dilation=${sizeText(dilation)}`]),
      ...(ceilMode ? ["ceilMode=true"] : []),
    ].join(", ");
  }
}

/** The largest element of each window of [N, C, L] (`torch.nn.MaxPool1d`). */
export class MaxPool1d extends Pooling<MaxPoolOptions> {
  constructor(kernelSize: SpatialSize, options: MaxPoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return maxPool1d(x, this.kernelSize, this.options);
  }
}

/** The largest element of each window of [N, C, H, W] (`torch.nn.MaxPool2d`). */
export class MaxPool2d extends Pooling<MaxPoolOptions> {
  constructor(kernelSize: SpatialSize, options: MaxPoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window of [N, C, L] (`torch.nn.AvgPool1d`). */
export class AvgPool1d extends Pooling<AvgPoolOptions> {
  constructor(kernelSize: SpatialSize, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return avgPool1d(x, this.kernelSize, this.options);
  }
}

/** The mean of each window of [N, C, H, W] (`torch.nn.AvgPool2d`). */
export class AvgPool2d extends Pooling<AvgPoolOptions> {
  constructor(kernelSize: SpatialSize, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.kernelSize, this.options);
  }
}

/** Means over as many windows as are wanted, whatever the input's size (`torch.nn.AdaptiveAvgPool2d`). */
export class AdaptiveAvgPool2d extends Module {
  constructor(readonly outputSize: number | readonly (number | null)[]) {
    super();
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }

  override extraRepr(): string {
    const { outputSize } = this;
    return `outputSize=${typeof outputSize === "number" ? outputSize : `(${outputSize.join(", ")})`}`;
  }
}
