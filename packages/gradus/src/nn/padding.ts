// Padding layers (`torch.nn`, padding layers). The sizes stand in the order of `F.pad`: before and after the last dimension
// first.

import { ArgumentError, type Tensor } from "../tensor/index.ts";
import { type PaddingMode, pad } from "./functional/padding.ts";
import { checkSpatialInput, type SpatialSize, sizeText } from "./functional/sizes.ts";
import { Module } from "./module.ts";

/** What all padding layers share. Negative amounts crop. */
abstract class PaddingLayer extends Module {
  /** Pairs (before, after), the last dimension first. */
  readonly padding: readonly number[];

  constructor(
    /** The number of spatial dimensions: 1, 2 or 3. */
    protected readonly rank: number,
    padding: SpatialSize,
    /** What the padding is made of, as in `F.pad`. */
    protected readonly mode: PaddingMode,
    /** The number that stands in the padding of mode "constant". */
    protected readonly fill = 0,
  ) {
    super();
    this.padding = typeof padding === "number" ? new Array<number>(2 * rank).fill(padding) : [...padding];
    if (this.padding.length !== 2 * rank || !this.padding.every(Number.isInteger)) {
      throw new ArgumentError(
        this.typeName,
        `a padding of ${sizeText(padding)} does not fit ${rank} spatial dimensions`,
        `Give one integer, or ${2 * rank}: before and after each dimension, the last one first.`,
      );
    }
  }

  forward(x: Tensor): Tensor {
    checkSpatialInput(this.typeName, x, this.rank, "padded");
    return pad(x, this.padding, { mode: this.mode, value: this.fill });
  }

  override extraRepr(): string {
    return sizeText(this.padding);
  }
}

abstract class ConstantPadding extends PaddingLayer {
  constructor(
    rank: number,
    padding: SpatialSize,
    /** The number that stands in the padding. */
    readonly value: number,
  ) {
    super(rank, padding, "constant", value);
  }

  /** What stands between the parentheses when the layer is printed. */
  override extraRepr(): string {
    return `padding=${sizeText(this.padding)}, value=${this.value}`;
  }
}

/** [N, C, L] to [N, C, L + left + right], padded with a number (`torch.nn.ConstantPad1d`). */
export class ConstantPad1d extends ConstantPadding {
  /**
   * @param padding one number for all sides, or [left, right]
   * @param value what is added
   */
  constructor(padding: SpatialSize, value: number) {
    super(1, padding, value);
  }
}

/** [N, C, H, W] to [N, C, H + top + bottom, W + left + right], padded with a number (`torch.nn.ConstantPad2d`). */
export class ConstantPad2d extends ConstantPadding {
  /**
   * @param padding one number for all sides, or [left, right, top, bottom]
   * @param value what is added
   */
  constructor(padding: SpatialSize, value: number) {
    super(2, padding, value);
  }
}

/**
 * [N, C, D, H, W] to [N, C, D + front + back, H + top + bottom, W + left + right], padded with
 * a number (`torch.nn.ConstantPad3d`).
 */
export class ConstantPad3d extends ConstantPadding {
  /**
   * @param padding one number for all sides, or [left, right, top, bottom, front, back]
   * @param value what is added
   */
  constructor(padding: SpatialSize, value: number) {
    super(3, padding, value);
  }
}

/** [N, C, L] to [N, C, L + left + right], padded with zeros (`torch.nn.ZeroPad1d`). */
export class ZeroPad1d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right]. */
  constructor(padding: SpatialSize) {
    super(1, padding, "constant");
  }
}

/** [N, C, H, W] to [N, C, H + top + bottom, W + left + right], padded with zeros (`torch.nn.ZeroPad2d`). */
export class ZeroPad2d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom]. */
  constructor(padding: SpatialSize) {
    super(2, padding, "constant");
  }
}

/**
 * [N, C, D, H, W] to [N, C, D + front + back, H + top + bottom, W + left + right], padded with
 * zeros (`torch.nn.ZeroPad3d`).
 */
export class ZeroPad3d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom, front, back]. */
  constructor(padding: SpatialSize) {
    super(3, padding, "constant");
  }
}

/** [N, C, L] to [N, C, L + left + right], padded with the input mirrored at its edges (`torch.nn.ReflectionPad1d`). */
export class ReflectionPad1d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right]. At most one less than each dimension. */
  constructor(padding: SpatialSize) {
    super(1, padding, "reflect");
  }
}

/**
 * [N, C, H, W] to [N, C, H + top + bottom, W + left + right], padded with the input mirrored at its edges
 * (`torch.nn.ReflectionPad2d`).
 *
 * @example
 * const net = new nn.Sequential(new nn.ReflectionPad2d(3), new nn.Conv2d(3, 64, 7)); // keeps the size
 */
export class ReflectionPad2d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom]. At most one less than each dimension. */
  constructor(padding: SpatialSize) {
    super(2, padding, "reflect");
  }
}

/**
 * [N, C, D, H, W] to [N, C, D + front + back, H + top + bottom, W + left + right], padded with
 * the input mirrored at its edges (`torch.nn.ReflectionPad3d`).
 */
export class ReflectionPad3d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom, front, back]. At most one less than each dimension. */
  constructor(padding: SpatialSize) {
    super(3, padding, "reflect");
  }
}

/** [N, C, L] to [N, C, L + left + right], padded with its edges, repeated (`torch.nn.ReplicationPad1d`). */
export class ReplicationPad1d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right]. */
  constructor(padding: SpatialSize) {
    super(1, padding, "replicate");
  }
}

/**
 * [N, C, H, W] to [N, C, H + top + bottom, W + left + right], padded with
 * its edges, repeated (`torch.nn.ReplicationPad2d`).
 */
export class ReplicationPad2d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom]. */
  constructor(padding: SpatialSize) {
    super(2, padding, "replicate");
  }
}

/**
 * [N, C, D, H, W] to [N, C, D + front + back, H + top + bottom, W + left + right], padded with
 * its edges, repeated (`torch.nn.ReplicationPad3d`).
 */
export class ReplicationPad3d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom, front, back]. */
  constructor(padding: SpatialSize) {
    super(3, padding, "replicate");
  }
}

/** [N, C, L] to [N, C, L + left + right], padded with what stands at the other end (`torch.nn.CircularPad1d`). */
export class CircularPad1d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right]. At most the size of each dimension. */
  constructor(padding: SpatialSize) {
    super(1, padding, "circular");
  }
}

/**
 * [N, C, H, W] to [N, C, H + top + bottom, W + left + right], padded with
 * what stands at the other end (`torch.nn.CircularPad2d`).
 */
export class CircularPad2d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom]. At most the size of each dimension. */
  constructor(padding: SpatialSize) {
    super(2, padding, "circular");
  }
}

/**
 * [N, C, D, H, W] to [N, C, D + front + back, H + top + bottom, W + left + right], padded with
 * what stands at the other end (`torch.nn.CircularPad3d`).
 */
export class CircularPad3d extends PaddingLayer {
  /** @param padding one number for all sides, or [left, right, top, bottom, front, back]. At most the size of each dimension. */
  constructor(padding: SpatialSize) {
    super(3, padding, "circular");
  }
}
