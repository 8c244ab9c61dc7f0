// Convolutional layers (`torch.nn`, convolution layers). One class holds what all ranks share.

import { ArgumentError, type DType, type Parameter, type Tensor } from "../tensor/index.ts";
import { convolve, convolveTransposed, type Padding } from "./functional/conv.ts";
import { type SpatialSize, spatialSizes } from "./functional/sizes.ts";
import { defaultParameter } from "./init.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

export interface ConvLayerOptions {
  /** Default 1. */
  readonly stride?: SpatialSize;
  /** Zeros on both sides; "same" keeps the size. Default 0. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: SpatialSize;
  /** Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

export interface ConvTransposeLayerOptions extends Omit<ConvLayerOptions, "padding"> {
  readonly padding?: SpatialSize;
  /** What is added on one side of the output. Default 0. */
  readonly outputPadding?: SpatialSize;
}

const tuple = (sizes: readonly number[]): string => (sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(", ")})`);

/** What convolutions and transposed convolutions share: sizes, parameters, printing. */
abstract class ConvolutionBase extends Module {
  weight!: Parameter;
  /** [outChannels], or null */
  bias: Parameter | null = null;
  inChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  private readonly dtype: DType;
  private readonly hasBias: boolean;

  constructor(
    protected readonly rank: number,
    inChannels: number,
    readonly outChannels: number,
    kernelSize: SpatialSize,
    options: ConvLayerOptions | ConvTransposeLayerOptions,
  ) {
    super();
    const name = this.constructor.name;
    this.inChannels = inChannels;
    this.groups = options.groups ?? 1;
    checkSizes(name, { outChannels, groups: this.groups });
    this.kernelSize = spatialSizes(name, "kernelSize", kernelSize, rank, 1);
    this.stride = spatialSizes(name, "stride", options.stride ?? 1, rank, 1);
    this.dilation = spatialSizes(name, "dilation", options.dilation ?? 1, rank, 1);
    this.dtype = options.dtype ?? "float32";
    this.hasBias = options.bias ?? true;
    if (!this.hasUninitializedParams()) this.create(inChannels);
  }

  protected abstract weightShape(inChannels: number): readonly number[];

  protected create(inChannels: number): void {
    checkSizes(this.typeName, { inChannels });
    for (const [name, channels] of Object.entries({ inChannels, outChannels: this.outChannels })) {
      if (channels % this.groups !== 0) {
        throw new ArgumentError(
          this.typeName,
          `${name} ${channels} cannot be divided into ${this.groups} groups`,
          "Use a number of groups that divides both numbers of channels.",
        );
      }
    }
    const shape = this.weightShape(inChannels);
    const fanIn = shape.slice(1).reduce((product, extent) => product * extent, 1);
    this.inChannels = inChannels;
    this.weight = defaultParameter(shape, fanIn, this.dtype);
    if (this.hasBias) this.bias = defaultParameter([this.outChannels], fanIn, this.dtype);
  }

  /** What is printed where it is not the default, between the stride and the groups. */
  protected abstract paddingRepr(): readonly string[];

  override extraRepr(): string {
    return [
      `${this.inChannels}, ${this.outChannels}, kernelSize=${tuple(this.kernelSize)}, stride=${tuple(this.stride)}`,
      ...this.paddingRepr(),
      ...(this.dilation.some((step) => step !== 1) ? [`dilation=${tuple(this.dilation)}`] : []),
      ...(this.groups === 1 ? [] : [`groups=${this.groups}`]),
      ...(this.hasBias ? [] : ["bias=false"]),
    ].join(", ");
  }
}

abstract class Convolution extends ConvolutionBase {
  readonly padding: readonly number[] | "same" | "valid";

  constructor(
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvLayerOptions,
  ) {
    super(rank, inChannels, outChannels, kernelSize, options);
    const { padding = 0 } = options;
    this.padding = typeof padding === "string" ? padding : spatialSizes(this.typeName, "padding", padding, rank, 0);
  }

  protected override weightShape(inChannels: number): readonly number[] {
    return [this.outChannels, inChannels / this.groups, ...this.kernelSize];
  }

  forward(x: Tensor): Tensor {
    return convolve(`conv${this.rank}d`, this.rank, x, this.weight, this.bias, this);
  }

  protected override paddingRepr(): readonly string[] {
    if (typeof this.padding === "string") return [`padding=${this.padding}`];
    return this.padding.some((amount) => amount !== 0) ? [`padding=${tuple(this.padding)}`] : [];
  }
}

/** [N, inChannels, L] to [N, outChannels, L'] (`torch.nn.Conv1d`). */
export class Conv1d extends Convolution {
  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/** [N, inChannels, H, W] to [N, outChannels, H', W'] (`torch.nn.Conv2d`). */
export class Conv2d extends Convolution {
  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/** The number of input channels that a weight [O, C / groups, ...] belongs to, or undefined. */
const channelsOfWeight = (shapes: ReadonlyMap<string, readonly number[]>, rank: number, groups: number) => {
  const shape = shapes.get("weight");
  return shape?.length === rank + 2 ? shape[1] * groups : undefined;
};

/** A Conv1d that takes `inChannels` from its first input (`torch.nn.LazyConv1d`). */
export class LazyConv1d extends Conv1d {
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  override hasUninitializedParams(): boolean {
    return this.inChannels === 0;
  }

  override initializeParameters(x: Tensor): void {
    this.create(x.shape[Math.max(0, x.ndim - 2)]);
  }

  override initializeFromState(shapes: ReadonlyMap<string, readonly number[]>): boolean {
    const channels = channelsOfWeight(shapes, 1, this.groups);
    if (channels !== undefined) this.create(channels);
    return channels !== undefined;
  }
}

/** A Conv2d that takes `inChannels` from its first input (`torch.nn.LazyConv2d`). */
export class LazyConv2d extends Conv2d {
  constructor(outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(0, outChannels, kernelSize, options);
  }

  override hasUninitializedParams(): boolean {
    return this.inChannels === 0;
  }

  override initializeParameters(x: Tensor): void {
    this.create(x.shape[Math.max(0, x.ndim - 3)]);
  }

  override initializeFromState(shapes: ReadonlyMap<string, readonly number[]>): boolean {
    const channels = channelsOfWeight(shapes, 2, this.groups);
    if (channels !== undefined) this.create(channels);
    return channels !== undefined;
  }
}

abstract class TransposedConvolution extends ConvolutionBase {
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];

  constructor(
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions,
  ) {
    super(rank, inChannels, outChannels, kernelSize, options);
    this.padding = spatialSizes(this.typeName, "padding", options.padding ?? 0, rank, 0);
    this.outputPadding = spatialSizes(this.typeName, "outputPadding", options.outputPadding ?? 0, rank, 0);
  }

  protected override weightShape(inChannels: number): readonly number[] {
    return [inChannels, this.outChannels / this.groups, ...this.kernelSize];
  }

  forward(x: Tensor): Tensor {
    return convolveTransposed(`convTranspose${this.rank}d`, this.rank, x, this.weight, this.bias, this);
  }

  protected override paddingRepr(): readonly string[] {
    return (["padding", "outputPadding"] as const).flatMap((name) =>
      this[name].some((amount) => amount !== 0) ? [`${name}=${tuple(this[name])}`] : [],
    );
  }
}

/** The transposed Conv1d, which makes inputs longer (`torch.nn.ConvTranspose1d`). */
export class ConvTranspose1d extends TransposedConvolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/** The transposed Conv2d, which makes images larger (`torch.nn.ConvTranspose2d`). */
export class ConvTranspose2d extends TransposedConvolution {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}
