// Embedding layers (`torch.nn`, sparse layers): a table of learned vectors, looked up by integers.

import {
  ArgumentError,
  arange,
  type DType,
  Parameter,
  randn,
  ShapeError,
  type Tensor,
  where,
} from "../tensor/index.ts";
import { type EmbeddingOptions, embedding, paddingRow } from "./functional/embedding.ts";
import { type BagMode, type EmbeddingBagOptions, embeddingBag } from "./functional/embedding-bag.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

/** Options of `Embedding`. */
export interface EmbeddingLayerOptions extends EmbeddingOptions {
  /** Values to begin with, `[numEmbeddings, embeddingDim]`, instead of random ones. */
  readonly weight?: Tensor;
  /** Default float32. */
  readonly dtype?: DType;
}

/** Options of `Embedding.fromPretrained` and `EmbeddingBag.fromPretrained`. */
export interface PretrainedOptions extends EmbeddingOptions {
  /** Whether the table stays as it is, without a gradient. Default true. */
  readonly freeze?: boolean;
}

/** What layers with a table share. */
abstract class Table<Inputs extends readonly unknown[]> extends Module<Inputs> {
  /** [numEmbeddings, embeddingDim] */
  weight: Parameter;
  /** From 0, or null. */
  readonly paddingIdx: number | null;
  /** Rows with a larger norm are scaled down to it before they are used; null for no limit. */
  readonly maxNorm: number | null;
  /** The order of that norm. */
  readonly normType: number;
  /** Whether a row's gradient is divided by how often the row occurs in the input. */
  readonly scaleGradByFreq: boolean;

  /**
   * @param numEmbeddings how many vectors; the largest index is one less
   * @param embeddingDim how many numbers a vector has
   * @throws ArgumentError for sizes below 1 and a padding row that is not there, ShapeError if a given weight does not fit
   */
  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options: EmbeddingLayerOptions,
  ) {
    super();
    checkSizes(this.typeName, { numEmbeddings, embeddingDim });
    this.paddingIdx = paddingRow(this.typeName, options.paddingIdx, numEmbeddings);
    this.maxNorm = options.maxNorm ?? null;
    this.normType = options.normType ?? 2;
    this.scaleGradByFreq = options.scaleGradByFreq ?? false;
    this.weight = new Parameter(this.initialValues(options));
  }

  private initialValues({ weight, dtype }: EmbeddingLayerOptions): Tensor {
    const shape = [this.numEmbeddings, this.embeddingDim];
    if (weight !== undefined) {
      if (weight.shape.join() !== shape.join()) {
        throw new ShapeError(this.typeName, [weight.shape, shape], "the given weight has another shape");
      }
      return dtype === undefined ? weight : weight.to(dtype);
    }
    const drawn = randn(shape, { dtype });
    if (this.paddingIdx === null) return drawn;
    return where(arange(this.numEmbeddings).eq(this.paddingIdx).unsqueeze(1), 0, drawn);
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? "" : `, paddingIdx=${this.paddingIdx}`;
    const limit = this.maxNorm === null ? "" : `, maxNorm=${this.maxNorm}`;
    const norm = this.normType === 2 ? "" : `, normType=${this.normType}`;
    const scaled = this.scaleGradByFreq ? ", scaleGradByFreq=true" : "";
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}${limit}${norm}${scaled}`;
  }
}

/** Rows and columns of a given table. */
function sizesOf(layer: string, weight: Tensor): readonly [number, number] {
  if (weight.ndim === 2) return [weight.shape[0], weight.shape[1]];
  throw new ArgumentError(layer, `a table of ${weight.ndim} dimensions is none`, "Give it [rows, features].");
}

/**
 * Vectors for integers, such as the tokens of a text: int32 or uint8 of any shape to [..., embeddingDim]
 * (`torch.nn.Embedding`). The table begins with standard normal numbers, and zeros in the row of the padding. An index
 * that is out of range raises an IndexError when the output is computed.
 *
 * @example
 * const words = new nn.Embedding(10_000, 64, { paddingIdx: 0 });
 * const vectors = words.forward(gd.tensor([[5, 17, 0]], { dtype: "int32" })); // [1, 3, 64]
 */
export class Embedding extends Table<[Tensor]> {
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingLayerOptions = {}) {
    super(numEmbeddings, embeddingDim, options);
  }

  /**
   * An embedding with given vectors (`torch.nn.Embedding.from_pretrained`).
   * @param weight [numEmbeddings, embeddingDim]; its values are taken over
   */
  static fromPretrained(weight: Tensor, { freeze = true, ...options }: PretrainedOptions = {}): Embedding {
    const made = new Embedding(...sizesOf("Embedding", weight), { ...options, weight: weight.detach() });
    made.weight.requiresGrad_(!freeze);
    return made;
  }

  forward(input: Tensor): Tensor {
    return embedding(input, this.weight, this);
  }
}

/** Options of `EmbeddingBag`. */
export interface EmbeddingBagLayerOptions extends EmbeddingLayerOptions {
  /** What becomes of the rows of a bag. Default "mean". */
  readonly mode?: BagMode;
  /** Whether the last offset is where the last bag ends. Default false. */
  readonly includeLastOffset?: boolean;
}

/**
 * The mean, sum or maximum of the vectors of each bag of integers, such as the words of a text in any order:
 * [bags, length], or [length] with offsets, to [bags, embeddingDim] (`torch.nn.EmbeddingBag`).
 *
 * @example
 * const bag = new nn.EmbeddingBag(10_000, 64, { mode: "sum" });
 * const words = gd.tensor([5, 17, 3, 5], { dtype: "int32" });
 * bag.forward(words, gd.tensor([0, 3], { dtype: "int32" })); // [2, 64]: of three words and of one
 */
export class EmbeddingBag extends Table<[input: Tensor, offsets?: Tensor | null, perSampleWeights?: Tensor | null]> {
  /** What becomes of the rows of a bag. */
  readonly mode: BagMode;
  /** Whether the last offset is where the last bag ends. */
  readonly includeLastOffset: boolean;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagLayerOptions = {}) {
    super(numEmbeddings, embeddingDim, options);
    this.mode = options.mode ?? "mean";
    this.includeLastOffset = options.includeLastOffset ?? false;
  }

  /**
   * Bags with given vectors (`torch.nn.EmbeddingBag.from_pretrained`).
   * @param weight [numEmbeddings, embeddingDim]; its values are taken over
   */
  static fromPretrained(
    weight: Tensor,
    { freeze = true, ...options }: PretrainedOptions & Omit<EmbeddingBagLayerOptions, "weight"> = {},
  ): EmbeddingBag {
    const made = new EmbeddingBag(...sizesOf("EmbeddingBag", weight), { ...options, weight: weight.detach() });
    made.weight.requiresGrad_(!freeze);
    return made;
  }

  /**
   * Looks the rows up and brings those of each bag together: [bags, embeddingDim].
   * @param input [bags, length], or [length] with offsets; int32 or uint8
   * @param offsets [bags], int32: where each bag begins in an input of one dimension
   * @param perSampleWeights of the input's shape, for mode "sum"
   */
  forward(input: Tensor, offsets: Tensor | null = null, perSampleWeights: Tensor | null = null): Tensor {
    const options: EmbeddingBagOptions = { ...this.options, offsets, perSampleWeights };
    return embeddingBag(input, this.weight, options);
  }

  private get options(): EmbeddingBagOptions {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq, mode, includeLastOffset } = this;
    return { paddingIdx, maxNorm, normType, scaleGradByFreq, mode, includeLastOffset };
  }

  /** What stands between the parentheses when the layer is printed. */
  override extraRepr(): string {
    return `${super.extraRepr()}, mode=${this.mode}${this.includeLastOffset ? ", includeLastOffset=true" : ""}`;
  }
}
