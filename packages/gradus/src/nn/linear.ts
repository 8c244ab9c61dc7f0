// Fully connected layers, and those that only change shapes (`torch.nn`, linear layers and utilities).

import { ArgumentError, type DType, type Parameter, type Tensor } from "../tensor/index.ts";
import { bilinear, linear } from "./functional/linear.ts";
import { defaultParameter } from "./init.ts";
import { Module } from "./module.ts";

/** Options of `Linear`, `LazyLinear` and `Bilinear`. */
export interface LinearOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/** Throws unless every size is an integer from 1. */
export function checkSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1) {
      throw new ArgumentError(layer, `${name} is ${size}`, "Use an integer from 1.");
    }
  }
}

/**
 * y = x W^T + b on the last dimension: [..., inFeatures] to [..., outFeatures] (`torch.nn.Linear`). The numbers to begin
 * with are uniform within 1 / sqrt(inFeatures).
 *
 * @example
 * const layer = new nn.Linear(784, 10);
 * const logits = layer.forward(gd.randn([32, 784])); // [32, 10]
 */
export class Linear extends Module {
  /** [outFeatures, inFeatures] */
  weight!: Parameter;
  /** [outFeatures], or null */
  bias: Parameter | null = null;
  /** The size of the last dimension of inputs; 0 in a lazy layer that has seen none. */
  inFeatures: number;
  /** Of the parameters. */
  protected readonly dtype: DType;

  /**
   * @param inFeatures the size of the last dimension of inputs
   * @param outFeatures that of outputs
   * @param options bias and dtype
   * @throws ArgumentError unless both sizes are integers from 1
   */
  constructor(
    inFeatures: number,
    readonly outFeatures: number,
    protected readonly options: LinearOptions = {},
  ) {
    super();
    this.inFeatures = inFeatures;
    this.dtype = options.dtype ?? "float32";
    checkSizes("Linear", { outFeatures });
    if (!this.hasUninitializedParams()) this.create(inFeatures);
  }

  /** Makes the parameters for so many inputs. */
  protected create(inFeatures: number): void {
    checkSizes("Linear", { inFeatures });
    this.inFeatures = inFeatures;
    this.weight = defaultParameter([this.outFeatures, inFeatures], inFeatures, this.dtype);
    if (this.options.bias ?? true) this.bias = defaultParameter([this.outFeatures], inFeatures, this.dtype);
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `inFeatures=${this.inFeatures}, outFeatures=${this.outFeatures}, bias=${this.options.bias ?? true}`;
  }
}

/**
 * y_o = x1^T A_o x2 + b_o: [..., in1Features] and [..., in2Features] to [..., outFeatures] (`torch.nn.Bilinear`). The
 * numbers to begin with are uniform within 1 / sqrt(in1Features).
 */
export class Bilinear extends Module<[Tensor, Tensor]> {
  /** [outFeatures, in1Features, in2Features] */
  weight: Parameter;
  /** [outFeatures], or null */
  bias: Parameter | null = null;

  /**
   * @param in1Features the size of the last dimension of the first input
   * @param in2Features that of the second
   * @param outFeatures that of outputs
   * @param options bias and dtype
   * @throws ArgumentError unless all sizes are integers from 1
   */
  constructor(
    readonly in1Features: number,
    readonly in2Features: number,
    readonly outFeatures: number,
    { bias = true, dtype = "float32" }: LinearOptions = {},
  ) {
    super();
    checkSizes("Bilinear", { in1Features, in2Features, outFeatures });
    this.weight = defaultParameter([outFeatures, in1Features, in2Features], in1Features, dtype);
    if (bias) this.bias = defaultParameter([outFeatures], in1Features, dtype);
  }

  forward(x1: Tensor, x2: Tensor): Tensor {
    return bilinear(x1, x2, this.weight, this.bias);
  }

  override extraRepr(): string {
    const { in1Features, in2Features, outFeatures, bias } = this;
    return `in1Features=${in1Features}, in2Features=${in2Features}, outFeatures=${outFeatures}, bias=${bias !== null}`;
  }
}

/** A Linear that takes `inFeatures` from its first input (`torch.nn.LazyLinear`). */
export class LazyLinear extends Linear {
  /**
   * @param outFeatures the size of the last dimension of outputs
   * @param options bias and dtype
   */
  constructor(outFeatures: number, options: LinearOptions = {}) {
    super(0, outFeatures, options);
  }

  override hasUninitializedParams(): boolean {
    return this.inFeatures === 0;
  }

  override initializeParameters(x: Tensor): void {
    this.create(x.shape[x.ndim - 1] ?? 1);
  }

  override initializeFromState(shapes: ReadonlyMap<string, readonly number[]>): boolean {
    const shape = shapes.get("weight");
    if (shape?.length !== 2) return false;
    this.create(shape[1]);
    return true;
  }
}

/** Gives its input (`torch.nn.Identity`). Arguments are ignored, so that it can stand for any layer. */
export class Identity extends Module {
  /** @param _ignored what another layer would take */
  constructor(..._ignored: readonly unknown[]) {
    super();
  }

  forward(x: Tensor): Tensor {
    return x;
  }
}

/** Dimensions from `startDim` to `endDim` as one; by default all but the batch (`torch.nn.Flatten`). */
export class Flatten extends Module {
  /**
   * @param startDim the first of them; negative ones count from the end. Default 1
   * @param endDim the last of them. Default -1
   */
  constructor(
    readonly startDim = 1,
    readonly endDim = -1,
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `startDim=${this.startDim}, endDim=${this.endDim}`;
  }
}

/** One dimension as several, as `Flatten` undone (`torch.nn.Unflatten`). */
export class Unflatten extends Module {
  /**
   * @param dim the dimension; negative ones count from the end
   * @param unflattenedSize what takes its place. One of the sizes may be -1
   */
  constructor(
    readonly dim: number,
    readonly unflattenedSize: readonly number[],
  ) {
    super();
  }

  forward(x: Tensor): Tensor {
    return x.unflatten(this.dim, this.unflattenedSize);
  }

  override extraRepr(): string {
    return `dim=${this.dim}, unflattenedSize=(${this.unflattenedSize.join(", ")})`;
  }
}
