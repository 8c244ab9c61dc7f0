// Recurrent layers over whole sequences (`torch.nn.RNN`, `LSTM`, `GRU`). One class carries the layers and directions, what a
// step computes is a row of the table in functional/recurrent.ts.

import {
  ArgumentError,
  type DType,
  DTypeError,
  type Parameter,
  ShapeError,
  stack,
  type Tensor,
} from "../tensor/index.ts";
import { checkProbability, dropout } from "./functional/dropout.ts";
import {
  initialState,
  type RecurrentMode,
  type RecurrentState,
  type RecurrentWeights,
  recurrences,
  recurrentPass,
} from "./functional/recurrent.ts";
import { defaultParameter } from "./init.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

/** What recurrent layers of all kinds take. */
export interface RecurrentOptions {
  /** How many layers stand on each other, each reading the outputs of the one below. Default 1. */
  readonly numLayers?: number;
  /** Whether there are biases. Default true. */
  readonly bias?: boolean;
  /** Whether inputs and outputs are [N, L, features] instead of [L, N, features]. States are not changed. Default false. */
  readonly batchFirst?: boolean;
  /** The probability of dropping an output of a layer on its way to the next one, in training. Default 0. */
  readonly dropout?: number;
  /** Whether every layer also reads the sequence backwards; features of both directions stand side by side. Default false. */
  readonly bidirectional?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/** Options of `RNN`. */
export interface RNNOptions extends RecurrentOptions {
  /** Default "tanh". */
  readonly nonlinearity?: "tanh" | "relu";
}

/** Options of `LSTM`. */
export interface LSTMOptions extends RecurrentOptions {
  /** Outputs of this size, projected from the hidden ones (Sak et al., 2014); 0 for no projection. Default 0. */
  readonly projSize?: number;
}

interface Run {
  readonly output: Tensor;
  /** One tensor for each part of the state, [layers x directions, N, size]. */
  readonly state: readonly Tensor[];
}

/** What recurrent layers of all kinds share. `State` is what they take and give as the state. */
export abstract class RecurrentLayer<State> extends Module<[input: Tensor, state?: State | null], [Tensor, State]> {
  /** How many layers stand on each other. */
  readonly numLayers: number;
  /** Whether there are biases. */
  readonly bias: boolean;
  /** Whether inputs and outputs are [N, L, features] instead of [L, N, features]. */
  readonly batchFirst: boolean;
  /** The probability of dropping an output of a layer on its way to the next one, in training. */
  readonly dropout: number;
  /** Whether every layer also reads the sequence backwards. */
  readonly bidirectional: boolean;

  /**
   * @param mode what a step computes
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @param projSize features of an output where it is projected; 0 for no projection
   * @throws ArgumentError for sizes that are no integers from 1, or a dropout that is no probability
   */
  constructor(
    protected readonly mode: RecurrentMode,
    readonly inputSize: number,
    readonly hiddenSize: number,
    readonly projSize: number,
    options: RecurrentOptions,
  ) {
    super();
    const { numLayers = 1, bias = true, batchFirst = false, bidirectional = false, dtype = "float32" } = options;
    checkSizes(this.typeName, { inputSize, hiddenSize, numLayers });
    if (!(Number.isInteger(projSize) && projSize >= 0 && projSize < hiddenSize)) {
      throw new ArgumentError(
        this.typeName,
        `projSize is ${projSize}, the hidden size ${hiddenSize}`,
        "Use an integer below the hidden size, or 0 for no projection.",
      );
    }
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.dropout = options.dropout ?? 0;
    this.bidirectional = bidirectional;
    checkProbability(this.typeName, this.dropout);
    for (const place of this.places()) this.createParameters(place, dtype);
  }

  /** How many directions the sequence is read in. */
  get numDirections(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** The size of each direction's output. */
  get outputSize(): number {
    return this.projSize > 0 ? this.projSize : this.hiddenSize;
  }

  /** Every layer and direction, in the order of the states. */
  private places(): { readonly layer: number; readonly reversed: boolean; readonly suffix: string }[] {
    return Array.from({ length: this.numLayers * this.numDirections }, (_, index) => {
      const layer = Math.floor(index / this.numDirections);
      const reversed = index % this.numDirections === 1;
      return { layer, reversed, suffix: `_l${layer}${reversed ? "_reverse" : ""}` };
    });
  }

  private createParameters({ layer, suffix }: { layer: number; suffix: string }, dtype: DType): void {
    const { hiddenSize, outputSize } = this;
    const rows = recurrences[this.mode].gates * hiddenSize;
    const inputs = layer === 0 ? this.inputSize : outputSize * this.numDirections;
    const shapes: [string, readonly number[]][] = [
      ["weight_ih", [rows, inputs]],
      ["weight_hh", [rows, outputSize]],
    ];
    if (this.bias) shapes.push(["bias_ih", [rows]], ["bias_hh", [rows]]);
    if (this.projSize > 0) shapes.push(["weight_hr", [outputSize, hiddenSize]]);
    for (const [name, shape] of shapes) {
      this.registerParameter(`${name}${suffix}`, defaultParameter(shape, hiddenSize, dtype));
    }
  }

  private weightsOf(suffix: string): RecurrentWeights {
    const own = new Map<string, Parameter>(this.ownParameters());
    const find = (name: string): Parameter | null => own.get(`${name}${suffix}`) ?? null;
    return {
      weightIh: find("weight_ih")!,
      weightHh: find("weight_hh")!,
      biasIh: find("bias_ih"),
      biasHh: find("bias_hh"),
      weightHr: find("weight_hr"),
    };
  }

  /** Runs all layers. @param given the parts of the initial state, or null for zeros */
  protected run(input: Tensor, given: RecurrentState | null): Run {
    this.checkInput(input);
    const batched = input.ndim === 3;
    const sequence = batched ? (this.batchFirst ? input.transpose(0, 1) : input) : input.unsqueeze(1);
    const [length, batch] = sequence.shape;
    if (given !== null) this.checkState(given, input, batched ? [batch] : []);
    const initial = given?.map((part) => (batched ? part : part.unsqueeze(1)));
    const final: RecurrentState[] = [];
    let x = sequence;
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0) x = dropout(x, this.dropout, { training: this.training });
      const directions = this.places().filter((place) => place.layer === layer);
      const passes = directions.map(({ reversed, suffix }) => {
        const weights = this.weightsOf(suffix);
        const place = final.length;
        const start = initial?.map((part) => part.select(0, place)) ?? initialState(this.mode, batch, weights);
        const pass = recurrentPass(this.mode, x, start, weights, reversed);
        final.push(pass.state);
        return pass.outputs;
      });
      // All outputs are laid out once, step by step and each step's directions one after the other.
      const steps = stack(passes[0].flatMap((_, step) => passes.map((outputs) => outputs[step])));
      x = steps
        .reshape(length, passes.length, batch, this.outputSize)
        .permute(0, 2, 1, 3)
        .reshape(length, batch, passes.length * this.outputSize);
    }
    const output = batched ? (this.batchFirst ? x.transpose(0, 1) : x) : x.squeeze(1);
    const state = recurrences[this.mode].states.map((_, part) => {
      const whole = stack(final.map((parts) => parts[part]));
      return batched ? whole : whole.squeeze(1);
    });
    return { output, state };
  }

  private checkInput(input: Tensor): void {
    const features = input.shape[input.ndim - 1];
    if ((input.ndim !== 2 && input.ndim !== 3) || features !== this.inputSize) {
      const batched = this.batchFirst ? "N, L" : "L, N";
      throw new ShapeError(
        this.typeName,
        [input.shape],
        `the input must be [${batched}, ${this.inputSize}], or [L, ${this.inputSize}] without a batch`,
        `Make the layer as ${this.typeName}(${features ?? 1}, ${this.hiddenSize}), or reshape the input.`,
      );
    }
    if (input.shape[input.ndim === 3 && this.batchFirst ? 1 : 0] === 0) {
      throw new ShapeError(
        this.typeName,
        [input.shape],
        "the sequence has 0 steps",
        "Give it one step or more; a batch may be empty.",
      );
    }
  }

  private checkState(given: RecurrentState, input: Tensor, batch: readonly number[]): void {
    const names = recurrences[this.mode].states;
    const sizes = [this.outputSize, this.hiddenSize];
    const dtype = this.ownParameters()[0][1].dtype;
    for (const [i, name] of names.entries()) {
      const expected = [this.numLayers * this.numDirections, ...batch, sizes[i]];
      const part = given[i];
      if (part.shape.join() !== expected.join()) {
        throw new ShapeError(
          this.typeName,
          [input.shape, part.shape],
          `for this input the initial ${name} must be [${expected.join(", ")}]`,
          "Its dimensions are layers x directions, the batch if the input has one, and the size of the state.",
        );
      }
      if (part.dtype !== dtype) {
        throw new DTypeError(
          this.typeName,
          [part.dtype, dtype],
          `the initial ${name} and the weights must have one dtype`,
          `Cast it with .to("${dtype}").`,
        );
      }
    }
  }

  override extraRepr(): string {
    const parts = [`${this.inputSize}, ${this.hiddenSize}`];
    if (this.projSize > 0) parts.push(`projSize=${this.projSize}`);
    if (this.numLayers > 1) parts.push(`numLayers=${this.numLayers}`);
    if (!this.bias) parts.push("bias=false");
    if (this.batchFirst) parts.push("batchFirst=true");
    if (this.dropout > 0) parts.push(`dropout=${this.dropout}`);
    if (this.bidirectional) parts.push("bidirectional=true");
    return parts.join(", ");
  }
}

/**
 * Elman's recurrent network (`torch.nn.RNN`): h_t = tanh(x_t W_ih^T + b_ih + h_(t-1) W_hh^T + b_hh).
 *
 * Shapes, with D directions: input [L, N, inputSize], or [L, inputSize] without a batch; state
 * [numLayers D, N, hiddenSize]; output [L, N, D hiddenSize]. With `batchFirst` inputs and outputs begin with [N, L].
 *
 * @example
 * const rnn = new nn.RNN(10, 20, { numLayers: 2 });
 * const [output, h] = rnn.forward(gd.randn([5, 3, 10])); // [5, 3, 20] and [2, 3, 20]
 */
export class RNN extends RecurrentLayer<Tensor> {
  /** What a step ends in. */
  readonly nonlinearity: "tanh" | "relu";

  /**
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @throws ArgumentError for sizes that are no integers from 1, or another nonlinearity
   */
  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    const { nonlinearity = "tanh" } = options;
    if (nonlinearity !== "tanh" && nonlinearity !== "relu") {
      throw new ArgumentError("RNN", `there is no nonlinearity "${String(nonlinearity)}"`, 'Use "tanh" or "relu".');
    }
    super(nonlinearity, inputSize, hiddenSize, 0, options);
    this.nonlinearity = nonlinearity;
  }

  /**
   * @param state the initial h. Default: zeros
   * @returns the outputs of the last layer at all steps, and the last h of every layer and direction
   * @throws ShapeError for an input or a state of another shape, or a sequence without steps
   */
  forward(input: Tensor, state: Tensor | null = null): [output: Tensor, h: Tensor] {
    const run = this.run(input, state === null ? null : [state]);
    return [run.output, run.state[0]];
  }

  override extraRepr(): string {
    return `${super.extraRepr()}${this.nonlinearity === "tanh" ? "" : `, nonlinearity=${this.nonlinearity}`}`;
  }
}

/**
 * Gated recurrent units (`torch.nn.GRU`; Cho et al., 2014). Shapes are those of `RNN`.
 *
 * r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
 * n = tanh(W_in x + b_in + r (W_hn h + b_hn)), and the new h = (1 - z) n + z h.
 *
 * @example
 * const gru = new nn.GRU(10, 20, { bidirectional: true, batchFirst: true });
 * const [output, h] = gru.forward(gd.randn([3, 5, 10])); // [3, 5, 40] and [2, 3, 20]
 */
export class GRU extends RecurrentLayer<Tensor> {
  /**
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @throws ArgumentError for sizes that are no integers from 1
   */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super("gru", inputSize, hiddenSize, 0, options);
  }

  /**
   * @param state the initial h, [numLayers D, N, hiddenSize]. Default: zeros
   * @returns the outputs of the last layer at all steps, and the last h of every layer and direction
   * @throws ShapeError for an input or a state of another shape, or a sequence without steps
   */
  forward(input: Tensor, state: Tensor | null = null): [output: Tensor, h: Tensor] {
    const run = this.run(input, state === null ? null : [state]);
    return [run.output, run.state[0]];
  }
}

/**
 * Long short-term memory (`torch.nn.LSTM`; Hochreiter and Schmidhuber, 1997).
 *
 * i, f and o are sigmoids, g the tanh of a linear map of x and h; c = f c + i g, and h = o tanh(c), with `projSize` W_hr h.
 * Shapes, with D directions and P = projSize or else hiddenSize: input [L, N, inputSize], or [L, inputSize] without a
 * batch; h [numLayers D, N, P]; c [numLayers D, N, hiddenSize]; output [L, N, D P]. With `batchFirst` inputs and outputs
 * begin with [N, L].
 *
 * @example
 * const lstm = new nn.LSTM(28, 128, { batchFirst: true });
 * const [output, [h, c]] = lstm.forward(gd.randn([64, 28, 28])); // [64, 28, 128], [1, 64, 128], [1, 64, 128]
 */
export class LSTM extends RecurrentLayer<readonly [h: Tensor, c: Tensor]> {
  /**
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @throws ArgumentError for sizes that are no integers from 1, or a projection that is not smaller than the state
   */
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    super("lstm", inputSize, hiddenSize, options.projSize ?? 0, options);
  }

  /**
   * @param state the initial h and c. Default: zeros
   * @returns the outputs of the last layer at all steps, and the last h and c of every layer and direction
   * @throws ShapeError for an input or a state of another shape, or a sequence without steps
   */
  forward(
    input: Tensor,
    state: readonly [h: Tensor, c: Tensor] | null = null,
  ): [output: Tensor, state: [h: Tensor, c: Tensor]] {
    const { output, state: final } = this.run(input, state);
    return [output, [final[0], final[1]]];
  }
}
