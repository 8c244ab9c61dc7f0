// Windows as columns and back, as layers (`torch.nn.Unfold` and `torch.nn.Fold`).

import type { Tensor } from "../tensor/index.ts";
import { fold, type UnfoldOptions, unfold } from "./functional/fold.ts";
import { type SpatialSize, sizeText } from "./functional/sizes.ts";
import { Module } from "./module.ts";

function unfoldRepr(kernelSize: SpatialSize, { dilation = 1, padding = 0, stride = 1 }: UnfoldOptions): string {
  const sizes = { kernelSize, dilation, padding, stride };
  return Object.entries(sizes)
    .map(([name, size]) => `${name}=${sizeText(size)}`)
    .join(", ");
}

/**
 * All windows as columns: [N, C, H, W] to [N, C KH KW, number of windows], or both without N (`torch.nn.Unfold`).
 *
 * @example
 * new nn.Unfold(3, { padding: 1 }).forward(x); // [N, C, H, W] to [N, 9 C, H W]
 */
export class Unfold extends Module {
  /**
   * @param kernelSize [KH, KW], or one number for both
   * @param options how windows lie
   */
  constructor(
    readonly kernelSize: SpatialSize,
    readonly options: UnfoldOptions = {},
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return unfold(x, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    return unfoldRepr(this.kernelSize, this.options);
  }
}

/** The transpose of Unfold, which adds what lies on each other: [N, C KH KW, windows] to [N, C, H, W] (`torch.nn.Fold`). */
export class Fold extends Module {
  /**
   * @param outputSize [H, W], or one number for both
   * @param kernelSize [KH, KW], or one number for both
   * @param options how windows lie
   */
  constructor(
    readonly outputSize: SpatialSize,
    readonly kernelSize: SpatialSize,
    readonly options: UnfoldOptions = {},
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return fold(x, this.outputSize, this.kernelSize, this.options);
  }

  override extraRepr(): string {
    return `outputSize=${sizeText(this.outputSize)}, ${unfoldRepr(this.kernelSize, this.options)}`;
  }
}
