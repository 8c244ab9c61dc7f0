// Transformers (Vaswani et al., "Attention is all you need", 2017), as `torch.nn` has them: layers of encoder and decoder, stacks
// of them, and both together. Keys and defaults are PyTorch's.

import { ArgumentError, type DType, full, type Tensor, where } from "../tensor/index.ts";
import { MultiheadAttention } from "./attention.ts";
import { ModuleList } from "./containers.ts";
import { Dropout } from "./dropout.ts";
import { gelu, relu } from "./functional/activation.ts";
import { causalMask } from "./functional/attention.ts";
import { xavierUniform_ } from "./init.ts";
import { Linear } from "./linear.ts";
import { type AnyModule, Module } from "./module.ts";
import { LayerNorm } from "./normalization.ts";

export interface TransformerLayerOptions {
  /** Features between the two linear layers. Default 2048. */
  readonly dimFeedforward?: number;
  /** The probability of dropping attention weights, hidden features, and features of each part's output. Default 0.1. */
  readonly dropout?: number;
  /** What stands between the two linear layers. Default "relu". */
  readonly activation?: "relu" | "gelu" | ((x: Tensor) => Tensor);
  /** Added to the variance in the normalizations. Default 1e-5. */
  readonly layerNormEps?: number;
  /** Whether inputs and outputs are [N, L, dModel] instead of [L, N, dModel]. Default false. */
  readonly batchFirst?: boolean;
  /** Whether each part normalizes its input instead of its result. Default false. */
  readonly normFirst?: boolean;
  /** Whether linear layers, attention and normalizations have biases. Default true. */
  readonly bias?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

const activations: ReadonlyMap<string, (x: Tensor) => Tensor> = new Map([
  ["relu", relu],
  ["gelu", (x: Tensor) => gelu(x)],
]);

function activationOf(
  layer: string,
  activation: TransformerLayerOptions["activation"] = "relu",
): (x: Tensor) => Tensor {
  const found = typeof activation === "function" ? activation : activations.get(activation);
  if (found !== undefined) return found;
  throw new ArgumentError(layer, `there is no activation "${String(activation)}"`, 'Use "relu", "gelu" or a function.');
}

/** What layers of encoder and decoder share: their sizes, and the way through the two linear layers. */
abstract class TransformerLayer<Inputs extends readonly unknown[]> extends Module<Inputs, Tensor> {
  protected readonly activation: (x: Tensor) => Tensor;
  protected readonly normFirst: boolean;

  constructor(
    readonly dModel: number,
    readonly nhead: number,
    readonly options: TransformerLayerOptions,
  ) {
    super();
    this.activation = activationOf(this.typeName, options.activation);
    this.normFirst = options.normFirst ?? false;
  }

  protected attention(name: string): MultiheadAttention {
    const { dropout = 0.1, batchFirst, bias, dtype } = this.options;
    return this.registerModule(
      name,
      new MultiheadAttention(this.dModel, this.nhead, { dropout, batchFirst, bias, dtype }),
    );
  }

  protected norm(): LayerNorm {
    const { layerNormEps: eps, bias, dtype } = this.options;
    return new LayerNorm(this.dModel, { eps, bias, dtype });
  }

  protected linear(inFeatures: number, outFeatures: number): Linear {
    const { bias, dtype } = this.options;
    return new Linear(inFeatures, outFeatures, { bias, dtype });
  }

  protected get feedforwardSize(): number {
    return this.options.dimFeedforward ?? 2048;
  }

  protected newDropout(): Dropout {
    return new Dropout(this.options.dropout ?? 0.1);
  }

  /** x and what a part makes of it, normalized before or after. */
  protected residual(x: Tensor, norm: LayerNorm, part: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? x.add(part(norm.forward(x))) : norm.forward(x.add(part(x)));
  }

  override extraRepr(): string {
    return `${this.dModel}, ${this.nhead}${this.normFirst ? ", normFirst=true" : ""}`;
  }
}

export interface EncoderLayerCallOptions {
  /** As the `attnMask` of `MultiheadAttention`: [L, L] or [N nhead, L, L]; bool, true hiding, or float. Default: none. */
  readonly srcMask?: Tensor | null;
  /** [N, L]; true for padding. Default: none. */
  readonly srcKeyPaddingMask?: Tensor | null;
}

/**
 * A layer of a transformer's encoder (`torch.nn.TransformerEncoderLayer`): self-attention and two linear layers, each with a
 * residual connection and a normalization. [L, N, dModel] (with `batchFirst` [N, L, dModel]) to the same shape.
 *
 * @example
 * const layer = new nn.TransformerEncoderLayer(64, 8, { batchFirst: true });
 * layer.forward(gd.randn([2, 10, 64])).shape // [2, 10, 64]
 */
export class TransformerEncoderLayer extends TransformerLayer<[src: Tensor, options?: EncoderLayerCallOptions]> {
  readonly selfAttn = this.attention("self_attn");
  readonly linear1 = this.linear(this.dModel, this.feedforwardSize);
  readonly dropout = this.newDropout();
  readonly linear2 = this.linear(this.feedforwardSize, this.dModel);
  readonly norm1 = this.norm();
  readonly norm2 = this.norm();
  readonly dropout1 = this.newDropout();
  readonly dropout2 = this.newDropout();

  /** @throws ArgumentError if the heads do not divide the features, or there is no such activation */
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super(dModel, nhead, options);
  }

  /** @throws ShapeError for an input or masks that do not fit */
  forward(src: Tensor, { srcMask, srcKeyPaddingMask }: EncoderLayerCallOptions = {}): Tensor {
    const attended = this.residual(src, this.norm1, (x) => {
      const options = { attnMask: srcMask, keyPaddingMask: srcKeyPaddingMask, needWeights: false };
      return this.dropout1.forward(this.selfAttn.forward(x, x, x, options)[0]);
    });
    return this.residual(attended, this.norm2, (x) => {
      const hidden = this.dropout.forward(this.activation(this.linear1.forward(x)));
      return this.dropout2.forward(this.linear2.forward(hidden));
    });
  }
}

export interface DecoderLayerCallOptions {
  /** Self-attention's mask: [T, T] or [N nhead, T, T]; bool, true hiding, or float. Default: none. */
  readonly tgtMask?: Tensor | null;
  /** The mask of the attention to the memory: [T, S] or [N nhead, T, S]. Default: none. */
  readonly memoryMask?: Tensor | null;
  /** [N, T]; true for padding. Default: none. */
  readonly tgtKeyPaddingMask?: Tensor | null;
  /** [N, S]; true for padding. Default: none. */
  readonly memoryKeyPaddingMask?: Tensor | null;
}

/**
 * A layer of a transformer's decoder (`torch.nn.TransformerDecoderLayer`): self-attention, attention to the encoder's
 * output, and two linear layers. Target [T, N, dModel] and memory [S, N, dModel] to [T, N, dModel]; with `batchFirst`
 * the batch comes first.
 */
export class TransformerDecoderLayer extends TransformerLayer<
  [tgt: Tensor, memory: Tensor, options?: DecoderLayerCallOptions]
> {
  readonly selfAttn = this.attention("self_attn");
  readonly multiheadAttn = this.attention("multihead_attn");
  readonly linear1 = this.linear(this.dModel, this.feedforwardSize);
  readonly dropout = this.newDropout();
  readonly linear2 = this.linear(this.feedforwardSize, this.dModel);
  readonly norm1 = this.norm();
  readonly norm2 = this.norm();
  readonly norm3 = this.norm();
  readonly dropout1 = this.newDropout();
  readonly dropout2 = this.newDropout();
  readonly dropout3 = this.newDropout();

  /** @throws ArgumentError if the heads do not divide the features, or there is no such activation */
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super(dModel, nhead, options);
  }

  /** @throws ShapeError for inputs or masks that do not fit */
  forward(tgt: Tensor, memory: Tensor, options: DecoderLayerCallOptions = {}): Tensor {
    const attended = this.residual(tgt, this.norm1, (x) => {
      const masks = { attnMask: options.tgtMask, keyPaddingMask: options.tgtKeyPaddingMask, needWeights: false };
      return this.dropout1.forward(this.selfAttn.forward(x, x, x, masks)[0]);
    });
    const informed = this.residual(attended, this.norm2, (x) => {
      const masks = { attnMask: options.memoryMask, keyPaddingMask: options.memoryKeyPaddingMask, needWeights: false };
      return this.dropout2.forward(this.multiheadAttn.forward(x, memory, memory, masks)[0]);
    });
    return this.residual(informed, this.norm3, (x) => {
      const hidden = this.dropout.forward(this.activation(this.linear1.forward(x)));
      return this.dropout3.forward(this.linear2.forward(hidden));
    });
  }
}

/** A layer to copy, or what makes the layer at each place. */
type LayerSource<Layer> = Layer | ((index: number) => Layer);

interface Copied {
  readonly dModel: number;
  readonly nhead: number;
  readonly options: TransformerLayerOptions;
}

/** Layers for a stack: copies with the values and modes of the one given, as PyTorch makes them, or new ones. */
function stackOf<Layer extends AnyModule & Copied>(
  stack: string,
  LayerClass: new (dModel: number, nhead: number, options: TransformerLayerOptions) => Layer,
  source: LayerSource<Layer>,
  numLayers: number,
): ModuleList<Layer> {
  if (!Number.isInteger(numLayers) || numLayers < 0) {
    throw new ArgumentError(stack, `${numLayers} is no number of layers`, "Use an integer from 0.");
  }
  const places = Array.from({ length: numLayers }, (_, index) => index);
  if (typeof source === "function") return new ModuleList(places.map((index) => source(index)));
  if (source.constructor !== LayerClass) {
    throw new ArgumentError(
      stack,
      `how a ${source.typeName} is copied is not known`,
      "Pass a function that makes a layer, (index) => layer.",
    );
  }
  const parameters = source.namedParameters();
  return new ModuleList(
    places.map(() => {
      const copy = new LayerClass(source.dModel, source.nhead, { ...source.options, dtype: parameters[0][1].dtype });
      copy.loadStateDict(source.stateDict());
      for (const [i, parameter] of copy.parameters().entries()) {
        parameter.requiresGrad_(parameters[i][1].requiresGrad);
      }
      return copy.train(source.training);
    }),
  );
}

export interface TransformerStackOptions {
  /** What normalizes the result. Default: nothing. */
  readonly norm?: Module | null;
}

export interface EncoderCallOptions {
  /** As the `attnMask` of `MultiheadAttention`: [L, L] or [N nhead, L, L]; bool, true hiding, or float. Default: none. */
  readonly mask?: Tensor | null;
  /** [N, L]; true for padding. Default: none. */
  readonly srcKeyPaddingMask?: Tensor | null;
}

/**
 * Layers of an encoder on each other (`torch.nn.TransformerEncoder`).
 *
 * @example
 * const layer = new nn.TransformerEncoderLayer(64, 8);
 * const encoder = new nn.TransformerEncoder(layer, 6);      // six copies, which begin with the same values
 * const other = new nn.TransformerEncoder(() => new nn.TransformerEncoderLayer(64, 8), 6); // six of their own
 */
export class TransformerEncoder extends Module<[src: Tensor, options?: EncoderCallOptions], Tensor> {
  readonly layers: ModuleList<TransformerEncoderLayer>;
  readonly norm: Module | null;

  /**
   * @param layer what is copied, as it is now, or a function from a place to its layer
   * @param numLayers an integer from 0
   * @throws ArgumentError for another number, or a layer of a class of one's own, which needs the function
   */
  constructor(
    layer: LayerSource<TransformerEncoderLayer>,
    readonly numLayers: number,
    { norm = null }: TransformerStackOptions = {},
  ) {
    super();
    this.layers = stackOf("TransformerEncoder", TransformerEncoderLayer, layer, numLayers);
    this.norm = norm;
  }

  /** @throws ShapeError for an input or masks that do not fit */
  forward(src: Tensor, { mask, srcKeyPaddingMask }: EncoderCallOptions = {}): Tensor {
    let x = src;
    for (const layer of this.layers) x = layer.forward(x, { srcMask: mask, srcKeyPaddingMask });
    return this.norm === null ? x : this.norm.forward(x);
  }
}

/** Layers of a decoder on each other (`torch.nn.TransformerDecoder`). */
export class TransformerDecoder extends Module<
  [tgt: Tensor, memory: Tensor, options?: DecoderLayerCallOptions],
  Tensor
> {
  readonly layers: ModuleList<TransformerDecoderLayer>;
  readonly norm: Module | null;

  /**
   * @param layer what is copied, as it is now, or a function from a place to its layer
   * @param numLayers an integer from 0
   * @throws ArgumentError for another number, or a layer of a class of one's own, which needs the function
   */
  constructor(
    layer: LayerSource<TransformerDecoderLayer>,
    readonly numLayers: number,
    { norm = null }: TransformerStackOptions = {},
  ) {
    super();
    this.layers = stackOf("TransformerDecoder", TransformerDecoderLayer, layer, numLayers);
    this.norm = norm;
  }

  /** @throws ShapeError for inputs or masks that do not fit */
  forward(tgt: Tensor, memory: Tensor, options: DecoderLayerCallOptions = {}): Tensor {
    let x = tgt;
    for (const layer of this.layers) x = layer.forward(x, memory, options);
    return this.norm === null ? x : this.norm.forward(x);
  }
}

/**
 * The mask with which a place sees itself and those before it (`torch.nn.Transformer.generate_square_subsequent_mask`).
 * @returns float32 [size, size]: 0 where a key is seen, -Infinity after
 */
export function generateSquareSubsequentMask(size: number): Tensor {
  return where(causalMask(size, size), 0, full([size, size], Number.NEGATIVE_INFINITY));
}

export interface TransformerOptions extends TransformerLayerOptions {
  /** Default 6. */
  readonly numEncoderLayers?: number;
  /** Default 6. */
  readonly numDecoderLayers?: number;
}

export interface TransformerCallOptions extends DecoderLayerCallOptions {
  /** The encoder's mask: [S, S] or [N nhead, S, S]. Default: none. */
  readonly srcMask?: Tensor | null;
  /** [N, S]; true for padding. Default: none. */
  readonly srcKeyPaddingMask?: Tensor | null;
}

/**
 * Encoder and decoder (`torch.nn.Transformer`): source [S, N, dModel] and target [T, N, dModel] to [T, N, dModel]; with
 * `batchFirst` the batch comes first. Matrices begin with Xavier's uniform distribution.
 *
 * @example
 * const model = new nn.Transformer(64, 8, { numEncoderLayers: 2, numDecoderLayers: 2, batchFirst: true });
 * const tgtMask = nn.generateSquareSubsequentMask(7);
 * model.forward(gd.randn([2, 10, 64]), gd.randn([2, 7, 64]), { tgtMask }).shape // [2, 7, 64]
 */
export class Transformer extends Module<[src: Tensor, tgt: Tensor, options?: TransformerCallOptions], Tensor> {
  static readonly generateSquareSubsequentMask = generateSquareSubsequentMask;
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;

  /** @throws ArgumentError if the heads do not divide the features, or there is no such activation */
  constructor(
    readonly dModel = 512,
    readonly nhead = 8,
    options: TransformerOptions = {},
  ) {
    super();
    const { numEncoderLayers = 6, numDecoderLayers = 6, layerNormEps: eps, bias, dtype, ...rest } = options;
    const layerOptions: TransformerLayerOptions = { ...rest, layerNormEps: eps, bias, dtype };
    const norm = (): LayerNorm => new LayerNorm(dModel, { eps, bias, dtype });
    const encoderLayer = (): TransformerEncoderLayer => new TransformerEncoderLayer(dModel, nhead, layerOptions);
    const decoderLayer = (): TransformerDecoderLayer => new TransformerDecoderLayer(dModel, nhead, layerOptions);
    this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, { norm: norm() });
    this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, { norm: norm() });
    for (const parameter of this.parameters()) if (parameter.ndim > 1) xavierUniform_(parameter);
  }

  /** @throws ShapeError for inputs or masks that do not fit */
  forward(src: Tensor, tgt: Tensor, options: TransformerCallOptions = {}): Tensor {
    const { srcMask: mask, srcKeyPaddingMask, ...decoding } = options;
    return this.decoder.forward(tgt, this.encoder.forward(src, { mask, srcKeyPaddingMask }), decoding);
  }
}
