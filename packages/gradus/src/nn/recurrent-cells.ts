// Single recurrent steps as layers (`torch.nn.RNNCell`, `LSTMCell`, `GRUCell`), for loops of one's own.

import { ArgumentError, type DType, type Parameter, ShapeError, type Tensor } from "../tensor/index.ts";
import {
  initialState,
  type RecurrentMode,
  type RecurrentState,
  type RecurrentWeights,
  recurrences,
  recurrentStep,
} from "./functional/recurrent.ts";
import { defaultParameter } from "./init.ts";
import { checkSizes } from "./linear.ts";
import { Module } from "./module.ts";

/** Options of `LSTMCell` and `GRUCell`. */
export interface RecurrentCellOptions {
  /** Whether there are biases. Default true. */
  readonly bias?: boolean;
  /** Default float32. */
  readonly dtype?: DType;
}

/** Options of `RNNCell`. */
export interface RNNCellOptions extends RecurrentCellOptions {
  /** Default "tanh". */
  readonly nonlinearity?: "tanh" | "relu";
}

/** What the cells share. `State` is what they take and give. */
export abstract class RecurrentCell<State> extends Module<[input: Tensor, state?: State | null], State> {
  /** [gates x hiddenSize, inputSize] */
  declare readonly weightIh: Parameter;
  /** [gates x hiddenSize, hiddenSize] */
  declare readonly weightHh: Parameter;
  /** [gates x hiddenSize]; undefined without biases */
  declare readonly biasIh?: Parameter;
  /** [gates x hiddenSize]; undefined without biases */
  declare readonly biasHh?: Parameter;

  /**
   * @param mode what a step computes
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @throws ArgumentError for sizes that are no integers from 1
   */
  constructor(
    protected readonly mode: RecurrentMode,
    readonly inputSize: number,
    readonly hiddenSize: number,
    { bias = true, dtype = "float32" }: RecurrentCellOptions,
  ) {
    super();
    checkSizes(this.typeName, { inputSize, hiddenSize });
    const rows = recurrences[mode].gates * hiddenSize;
    const create = (name: string, shape: readonly number[]): unknown =>
      this.registerParameter(name, defaultParameter(shape, hiddenSize, dtype));
    create("weight_ih", [rows, inputSize]);
    create("weight_hh", [rows, hiddenSize]);
    if (!bias) return;
    create("bias_ih", [rows]);
    create("bias_hh", [rows]);
  }

  /** One step. @param given the parts of the state, or null for zeros */
  protected run(input: Tensor, given: RecurrentState | null): RecurrentState {
    if ((input.ndim !== 1 && input.ndim !== 2) || input.shape[input.ndim - 1] !== this.inputSize) {
      throw new ShapeError(
        this.typeName,
        [input.shape],
        `the input must be [N, ${this.inputSize}], or [${this.inputSize}] without a batch`,
        `Make the cell as ${this.typeName}(${input.shape[input.ndim - 1] ?? 1}, ${this.hiddenSize}), or reshape the input.`,
      );
    }
    const batched = input.ndim === 2;
    const expected = [...input.shape.slice(0, -1), this.hiddenSize];
    const wrong = given?.find((part) => part.shape.join() !== expected.join());
    if (wrong !== undefined) {
      throw new ShapeError(
        this.typeName,
        [input.shape, wrong.shape],
        `for this input the state must be [${expected.join(", ")}]`,
      );
    }
    const x = batched ? input : input.unsqueeze(0);
    const weights = this.weights();
    const state =
      given?.map((part) => (batched ? part : part.unsqueeze(0))) ?? initialState(this.mode, x.shape[0], weights);
    const next = recurrentStep(this.mode, x, state, weights);
    return batched ? next : next.map((part) => part.squeeze(0));
  }

  private weights(): RecurrentWeights {
    const { weightIh, weightHh, biasIh = null, biasHh = null } = this;
    return { weightIh, weightHh, biasIh, biasHh };
  }

  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}${this.biasIh === undefined ? ", bias=false" : ""}`;
  }
}

/**
 * One step of Elman's network (`torch.nn.RNNCell`): input [N, inputSize] and h [N, hiddenSize] to the new h. Without a
 * batch all lose their first dimension.
 *
 * @example
 * const cell = new nn.RNNCell(10, 20);
 * let h = gd.zeros([3, 20]);
 * for (const x of steps) h = cell.forward(x, h); // x: [3, 10]
 */
export class RNNCell extends RecurrentCell<Tensor> {
  /** What a step ends in. */
  readonly nonlinearity: "tanh" | "relu";

  /**
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @throws ArgumentError for sizes that are no integers from 1, or another nonlinearity
   */
  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    const { nonlinearity = "tanh" } = options;
    if (nonlinearity !== "tanh" && nonlinearity !== "relu") {
      throw new ArgumentError("RNNCell", `there is no nonlinearity "${String(nonlinearity)}"`, 'Use "tanh" or "relu".');
    }
    super(nonlinearity, inputSize, hiddenSize, options);
    this.nonlinearity = nonlinearity;
  }

  /** @param h default zeros @throws ShapeError for an input or a state of another shape */
  forward(input: Tensor, h: Tensor | null = null): Tensor {
    return this.run(input, h === null ? null : [h])[0];
  }

  override extraRepr(): string {
    return `${super.extraRepr()}${this.nonlinearity === "tanh" ? "" : `, nonlinearity=${this.nonlinearity}`}`;
  }
}

/** One step of a GRU (`torch.nn.GRUCell`): input [N, inputSize] and h [N, hiddenSize] to the new h. See `GRU`. */
export class GRUCell extends RecurrentCell<Tensor> {
  /**
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @throws ArgumentError for sizes that are no integers from 1
   */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super("gru", inputSize, hiddenSize, options);
  }

  /** @param h default zeros @throws ShapeError for an input or a state of another shape */
  forward(input: Tensor, h: Tensor | null = null): Tensor {
    return this.run(input, h === null ? null : [h])[0];
  }
}

/**
 * One step of an LSTM (`torch.nn.LSTMCell`): input [N, inputSize], h and c [N, hiddenSize] to the new h and c. See `LSTM`.
 *
 * @example
 * const cell = new nn.LSTMCell(10, 20);
 * const [h, c] = cell.forward(gd.randn([3, 10])); // both [3, 20]
 */
export class LSTMCell extends RecurrentCell<readonly [h: Tensor, c: Tensor]> {
  /**
   * @param inputSize features of an input
   * @param hiddenSize features of the state
   * @throws ArgumentError for sizes that are no integers from 1
   */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super("lstm", inputSize, hiddenSize, options);
  }

  /** @param state default zeros @throws ShapeError for an input or a state of another shape */
  forward(input: Tensor, state: readonly [h: Tensor, c: Tensor] | null = null): [h: Tensor, c: Tensor] {
    const [h, c] = this.run(input, state);
    return [h, c];
  }
}
