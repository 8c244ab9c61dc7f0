// Recurrent steps, and a layer of them over a sequence: Elman's (1990) with tanh or ReLU, the LSTM (Hochreiter and
// Schmidhuber, 1997; with a projected state after Sak et al., 2014) and the GRU (Cho et al., 2014, in cuDNN's form). What
// the input contributes is a matrix product over several steps; only what the state contributes goes step by step.

import { type Tensor, zeros } from "../../tensor/index.ts";
import { linear } from "./linear.ts";

/** What a step computes from its input and state. */
export type RecurrentMode = "tanh" | "relu" | "lstm" | "gru";

/** The parameters of one direction of one layer; G is the number of gates, H the hidden size, P the state's size. */
export interface RecurrentWeights {
  /** [G H, inputs] */
  readonly weightIh: Tensor;
  /** [G H, P] */
  readonly weightHh: Tensor;
  /** [G H] */
  readonly biasIh: Tensor | null;
  /** [G H] */
  readonly biasHh: Tensor | null;
  /** [P, H]: projects an LSTM's output; without it P is H. */
  readonly weightHr?: Tensor | null;
}

/** What goes from step to step, [N, P] and for an LSTM its cell [N, H]. The first is also the step's output. */
export type RecurrentState = readonly Tensor[];

interface Recurrence {
  /** How many linear maps of input and state a step takes. */
  readonly gates: number;
  /** The names of its state's parts. */
  readonly states: readonly string[];
  /** Whether the state's bias is added by the step; else it is added to the input's, once for all steps. */
  readonly ownBias: boolean;
  /**
   * Steps whose inputs are projected by one matrix product. The gradient of a product is gathered from those of its
   * steps, each laid into zeros: that costs the number of steps for every element, and where a step's gradient is not in
   * memory anyway it is computed as often.
   */
  readonly stepsAtOnce: number;
  /** @param projected what the input contributes, [N, G H] */
  step(projected: Tensor, state: RecurrentState, weights: RecurrentWeights): RecurrentState;
}

const recur = (h: Tensor, { weightHh }: RecurrentWeights): Tensor => h.matmul(weightHh.T);

const elman = (activation: (x: Tensor) => Tensor): Recurrence => ({
  gates: 1,
  states: ["h"],
  ownBias: false,
  stepsAtOnce: 8,
  step: (projected, [h], weights) => [activation(projected.add(recur(h, weights)))],
});

/** Every mode: the rows of the weights are its gates, one after the other in the order in which they are named here. */
export const recurrences: { readonly [M in RecurrentMode]: Recurrence } = {
  tanh: elman((x) => x.tanh()),
  relu: elman((x) => x.relu()),
  lstm: {
    gates: 4,
    states: ["h", "c"],
    ownBias: false,
    stepsAtOnce: 8,
    step: (projected, [h, c], weights) => {
      const [input, forget, candidate, output] = projected.add(recur(h, weights)).chunk(4, 1);
      const cell = forget.sigmoid().mul(c).add(input.sigmoid().mul(candidate.tanh()));
      const hidden = output.sigmoid().mul(cell.tanh());
      return [weights.weightHr ? hidden.matmul(weights.weightHr.T) : hidden, cell];
    },
  },
  gru: {
    gates: 3,
    states: ["h"],
    ownBias: true,
    // The gradients of input and state differ here, and only the state's is in memory.
    stepsAtOnce: 1,
    step: (projected, [h], weights) => {
      const [reset, update, candidate] = projected.chunk(3, 1);
      const [resetOfState, updateOfState, candidateOfState] = linear(h, weights.weightHh, weights.biasHh).chunk(3, 1);
      const kept = reset.add(resetOfState).sigmoid().mul(candidateOfState);
      const proposal = candidate.add(kept).tanh();
      const share = update.add(updateOfState).sigmoid();
      return [share.mul(h.sub(proposal)).add(proposal)];
    },
  },
};

/** The bias that is added to the input's contribution. */
function inputBias({ ownBias }: Recurrence, { biasIh, biasHh }: RecurrentWeights): Tensor | null {
  if (ownBias || biasHh === null) return biasIh;
  return biasIh === null ? biasHh : biasIh.add(biasHh);
}

/** One step. @param x [N, inputs] */
export function recurrentStep(
  mode: RecurrentMode,
  x: Tensor,
  state: RecurrentState,
  weights: RecurrentWeights,
): RecurrentState {
  const recurrence = recurrences[mode];
  return recurrence.step(linear(x, weights.weightIh, inputBias(recurrence, weights)), state, weights);
}

/** What the input contributes to each step, [N, G H]. @param x [L, N, inputs] */
function projectSteps({ stepsAtOnce }: Recurrence, x: Tensor, weight: Tensor, bias: Tensor | null): Tensor[] {
  const [length, batch, inputs] = x.shape;
  const steps: Tensor[] = [];
  for (let start = 0; start < length; start += stepsAtOnce) {
    const count = Math.min(stepsAtOnce, length - start);
    const projected = linear(x.narrow(0, start, count).reshape(count * batch, inputs), weight, bias);
    for (let i = 0; i < count; i++) steps.push(projected.narrow(0, i * batch, batch));
  }
  return steps;
}

/**
 * One direction of one layer over a sequence.
 * @param x [L, N, inputs]
 * @param state at the beginning (the end if reversed)
 * @returns the outputs of all steps, in the order of the input, and the last state
 */
export function recurrentPass(
  mode: RecurrentMode,
  x: Tensor,
  initial: RecurrentState,
  weights: RecurrentWeights,
  reversed: boolean,
): { readonly outputs: Tensor[]; readonly state: RecurrentState } {
  const recurrence = recurrences[mode];
  const projected = projectSteps(recurrence, x, weights.weightIh, inputBias(recurrence, weights));
  const outputs: Tensor[] = [];
  let state = initial;
  for (const step of reversed ? projected.reverse() : projected) {
    state = recurrence.step(step, state, weights);
    outputs.push(state[0]);
  }
  return { outputs: reversed ? outputs.reverse() : outputs, state };
}

/** The state where none is given: zeros. */
export function initialState(mode: RecurrentMode, batch: number, { weightHh, weightHr }: RecurrentWeights): Tensor[] {
  const { dtype, shape } = weightHh;
  const hidden = shape[0] / recurrences[mode].gates;
  const sizes = [weightHr ? shape[1] : hidden, hidden];
  return recurrences[mode].states.map((_, i) => zeros([batch, sizes[i]], { dtype }));
}

/**
 * One step of Elman's network with tanh (`torch.rnn_tanh_cell`): tanh(x W_ih^T + b_ih + h W_hh^T + b_hh).
 * @param x [N, inputs]
 * @param h [N, H]
 * @param weightIh [H, inputs]
 * @param weightHh [H, H]
 * @param biasIh [H], or null
 * @param biasHh [H], or null
 * @returns the new h, [N, H]
 */
export function rnnTanhCell(
  x: Tensor,
  h: Tensor,
  weightIh: Tensor,
  weightHh: Tensor,
  biasIh: Tensor | null = null,
  biasHh: Tensor | null = null,
): Tensor {
  return recurrentStep("tanh", x, [h], { weightIh, weightHh, biasIh, biasHh })[0];
}

/** The same with ReLU (`torch.rnn_relu_cell`): relu(x W_ih^T + b_ih + h W_hh^T + b_hh). */
export function rnnReluCell(
  x: Tensor,
  h: Tensor,
  weightIh: Tensor,
  weightHh: Tensor,
  biasIh: Tensor | null = null,
  biasHh: Tensor | null = null,
): Tensor {
  return recurrentStep("relu", x, [h], { weightIh, weightHh, biasIh, biasHh })[0];
}

/**
 * One step of an LSTM (`torch.lstm_cell`). Rows of weights and biases: input gate, forget gate, candidate, output gate.
 * @param x [N, inputs]
 * @param state h and c, both [N, H]
 * @param weightIh [4 H, inputs]
 * @param weightHh [4 H, H]
 * @param biasIh [4 H], or null
 * @param biasHh [4 H], or null
 * @returns the new h and c
 */
export function lstmCell(
  x: Tensor,
  state: readonly [h: Tensor, c: Tensor],
  weightIh: Tensor,
  weightHh: Tensor,
  biasIh: Tensor | null = null,
  biasHh: Tensor | null = null,
): [h: Tensor, c: Tensor] {
  const [h, c] = recurrentStep("lstm", x, state, { weightIh, weightHh, biasIh, biasHh });
  return [h, c];
}

/**
 * One step of a GRU (`torch.gru_cell`). Rows of weights and biases: reset gate, update gate, candidate.
 * @param x [N, inputs]
 * @param h [N, H]
 * @param weightIh [3 H, inputs]
 * @param weightHh [3 H, H]
 * @param biasIh [3 H], or null
 * @param biasHh [3 H], or null
 * @returns the new h, [N, H]
 */
export function gruCell(
  x: Tensor,
  h: Tensor,
  weightIh: Tensor,
  weightHh: Tensor,
  biasIh: Tensor | null = null,
  biasHh: Tensor | null = null,
): Tensor {
  return recurrentStep("gru", x, [h], { weightIh, weightHh, biasIh, biasHh })[0];
}
