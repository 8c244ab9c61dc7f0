// Convolutional layers (`torch.nn`, convolution layers). One class holds what convolutions and transposed convolutions of
// all ranks share; the lazy ones stand in lazy-conv.ts.

import { ArgumentError, type DType, type Parameter, ShapeError, type Tensor } from "../tensor/index.ts";
import { convolve, convolveTransposed, type Padding, paddingPairs } from "./functional/conv.ts";
import { type PaddingMode, padPairs } from "./functional/padding.ts";
import { checkSpatialInput, outputSizes, type SpatialSize, sizeText, spatialSizes } from "./functional/sizes.ts";
import { defaultParameter } from "./init.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

/** What a convolution pads its input with: zeros, or what `F.pad` calls so. */
export type ConvPaddingMode = "zeros" | Exclude<PaddingMode, "constant">;

/** What convolutions and transposed convolutions take. */
interface SharedOptions {
  /** The step from window to window; of a transposed convolution, the distance of inputs in the output. Default 1. */
  readonly stride?: SpatialSize;
  /** Distance between the elements of the kernel. Default 1. */
  readonly dilation?: SpatialSize;
  /** Groups of channels that are convolved apart from each other; it divides both numbers of channels. Default 1. */
  readonly groups?: number;
  /** Whether a bias is added to every output channel. Default true. */
  readonly bias?: boolean;
  /** Of the parameters, and so of the input. Default float32. */
  readonly dtype?: DType;
}

/** Options of `Conv1d`, `Conv2d` and `Conv3d`. */
export interface ConvLayerOptions extends SharedOptions {
  /** What is added on both sides of every dimension; "same" keeps the size and needs a stride of 1. Default 0. */
  readonly padding?: Padding;
  /** What is added: "zeros", "reflect", "replicate" or "circular". Default "zeros". */
  readonly paddingMode?: ConvPaddingMode;
}

/** Options of `ConvTranspose1d`, `ConvTranspose2d` and `ConvTranspose3d`. */
export interface ConvTransposeLayerOptions extends SharedOptions {
  /** What is cut off on both sides of every dimension. Default 0. */
  readonly padding?: SpatialSize;
  /** What is added on one side of the output, since several input sizes give one output size. Default 0. */
  readonly outputPadding?: SpatialSize;
}

/** What convolutions and transposed convolutions share: sizes, parameters, learning sizes from an input, printing. */
export abstract class ConvolutionBase extends Module {
  /** Its shape begins with the numbers of channels and ends with the kernel's size. */
  weight!: Parameter;
  /** [outChannels], or null */
  bias: Parameter | null = null;
  /** 0 for a lazy layer that has seen no input. */
  inChannels: number;
  /** The extent of the kernel in each spatial dimension. */
  readonly kernelSize: readonly number[];
  /** The step from window to window in each spatial dimension. */
  readonly stride: readonly number[];
  /** The distance between elements of the kernel in each spatial dimension. */
  readonly dilation: readonly number[];
  /** How many groups of channels are convolved apart from each other. */
  readonly groups: number;
  private readonly dtype: DType;
  private readonly hasBias: boolean;

  constructor(
    /** The number of spatial dimensions: 1, 2 or 3. */
    protected readonly rank: number,
    inChannels: number,
    /** The number of channels of the output. */
    readonly outChannels: number,
    kernelSize: SpatialSize,
    options: SharedOptions,
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
    if (!this.isLazy) this.create(inChannels);
  }

  /** The shape of a weight for so many input channels. */
  protected abstract weightShape(inChannels: number): readonly number[];

  /** The inverse of `weightShape`: the number of input channels that a weight's shape belongs to. */
  protected abstract inChannelsOf(weightShape: readonly number[]): number;

  private create(inChannels: number): void {
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

  /** Whether the number of input channels comes from the first input. */
  protected get isLazy(): boolean {
    return false;
  }

  override hasUninitializedParams(): boolean {
    return this.isLazy && this.inChannels === 0;
  }

  override initializeParameters(x: Tensor): void {
    checkSpatialInput(this.typeName, x, this.rank, "convolved");
    this.create(x.shape[x.ndim - this.rank - 1]);
  }

  override initializeFromState(shapes: ReadonlyMap<string, readonly number[]>): boolean {
    const shape = shapes.get("weight");
    if (shape?.length !== this.rank + 2) return false;
    this.create(this.inChannelsOf(shape));
    return true;
  }

  /** What is printed where it is not the default, between the stride and the groups. */
  protected abstract paddingRepr(): readonly string[];

  override extraRepr(): string {
    return [
      `${this.inChannels}, ${this.outChannels}, kernelSize=${sizeText(this.kernelSize)}, stride=${sizeText(this.stride)}`,
      ...this.paddingRepr(),
      ...(this.dilation.some((step) => step !== 1) ? [`dilation=${sizeText(this.dilation)}`] : []),
      ...(this.groups === 1 ? [] : [`groups=${this.groups}`]),
      ...(this.hasBias ? [] : ["bias=false"]),
    ].join(", ");
  }
}

const paddingModes: readonly ConvPaddingMode[] = ["zeros", "reflect", "replicate", "circular"];

/** A convolution of any rank; the weight is [outChannels, inChannels / groups, ...kernelSize]. */
export abstract class Convolution extends ConvolutionBase {
  /** What is added on both sides of each spatial dimension, or the name of the rule that says it. */
  readonly padding: readonly number[] | "same" | "valid";
  /** What the input is padded with. */
  readonly paddingMode: ConvPaddingMode;

  constructor(
    rank: number,
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvLayerOptions,
  ) {
    super(rank, inChannels, outChannels, kernelSize, options);
    const { padding = 0, paddingMode = "zeros" } = options;
    if (!paddingModes.includes(paddingMode)) {
      throw new ArgumentError(
        this.typeName,
        `there is no paddingMode "${paddingMode}"`,
        `Use one of ${paddingModes.join(", ")}.`,
      );
    }
    this.padding = typeof padding === "string" ? padding : spatialSizes(this.typeName, "padding", padding, rank, 0);
    this.paddingMode = paddingMode;
    // An error that belongs to the options is raised here, not at the first input.
    paddingPairs(this.typeName, this.padding, this.kernelSize, this.stride, this.dilation);
  }

  protected override weightShape(inChannels: number): readonly number[] {
    return [this.outChannels, inChannels / this.groups, ...this.kernelSize];
  }

  protected override inChannelsOf(weightShape: readonly number[]): number {
    return weightShape[1] * this.groups;
  }

  forward(x: Tensor): Tensor {
    const { rank, weight, bias, paddingMode, padding, kernelSize, stride, dilation } = this;
    const operation = `conv${rank}d`;
    if (paddingMode === "zeros") return convolve(operation, rank, x, weight, bias, this);
    checkSpatialInput(operation, x, rank, "convolved");
    const pairs = paddingPairs(operation, padding, kernelSize, stride, dilation);
    const padded = padPairs(x, pairs, { mode: paddingMode });
    return convolve(operation, rank, padded, weight, bias, { stride, dilation, groups: this.groups });
  }

  protected override paddingRepr(): readonly string[] {
    const mode = this.paddingMode === "zeros" ? [] : [`paddingMode=${this.paddingMode}`];
    if (typeof this.padding === "string") return [`padding=${this.padding}`, ...mode];
    return [...(this.padding.some((amount) => amount !== 0) ? [`padding=${sizeText(this.padding)}`] : []), ...mode];
  }
}

/**
 * [N, inChannels, L] or [inChannels, L] to [N, outChannels, L'] (`torch.nn.Conv1d`), with
 * L' = floor((L + 2 padding - dilation (kernelSize - 1) - 1) / stride) + 1. Parameters are drawn uniformly within
 * 1 / sqrt(inChannels kernelSize / groups), as PyTorch's.
 */
export class Conv1d extends Convolution {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * [N, inChannels, H, W] or [inChannels, H, W] to [N, outChannels, H', W'] (`torch.nn.Conv2d`); sizes and initial values
 * as of `Conv1d`.
 *
 * @example
 * const conv = new nn.Conv2d(3, 16, 3, { padding: "same", paddingMode: "reflect" });
 * const maps = conv.forward(images); // [N, 3, 32, 32] to [N, 16, 32, 32]
 */
export class Conv2d extends Convolution {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * [N, inChannels, D, H, W] or [inChannels, D, H, W] to [N, outChannels, D', H', W'] (`torch.nn.Conv3d`); sizes and initial
 * values as of `Conv1d`.
 */
export class Conv3d extends Convolution {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(inChannels: number, outChannels: number, kernelSize: SpatialSize, options: ConvLayerOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}

/** A transposed convolution of any rank; the weight is [inChannels, outChannels / groups, ...kernelSize]. */
export abstract class TransposedConvolution extends ConvolutionBase {
  /** What is cut off on both sides of each spatial dimension. */
  readonly padding: readonly number[];
  /** What is added on one side of each spatial dimension of the output. */
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

  protected override inChannelsOf(weightShape: readonly number[]): number {
    return weightShape[0];
  }

  /**
   * @param outputSize the size wanted, of the spatial dimensions or of all, in place of `outputPadding`: several sizes
   * have one input size in common
   * @throws ShapeError where the input cannot have come from that size
   */
  forward(x: Tensor, outputSize?: readonly number[]): Tensor {
    const { rank, weight, bias, stride, padding, dilation, groups } = this;
    const outputPadding = outputSize === undefined ? this.outputPadding : this.outputPaddingFor(x, outputSize);
    const options = { stride, padding, outputPadding, dilation, groups };
    return convolveTransposed(`convTranspose${rank}d`, rank, x, weight, bias, options);
  }

  private outputPaddingFor(x: Tensor, outputSize: readonly number[]): readonly number[] {
    checkSpatialInput(this.typeName, x, this.rank, "convolved");
    const sizes = outputSizes(this.typeName, outputSize, x, this.rank);
    const smallest = x.shape
      .slice(-this.rank)
      .map(
        (length, i) =>
          (length - 1) * this.stride[i] - 2 * this.padding[i] + this.dilation[i] * (this.kernelSize[i] - 1) + 1,
      );
    const largest = smallest.map((size, i) => size + this.stride[i] - 1);
    if (sizes.some((size, i) => size < smallest[i] || size > largest[i])) {
      throw new ShapeError(
        this.typeName,
        [x.shape],
        `an output of ${sizeText(sizes)} cannot come from this input`,
        `Ask for sizes from ${sizeText(smallest)} to ${sizeText(largest)}.`,
      );
    }
    return sizes.map((size, i) => size - smallest[i]);
  }

  protected override paddingRepr(): readonly string[] {
    return (["padding", "outputPadding"] as const).flatMap((name) =>
      this[name].some((amount) => amount !== 0) ? [`${name}=${sizeText(this[name])}`] : [],
    );
  }
}

/**
 * The transposed Conv1d, which makes inputs longer: [N, inChannels, L] or [inChannels, L] to [N, outChannels, L'], with
 * L' = (L - 1) stride - 2 padding + dilation (kernelSize - 1) + outputPadding + 1 (`torch.nn.ConvTranspose1d`). Parameters
 * are drawn uniformly within 1 / sqrt(outChannels kernelSize / groups), as PyTorch's.
 */
export class ConvTranspose1d extends TransposedConvolution {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * The transposed Conv2d, which makes images larger: [N, inChannels, H, W] or [inChannels, H, W] to [N, outChannels, H', W']
 * (`torch.nn.ConvTranspose2d`); sizes and initial values as of `ConvTranspose1d`.
 *
 * @example
 * const up = new nn.ConvTranspose2d(64, 32, 4, { stride: 2, padding: 1 });
 * up.forward(x); // [N, 64, 8, 8] to [N, 32, 16, 16]
 * up.forward(x, [17, 17]); // the same with a row and a column more
 */
export class ConvTranspose2d extends TransposedConvolution {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * The transposed Conv3d, which makes volumes larger: [N, inChannels, D, H, W] or [inChannels, D, H, W] to
 * [N, outChannels, D', H', W'] (`torch.nn.ConvTranspose3d`); sizes and initial values as of `ConvTranspose1d`.
 */
export class ConvTranspose3d extends TransposedConvolution {
  /** @throws ArgumentError where sizes or options do not fit each other */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: SpatialSize,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
}
