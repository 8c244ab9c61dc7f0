// L-BFGS: a quasi-Newton method that knows the curvature by its last steps (Nocedal and Wright, 2006, section 7.2), as
// `torch.optim.LBFGS`. The vectors stay on the device (pair-history.ts); what is decided by numbers (curvature.ts,
// strong-wolfe.ts) is decided on the host, where one summary an evaluation is read. All iterations run the same few programs.

import {
  ArgumentError,
  cat,
  enableGrad,
  flush,
  isTensor,
  noGrad,
  scalar,
  stack,
  type Tensor,
  zeros,
} from "../tensor/index.ts";
import {
  type Closure,
  type GroupOptions,
  type LearningRate,
  type OptimizedParameters,
  Optimizer,
  type ParamGroup,
} from "./optimizer.ts";
import { PairHistory } from "./pair-history.ts";
import { nonNegative, type Ranges } from "./ranges.ts";
import type { OptimizerStateDict, StateValue } from "./state-dict.ts";
import { type LinePoint, strongWolfe } from "./strong-wolfe.ts";

/** Options of `LBFGS`. */
export interface LBFGSOptions extends LearningRate {
  /** The most iterations a step. Default 20. */
  readonly maxIter?: number;
  /** Evaluations of the closure a step after which no iteration begins. Default: 5/4 of `maxIter`. */
  readonly maxEval?: number;
  /** A step ends where no component of the gradient is larger. Default 1e-7. */
  readonly toleranceGrad?: number;
  /** A step ends where the loss, or every parameter, changes by less. Default 1e-9. */
  readonly toleranceChange?: number;
  /** How many changes are remembered, each as two vectors of all parameters. Default 100. */
  readonly historySize?: number;
  /** How the length of an iteration's step is found: null takes `lr`. Default null. */
  readonly lineSearchFn?: "strongWolfe" | null;
}

/** The loss at a point, and what decides how to go on. */
interface Evaluation extends LinePoint {
  /** [n], computed. */
  readonly gradient: Tensor;
  /** The largest component of the gradient, and the sum of all, without signs. */
  readonly largest: number;
  readonly total: number;
}

/** Where an iteration goes from its starting point. */
interface Direction {
  /** [n], computed: the parameters it starts from. */
  readonly start: Tensor;
  /** [n], computed. */
  readonly d: Tensor;
  readonly slope: number;
  readonly largest: number;
}

/** What the state of the first parameter holds, by PyTorch's names. */
interface State {
  n_iter: number;
  func_evals: number;
  /** How far the last iteration went along `d`; 0 while it has not gone. */
  t: number;
  prev_loss: number;
  d?: Tensor;
  prev_flat_grad?: Tensor;
}

/**
 * L-BFGS. Needs the whole loss, not that of a random batch, and a closure that computes it again: a step may ask for it
 * some twenty times.
 *
 * A loss that is NaN or infinite ends the step. After an error in the closure the parameters are where the last iteration
 * that was complete has brought them.
 *
 * @example
 * const optimizer = new optim.LBFGS(model.parameters(), { lineSearchFn: "strongWolfe" });
 * const loss = await optimizer.step(() => {
 *   optimizer.zeroGrad();
 *   const loss = F.mseLoss(model.forward(x), y);
 *   loss.backward();
 *   return loss;
 * });
 */
export class LBFGS extends Optimizer<LBFGSOptions> {
  /** Null before the second iteration. */
  private history: PairHistory | null = null;

  /** Defaults: lr 1, maxIter 20, toleranceGrad 1e-7, toleranceChange 1e-9, historySize 100, no line search. */
  constructor(params: OptimizedParameters<LBFGSOptions>, options: LBFGSOptions = {}) {
    const maxIter = options.maxIter ?? 20;
    super(params, {
      lr: 1,
      maxIter,
      maxEval: Math.floor((maxIter * 5) / 4),
      toleranceGrad: 1e-7,
      toleranceChange: 1e-9,
      historySize: 100,
      lineSearchFn: null,
      ...options,
    });
  }

  /** @throws ArgumentError for a second group: all parameters are one vector */
  override addParamGroup(group: GroupOptions<LBFGSOptions>): void {
    if (this.paramGroups.length > 0) {
      throw new ArgumentError("LBFGS", "there is more than one parameter group", "Pass all parameters as one.");
    }
    super.addParamGroup(group);
  }

  protected override get ranges(): Ranges {
    const count = { low: 1, high: Number.POSITIVE_INFINITY };
    const tolerances = { toleranceGrad: nonNegative, toleranceChange: nonNegative };
    return { ...super.ranges, ...tolerances, maxIter: count, maxEval: count, historySize: count };
  }

  protected override checkOptions(group: ParamGroup<LBFGSOptions>): void {
    super.checkOptions(group);
    const { lineSearchFn } = group;
    if (lineSearchFn !== null && lineSearchFn !== "strongWolfe") {
      throw new ArgumentError("LBFGS", `there is no line search "${lineSearchFn}"`, 'Use "strongWolfe" or null.');
    }
  }

  private get parameters(): readonly Tensor[] {
    return this.paramGroups[0].params;
  }

  private get numbers(): State {
    const state = this.stateOf(this.parameters[0]) as unknown as State;
    state.n_iter ??= 0;
    state.func_evals ??= 0;
    state.t ??= 0;
    state.prev_loss ??= 0;
    return state;
  }

  /** Not used: a step is not made parameter by parameter. */
  protected override update(): void {}

  /** Not possible: a step needs a closure. @throws ArgumentError */
  override step(): Promise<void>;
  /**
   * Up to `maxIter` iterations.
   * @param closure computes the loss and its gradients anew: zeroGrad, forward, backward
   * @returns the loss that it gave at first
   */
  override step(closure: Closure): Promise<Tensor>;
  override async step(closure?: Closure): Promise<unknown> {
    if (closure === undefined) {
      throw new ArgumentError(
        "LBFGS",
        "step was called without a closure",
        "Pass a function that calls zeroGrad, forward and backward and returns the loss.",
      );
    }
    const [group] = this.paramGroups;
    const state = this.numbers;
    const zero = state.d ?? (await this.zeroVector().realize());
    const first = await this.evaluate(closure, zero, 0);
    state.func_evals++;
    let current: Evaluation = first.evaluation;
    let evaluations = 1;
    for (let iteration = 1; iteration <= group.maxIter; iteration++) {
      if (current.largest <= group.toleranceGrad || !Number.isFinite(current.loss)) break;
      const isLast = iteration === group.maxIter;
      const iterated = await this.iterate(closure, current, isLast);
      if (iterated === null) break;
      evaluations += iterated.evaluations;
      current = iterated.evaluation;
      if (evaluations >= group.maxEval || iterated.largestMove <= group.toleranceChange) break;
      if (Math.abs(current.loss - state.prev_loss) < group.toleranceChange) break;
    }
    await flush();
    return first.loss;
  }

  /** One iteration. @returns null if the direction leads nowhere */
  private async iterate(
    closure: Closure,
    current: Evaluation,
    isLast: boolean,
  ): Promise<{ evaluation: Evaluation; evaluations: number; largestMove: number } | null> {
    const [{ lr, lineSearchFn, toleranceChange }] = this.paramGroups;
    const state = this.numbers;
    const { n_iter, func_evals } = state;
    let direction: Direction | null = null;
    try {
      direction = await this.nextDirection(current);
      state.n_iter++;
      state.prev_loss = current.loss;
      const { start, d, slope, largest } = direction;
      if (slope > -toleranceChange) return null;
      const first = n_iter === 0 ? Math.min(1, 1 / current.total) * lr : lr;
      const evaluateAt = async (t: number): Promise<Evaluation> => {
        this.moveTo(start, d, t);
        return (await this.evaluate(closure, d, t)).evaluation;
      };
      let found = { point: { ...current, t: first }, evaluations: 0 };
      if (lineSearchFn === "strongWolfe") {
        const options = { t: first, largest, toleranceChange };
        found = await strongWolfe({ ...current, t: 0, slope }, evaluateAt, options);
        this.moveTo(start, d, found.point.t);
      } else if (isLast) this.moveTo(start, d, first);
      else found = { point: await evaluateAt(first), evaluations: 1 };
      state.t = found.point.t;
      state.func_evals += found.evaluations;
      const largestMove = largest * Math.abs(state.t);
      return { evaluation: found.point, evaluations: found.evaluations, largestMove };
    } catch (error) {
      Object.assign(state, { n_iter, func_evals });
      if (direction !== null) this.moveTo(direction.start, direction.d, 0);
      throw error;
    }
  }

  /** The loss and its gradient where the parameters are now. @param d [n], along which the slope is taken */
  private async evaluate(
    closure: Closure,
    d: Tensor,
    t: number,
  ): Promise<{ readonly loss: Tensor; readonly evaluation: Evaluation }> {
    const loss = await enableGrad(closure);
    const { gradient, summary } = noGrad(() => {
      const flat = this.flatten(this.parameters.map((parameter) => parameter.grad ?? zeros(parameter.shape)));
      const size = flat.abs();
      const numbers = [loss.detach().reshape([]).to(flat.dtype), flat.dot(d), size.amax(), size.sum()];
      return { gradient: flat, summary: stack(numbers) };
    });
    await flush(gradient, summary);
    const [value, slope, largest, total] = await summary.data();
    return { loss, evaluation: { t, loss: value, slope, gradient, largest, total } };
  }

  /** Takes in what the last move tells of the curvature, and gives the next direction. */
  private async nextDirection({ gradient }: Evaluation): Promise<Direction> {
    const state = this.numbers;
    const d = state.n_iter === 0 ? this.firstDirection(gradient) : await this.combined(gradient);
    // Should anything fail from here on, the parameters have not moved since this gradient.
    Object.assign(state, { prev_flat_grad: gradient, t: 0 });
    const { start, summary } = noGrad(() => ({
      start: this.flatten(this.parameters),
      summary: stack([gradient.dot(d), d.abs().amax()]),
    }));
    await flush(d, start, summary);
    const [slope, largest] = await summary.data();
    state.d = d;
    return { start, d, slope, largest };
  }

  private firstDirection(gradient: Tensor): Tensor {
    this.history = null;
    return noGrad(() => gradient.neg());
  }

  /** The direction by the curvature of all that are remembered, the last move among them. */
  private combined(gradient: Tensor): Promise<Tensor> {
    const { d, t, prev_flat_grad } = this.numbers;
    this.history ??= new PairHistory(this.paramGroups[0].historySize, gradient);
    const pair = noGrad(() => ({
      s: d!.mul(scalar(t, { dtype: gradient.dtype })),
      y: gradient.sub(prev_flat_grad!),
    }));
    return this.history.direction(gradient, pair);
  }

  // Parameters as one vector ----------------------------------------------------------------------------------------

  /** The number of all elements. */
  private get size(): number {
    return this.parameters.reduce((total, parameter) => total + parameter.numel(), 0);
  }

  private zeroVector(): Tensor {
    return zeros([this.size], { dtype: this.parameters[0].dtype });
  }

  private flatten(tensors: readonly Tensor[]): Tensor {
    const { dtype } = this.parameters[0];
    return cat(tensors.map((each) => each.to(dtype).flatten()));
  }

  /** parameters = start + t d */
  private moveTo(start: Tensor, d: Tensor, t: number): void {
    noGrad(() => {
      const target = start.add(d.mul(scalar(t, { dtype: start.dtype })));
      let offset = 0;
      for (const parameter of this.parameters) {
        parameter.copy_(target.narrow(0, offset, parameter.numel()).reshape(parameter.shape));
        offset += parameter.numel();
      }
    });
  }

  // State dict ------------------------------------------------------------------------------------------------------

  /**
   * All state and options. `old_dirs` (changes of the gradient), `old_stps` (steps) and `ro` are tensors of one row a pair,
   * [k, n] and [k], where PyTorch has lists.
   */
  override stateDict(): OptimizerStateDict {
    const { state, param_groups } = super.stateDict();
    const groups = param_groups.map((group) => ({
      ...group,
      line_search_fn: group.line_search_fn === null ? null : "strong_wolfe",
    }));
    if (state[0] === undefined) return { state, param_groups: groups };
    const { scale = 1, rows = null } = this.history ?? {};
    return { state: { 0: { ...state[0], H_diag: scale, ...rows } }, param_groups: groups };
  }

  /** Takes over state and options, also those of PyTorch's LBFGS, whose history is in lists. */
  override loadStateDict(dict: OptimizerStateDict): void {
    const param_groups = dict.param_groups.map((group) => ({
      ...group,
      ...(group.line_search_fn === "strong_wolfe" ? { line_search_fn: "strongWolfe" } : {}),
    }));
    super.loadStateDict({ state: dict.state, param_groups });
    if (this.state.size === 0) this.history = null;
  }

  protected override misfit(_parameter: Tensor, entry: Readonly<Record<string, StateValue>>): string | null {
    const { size } = this;
    for (const name of ["d", "prev_flat_grad"]) {
      const value = entry[name];
      if (isTensor(value) && value.shape.join() !== String(size)) {
        return `${name} is [${value.shape.join(", ")}] instead of [${size}]`;
      }
    }
    const [steps, changes] = [rowsOf(entry.old_stps), rowsOf(entry.old_dirs)];
    for (const rows of [steps, changes]) {
      if (rows !== null && rows.shape[1] !== size) return `its history is of ${rows.shape[1]} numbers, not ${size}`;
    }
    return steps?.shape[0] === changes?.shape[0] ? null : "old_stps and old_dirs are not of one length";
  }

  protected override loadState(parameter: Tensor, entry: Readonly<Record<string, StateValue>>): void {
    const own = this.stateOf(parameter);
    const number = (value: StateValue | undefined, missing: number): number =>
      isTensor(value) ? value.itemSync() : (value ?? missing);
    for (const name of ["n_iter", "func_evals", "t", "prev_loss"]) own[name] = number(entry[name], 0);
    for (const name of ["d", "prev_flat_grad"]) {
      const value = entry[name];
      if (isTensor(value)) own[name] = value.detach().to(parameter.dtype);
    }
    const [steps, changes] = [rowsOf(entry.old_stps), rowsOf(entry.old_dirs)];
    const { historySize } = this.paramGroups[0];
    const stored = steps === null || changes === null ? null : { steps, changes, scale: number(entry.H_diag, 1) };
    this.history = stored === null ? null : new PairHistory(historySize, this.zeroVector(), stored);
  }
}

/** A history as one tensor, [k, n]: it is stored so, or as PyTorch's list. Null if there is none. */
function rowsOf(stored: unknown): Tensor | null {
  if (isTensor(stored)) return stored;
  return Array.isArray(stored) && stored.length > 0 ? stack(stored as Tensor[]) : null;
}
