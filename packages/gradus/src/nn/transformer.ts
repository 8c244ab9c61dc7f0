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

/** Options of the layers of encoder and decoder. */
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
  /** What stands between the two linear layers. */
  protected readonly activation: (x: Tensor) => Tensor;
  /** Whether each part normalizes its input instead of its result. */
  protected readonly normFirst: boolean;

  constructor(
    /** The number of features. */
    readonly dModel: number,
    /** The number of heads of each attention. */
    readonly nhead: number,
    /** As they were given. */
    readonly options: TransformerLayerOptions,
  ) {
    super();
    this.activation = activationOf(this.typeName, options.activation);
    this.normFirst = options.normFirst ?? false;
  }

  /** A new attention of the layer's sizes, registered under PyTorch's key. */
  protected attention(name: string): MultiheadAttention {
    const { dropout = 0.1, batchFirst, bias, dtype } = this.options;
    return this.registerModule(
      name,
      new MultiheadAttention(this.dModel, this.nhead, { dropout, batchFirst, bias, dtype }),
    );
  }

  /** A new normalization over the features. */
  protected norm(): LayerNorm {
    const { layerNormEps: eps, bias, dtype } = this.options;
    return new LayerNorm(this.dModel, { eps, bias, dtype });
  }

  /** A new linear layer with the layer's choice of bias and dtype. */
  protected linear(inFeatures: number, outFeatures: number): Linear {
    const { bias, dtype } = this.options;
    return new Linear(inFeatures, outFeatures, { bias, dtype });
  }

  /** Features between the two linear layers. */
  protected get feedforwardSize(): number {
    return this.options.dimFeedforward ?? 2048;
  }

  /** A new dropout with the layer's probability. */
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

/** What the `forward` of an encoder's layer takes besides its input. */
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
  /** Attention of the input to itself, under the key "self_attn". */
  readonly selfAttn = this.attention("self_attn");
  /** From dModel features to dimFeedforward. */
  readonly linear1 = this.linear(this.dModel, this.feedforwardSize);
  /** Of the hidden features between the two linear layers. */
  readonly dropout = this.newDropout();
  /** From dimFeedforward features to dModel. */
  readonly linear2 = this.linear(this.feedforwardSize, this.dModel);
  /** Of self-attention: of its result with the residual, or with `normFirst` of its input. */
  readonly norm1 = this.norm();
  /** Of the linear layers, likewise. */
  readonly norm2 = this.norm();
  /** Of what self-attention gives. */
  readonly dropout1 = this.newDropout();
  /** Of what the linear layers give. */
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

/** What the `forward` of a decoder and of its layer takes besides its inputs. */
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
  /** Attention of the target to itself, under the key "self_attn". */
  readonly selfAttn = this.attention("self_attn");
  /** Attention of the target to the memory, under the key "multihead_attn". */
  readonly multiheadAttn = this.attention("multihead_attn");
  /** From dModel features to dimFeedforward. */
  readonly linear1 = this.linear(this.dModel, this.feedforwardSize);
  /** Of the hidden features between the two linear layers. */
  readonly dropout = this.newDropout();
  /** From dimFeedforward features to dModel. */
  readonly linear2 = this.linear(this.feedforwardSize, this.dModel);
  /** Of self-attention: of its result with the residual, or with `normFirst` of its input. */
  readonly norm1 = this.norm();
  /** Of the attention to the memory, likewise. */
  readonly norm2 = this.norm();
  /** Of the linear layers, likewise. */
  readonly norm3 = this.norm();
  /** Of what self-attention gives. */
  readonly dropout1 = this.newDropout();
  /** Of what the attention to the memory gives. */
  readonly dropout2 = this.newDropout();
  /** Of what the linear layers give. */
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
export type LayerSource<Layer> = Layer | ((index: number) => Layer);

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

/** Options of `TransformerEncoder` and `TransformerDecoder`. */
export interface TransformerStackOptions {
  /** What normalizes the result. Default: nothing. */
  readonly norm?: Module | null;
}

/** What the `forward` of `TransformerEncoder` takes besides its input. */
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
  /** In the order in which they are run. */
  readonly layers: ModuleList<TransformerEncoderLayer>;
  /** What normalizes the result, or null. */
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
  /** In the order in which they are run. */
  readonly layers: ModuleList<TransformerDecoderLayer>;
  /** What normalizes the result, or null. */
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

/** Options of `Transformer`: those of its layers, and how many there are. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** Default 6. */
  readonly numEncoderLayers?: number;
  /** Default 6. */
  readonly numDecoderLayers?: number;
}

/** What the `forward` of `Transformer` takes besides its inputs. */
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
  /** `nn.generateSquareSubsequentMask`, where PyTorch has it. */
  static readonly generateSquareSubsequentMask = generateSquareSubsequentMask;
  /** Makes the memory of the source. */
  readonly encoder: TransformerEncoder;
  /** Makes the output of the target and the memory. */
  readonly decoder: TransformerDecoder;

  /**
   * @param dModel the number of features. Default 512
   * @param nhead the number of heads of each attention; it divides dModel. Default 8
   * @throws ArgumentError if the heads do not divide the features, or there is no such activation
   */
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
