// Attention with several heads as a layer (`torch.nn.MultiheadAttention`).

import { ArgumentError, cat, type DType, Parameter, ShapeError, type Tensor, zeros } from "../tensor/index.ts";
import { attend, bothMaskings, type Masking, noMasking, readMask } from "./functional/attention.ts";
import { checkProbability } from "./functional/dropout.ts";
import { linear } from "./functional/linear.ts";
import { xavierNormal_, xavierUniform_ } from "./init.ts";
import { checkSizes, Linear } from "./linear.ts";
import { Module } from "./module.ts";

/** Options of `MultiheadAttention`. */
export interface MultiheadAttentionOptions {
  /** The probability of dropping an attention weight in training. Default 0. */
  readonly dropout?: number;
  /** Whether the projections of inputs and output have biases. Default true. */
  readonly bias?: boolean;
  /** Whether a learned key and value stand after the others. Default false. */
  readonly addBiasKv?: boolean;
  /** Whether a key and a value of zeros stand after the others. Default false. */
  readonly addZeroAttn?: boolean;
  /** The features of keys. Default embedDim. */
  readonly kdim?: number;
  /** The features of values. Default embedDim. */
  readonly vdim?: number;
  /** Whether inputs and output are [N, L, E] instead of [L, N, E]. Default false. */
  readonly batchFirst?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/** What the `forward` of `MultiheadAttention` takes besides its inputs. */
export interface AttentionCallOptions {
  /** [N, S], or [S] without a batch. bool: true hides a key (padding); float: added to the scores. Default: none. */
  readonly keyPaddingMask?: Tensor | null;
  /** Whether the weights are given back too. Default true. */
  readonly needWeights?: boolean;
  /** [L, S] or [N numHeads, L, S]. bool: true hides a key from a query; float: added to the scores. Default: none. */
  readonly attnMask?: Tensor | null;
  /** Whether the weights given back are the mean over the heads. Default true. */
  readonly averageAttnWeights?: boolean;
}

const inputNames = ["query", "key", "value"] as const;

/**
 * Attention of several heads (`torch.nn.MultiheadAttention`; Vaswani et al., 2017): inputs are projected, each head attends
 * with its share of the features, and what they find is projected to the output.
 *
 * Shapes: query [L, N, embedDim], key [S, N, kdim], value [S, N, vdim], output [L, N, embedDim]; with `batchFirst` they begin
 * with [N, L] and [N, S]; without a batch N is missing. Weights are [N, L, S], or for each head [N, numHeads, L, S]; they are
 * those after dropout, and 0 for a query that may see no key (where PyTorch gives NaN).
 *
 * @example
 * const attention = new nn.MultiheadAttention(64, 8, { batchFirst: true });
 * const x = gd.randn([2, 10, 64]);
 * const [output, weights] = attention.forward(x, x, x); // [2, 10, 64] and [2, 10, 10]
 */
export class MultiheadAttention extends Module<
  [query: Tensor, key: Tensor, value: Tensor, options?: AttentionCallOptions],
  [output: Tensor, weights: Tensor | null]
> {
  /**
   * What projects queries, keys and values, `[3 embedDim, embedDim]`; null if `kdim` or `vdim` differ from `embedDim`.
   */
  declare readonly inProjWeight: Parameter | null;
  /** [embedDim, embedDim], where `inProjWeight` is null. */
  declare readonly qProjWeight?: Parameter;
  /** [embedDim, kdim], where `inProjWeight` is null. */
  declare readonly kProjWeight?: Parameter;
  /** [embedDim, vdim], where `inProjWeight` is null. */
  declare readonly vProjWeight?: Parameter;
  /** [3 embedDim]; undefined without biases. */
  declare readonly inProjBias?: Parameter;
  /** [1, 1, embedDim], with `addBiasKv`. */
  declare readonly biasK?: Parameter;
  /** [1, 1, embedDim], with `addBiasKv`. */
  declare readonly biasV?: Parameter;
  /** embedDim to embedDim */
  declare readonly outProj: Linear;
  /** The features of each head: embedDim / numHeads. */
  readonly headDim: number;
  /** The probability of dropping an attention weight in training. */
  readonly dropout: number;
  /** Whether inputs and output are [N, L, E] instead of [L, N, E]. */
  readonly batchFirst: boolean;
  /** Whether a key and a value of zeros stand after the others. */
  readonly addZeroAttn: boolean;
  /** The features of keys. */
  readonly kdim: number;
  /** The features of values. */
  readonly vdim: number;

  /**
   * @param embedDim the features of queries and output
   * @param numHeads how many heads there are; it divides embedDim
   * @throws ArgumentError if the heads do not divide the features, or a size is no integer from 1
   */
  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    options: MultiheadAttentionOptions = {},
  ) {
    super();
    const { bias = true, addBiasKv = false, kdim = embedDim, vdim = embedDim, dtype = "float32" } = options;
    checkSizes("MultiheadAttention", { embedDim, numHeads, kdim, vdim });
    if (embedDim % numHeads !== 0) {
      throw new ArgumentError(
        "MultiheadAttention",
        `${embedDim} features cannot be divided among ${numHeads} heads`,
        "Use a number of features that is a multiple of the heads.",
      );
    }
    this.headDim = embedDim / numHeads;
    this.dropout = options.dropout ?? 0;
    checkProbability("MultiheadAttention", this.dropout);
    this.batchFirst = options.batchFirst ?? false;
    this.addZeroAttn = options.addZeroAttn ?? false;
    this.kdim = kdim;
    this.vdim = vdim;
    const create = (name: string, shape: readonly number[]): Parameter =>
      this.registerParameter(name, new Parameter(zeros(shape, { dtype })));
    if (kdim === embedDim && vdim === embedDim) {
      xavierUniform_(create("in_proj_weight", [3 * embedDim, embedDim]));
    } else {
      this.inProjWeight = null;
      xavierUniform_(create("q_proj_weight", [embedDim, embedDim]));
      xavierUniform_(create("k_proj_weight", [embedDim, kdim]));
      xavierUniform_(create("v_proj_weight", [embedDim, vdim]));
    }
    if (bias) create("in_proj_bias", [3 * embedDim]);
    if (addBiasKv) {
      xavierNormal_(create("bias_k", [1, 1, embedDim]));
      xavierNormal_(create("bias_v", [1, 1, embedDim]));
    }
    const outProj = this.registerModule("out_proj", new Linear(embedDim, embedDim, { bias, dtype }));
    if (bias) outProj.bias = new Parameter(zeros([embedDim], { dtype }));
  }

  /**
   * @returns the output, and the weights or null
   * @throws ShapeError for inputs or masks that do not fit; DTypeError for masks of integers
   */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionCallOptions = {},
  ): [output: Tensor, weights: Tensor | null] {
    const { needWeights = true, averageAttnWeights = true } = options;
    this.checkInputs([query, key, value]);
    const batched = query.ndim === 3;
    const [q, k, v] = this.project([query, key, value].map((x) => this.batchFirstOf(x)));
    const [batch, length] = q.shape;
    const masking = this.readMasks(options, batch, length, k.shape[1]);
    const extended = this.extend(k, v, masking);
    const { output, weights } = attend(this.heads(q), this.heads(extended.key), this.heads(extended.value), {
      masking: extended.masking,
      dropoutP: this.training ? this.dropout : 0,
      scale: 1 / Math.sqrt(this.headDim),
    });
    const joined = this.outProj.forward(output.permute(0, 2, 1, 3).reshape(batch, length, this.embedDim));
    const given = !needWeights ? null : averageAttnWeights ? weights.mean(1) : weights;
    if (!batched) return [joined.squeeze(0), given?.squeeze(0) ?? null];
    return [this.batchFirst ? joined : joined.transpose(0, 1), given];
  }

  /** [N, L, features], whatever the layout. */
  private batchFirstOf(x: Tensor): Tensor {
    if (x.ndim === 2) return x.unsqueeze(0);
    return this.batchFirst ? x : x.transpose(0, 1);
  }

  /** Queries, keys and values through their projections. */
  private project(inputs: readonly Tensor[]): Tensor[] {
    const part = (all: Tensor, i: number): Tensor => all.narrow(0, i * this.embedDim, this.embedDim);
    const separate = [this.qProjWeight, this.kProjWeight, this.vProjWeight];
    return inputs.map((x, i) => {
      const weight = this.inProjWeight === null ? separate[i]! : part(this.inProjWeight, i);
      return linear(x, weight, this.inProjBias === undefined ? null : part(this.inProjBias, i));
    });
  }

  /** [N, L, embedDim] to [N, numHeads, L, headDim]. */
  private heads(x: Tensor): Tensor {
    const [batch, length] = x.shape;
    return x.reshape(batch, length, this.numHeads, this.headDim).permute(0, 2, 1, 3);
  }

  /** Keys and values with the learned ones and zeros that every query sees. */
  private extend(
    key: Tensor,
    value: Tensor,
    masking: Masking,
  ): { readonly key: Tensor; readonly value: Tensor; readonly masking: Masking } {
    const shape = [key.shape[0], 1, this.embedDim];
    const zero = zeros(shape, { dtype: key.dtype });
    const more: (readonly [Tensor, Tensor])[] = [];
    if (this.biasK !== undefined && this.biasV !== undefined) {
      more.push([this.biasK.expand(shape), this.biasV.expand(shape)]);
    }
    if (this.addZeroAttn) more.push([zero, zero]);
    if (more.length === 0) return { key, value, masking };
    const behind = [0, more.length];
    return {
      key: cat([key, ...more.map(([k]) => k)], 1),
      value: cat([value, ...more.map(([, v]) => v)], 1),
      masking: {
        allowed: masking.allowed?.pad(behind, 1) ?? null,
        added: masking.added?.pad(behind, 0) ?? null,
      },
    };
  }

  private readMasks(options: AttentionCallOptions, batch: number, queries: number, keys: number): Masking {
    return bothMaskings(
      this.readAttentionMask(options.attnMask, batch, queries, keys),
      this.readPaddingMask(options.keyPaddingMask, batch, keys),
    );
  }

  private readAttentionMask(mask: Tensor | null | undefined, batch: number, queries: number, keys: number): Masking {
    if (mask === null || mask === undefined) return noMasking;
    const forAll = [queries, keys];
    const forEach = [batch * this.numHeads, queries, keys];
    const shape = mask.shape.join();
    if (shape !== forAll.join() && shape !== forEach.join()) {
      throw new ShapeError(
        "MultiheadAttention",
        [mask.shape],
        `attnMask must be [${forAll.join(", ")}] or [${forEach.join(", ")}]`,
        "Its dimensions are queries and keys, before them the batch times the heads or nothing.",
      );
    }
    const shaped = mask.ndim === 2 ? mask : mask.reshape(batch, this.numHeads, queries, keys);
    return readMask("MultiheadAttention", shaped, "hidden");
  }

  private readPaddingMask(mask: Tensor | null | undefined, batch: number, keys: number): Masking {
    if (mask === null || mask === undefined) return noMasking;
    const single = batch === 1 && mask.ndim === 1 && mask.shape[0] === keys;
    if (!single && mask.shape.join() !== `${batch},${keys}`) {
      throw new ShapeError(
        "MultiheadAttention",
        [mask.shape],
        `keyPaddingMask must be [${batch}, ${keys}]`,
        "Its dimensions are the batch and the keys.",
      );
    }
    return readMask("MultiheadAttention", mask.reshape(batch, 1, 1, keys), "hidden");
  }

  private checkInputs(inputs: readonly Tensor[]): void {
    const features = [this.embedDim, this.kdim, this.vdim];
    for (const [i, { shape }] of inputs.entries()) {
      if ((shape.length !== 2 && shape.length !== 3) || shape.at(-1) !== features[i]) {
        const batched = this.batchFirst ? "N, L" : "L, N";
        throw new ShapeError(
          "MultiheadAttention",
          [shape],
          `the ${inputNames[i]} must be [${batched}, ${features[i]}], or [L, ${features[i]}] without a batch`,
          "Make the layer with these features, or reshape the input.",
        );
      }
    }
    const [query, key, value] = inputs.map(({ shape }) => shape);
    const batchAxis = this.batchFirst ? 0 : 1;
    const differs =
      key.slice(0, -1).join() !== value.slice(0, -1).join() ||
      query.length !== key.length ||
      (query.length === 3 && query[batchAxis] !== key[batchAxis]);
    if (differs) {
      throw new ShapeError(
        "MultiheadAttention",
        [query, key, value],
        "query, key and value must have one batch, keys and values one length",
        `With batchFirst=${this.batchFirst} the batch is dimension ${batchAxis}.`,
      );
    }
  }

  override extraRepr(): string {
    const { embedDim, numHeads, dropout, batchFirst } = this;
    const parts = [`${embedDim}, ${numHeads}`];
    if (dropout > 0) parts.push(`dropout=${dropout}`);
    if (this.inProjBias === undefined) parts.push("bias=false");
    if (this.biasK !== undefined) parts.push("addBiasKv=true");
    if (this.addZeroAttn) parts.push("addZeroAttn=true");
    if (this.kdim !== embedDim) parts.push(`kdim=${this.kdim}`);
    if (this.vdim !== embedDim) parts.push(`vdim=${this.vdim}`);
    if (batchFirst) parts.push("batchFirst=true");
    return parts.join(", ");
  }
}
