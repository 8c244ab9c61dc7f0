// Averages of a model's weights over its training: equally weighted (Izmailov et al., 2018, as
// `torch.optim.swa_utils.AveragedModel`) and exponential (Polyak and Juditsky, 1992). The averages are state like parameters:
// an update waits for the next step and joins its program. Leans on nn for what a model is.

import { type AnyModule, type StateDict, StateDictError } from "../nn/index.ts";
import { ArgumentError, flush, GradusError, isFloat, noGrad, type Tensor, where, zeros } from "../tensor/index.ts";
import { StepScalars } from "./optimizer.ts";

/**
 * The new average.
 * @param averaged the average so far
 * @param current the model's weight
 * @param nAveraged how many weights are in the average: int32, [], at least 1
 */
export type AverageFunction = (averaged: Tensor, current: Tensor, nAveraged: Tensor) => Tensor;

/** Options of `AveragedModel`. */
export interface AveragedModelOptions {
  /** How a weight joins the average. Default: all weigh the same. */
  readonly avgFn?: AverageFunction;
  /** Whether buffers of floats, such as running statistics, are averaged too; else they are copied. Default false. */
  readonly useBuffers?: boolean;
}

const equalWeights: AverageFunction = (averaged, current, nAveraged) =>
  averaged.add(current.sub(averaged).div(nAveraged.to(averaged.dtype).add(1)));

/** PyTorch's name of the model in the state dict of its averages. */
const prefix = "module.";

/**
 * The average of a model's weights over all calls of `update()`. Unlike PyTorch's it is no second model: its weights change
 * places with the model's for an evaluation.
 *
 * @example
 * const averaged = new optim.AveragedModel(model);
 * for await (const [x, y] of loader) {
 *   // ... backward, await optimizer.step()
 *   averaged.update();
 * }
 * const { accuracy } = await averaged.withAverages(() => trainer.evaluate(testLoader));
 */
export class AveragedModel<Model extends AnyModule = AnyModule> {
  /** How many weights are in the average: int32, []. */
  readonly nAveraged: Tensor;
  private readonly averages: ReadonlyMap<Tensor, Tensor>;
  private readonly parameters: ReadonlySet<Tensor>;
  private readonly useBuffers: boolean;
  private readonly avgFn: AverageFunction;
  private isSwapped = false;

  /**
   * @param model whose weights are averaged; lazy layers must have seen an input
   * @param options how weights join the average, and whether buffers do
   */
  constructor(
    readonly model: Model,
    { avgFn = equalWeights, useBuffers = false }: AveragedModelOptions = {},
  ) {
    this.avgFn = avgFn;
    this.useBuffers = useBuffers;
    this.nAveraged = zeros([], { dtype: "int32" }).asState();
    this.parameters = new Set(model.parameters());
    const all = [...this.parameters, ...model.buffers()];
    this.averages = new Map(all.map((tensor) => [tensor, tensor.detach().asState()]));
  }

  /**
   * Takes the model's present weights into the average; at first it becomes them. Call it after `optimizer.step()`: it is
   * computed with the next step.
   * @throws GradusError while the averages are in the model
   */
  update(): void {
    this.checkAtHome("update");
    noGrad(() => {
      const { nAveraged } = this;
      const isFirst = nAveraged.eq(0);
      const scalars = new StepScalars();
      for (const [current, averaged] of this.averages) {
        const isAveraged = isFloat(current.dtype) && (this.useBuffers || this.parameters.has(current));
        const next = isAveraged ? where(isFirst, current, this.average(averaged, current, scalars)) : current;
        averaged.copy_(next);
      }
      nAveraged.add_(1);
    });
  }

  /** The new average. @param _scalars of this update, the same for all tensors */
  protected average(averaged: Tensor, current: Tensor, _scalars: StepScalars): Tensor {
    return this.avgFn(averaged, current, this.nAveraged);
  }

  /**
   * Exchanges the model's weights and buffers with their averages; called again, back. The optimizer must make no step
   * between.
   */
  async swap(): Promise<void> {
    noGrad(() => {
      for (const [current, averaged] of this.averages) {
        const before = current.detach();
        current.copy_(averaged);
        averaged.copy_(before);
      }
    });
    await flush();
    this.isSwapped = !this.isSwapped;
  }

  /** Runs something, such as an evaluation, with the averages in the model, and restores the model's own weights. */
  async withAverages<T>(body: () => T | Promise<T>): Promise<T> {
    this.checkAtHome("withAverages");
    await this.swap();
    try {
      return await body();
    } finally {
      await this.swap();
    }
  }

  /** Copies the averages into a model for good: this one (default), or another of the same structure. */
  applyTo(model: AnyModule = this.model): void {
    this.checkAtHome("applyTo");
    model.loadStateDict(this.averagesByKey(""));
  }

  /** The average of one of the model's parameters or buffers. */
  averageOf(tensor: Tensor): Tensor {
    this.checkAtHome("averageOf");
    const average = this.averages.get(tensor);
    if (average === undefined) {
      throw new ArgumentError(
        this.constructor.name,
        "this tensor is no part of the model",
        "Pass one of its parameters.",
      );
    }
    return average;
  }

  private averagesByKey(before: string): Map<string, Tensor> {
    return new Map([...this.model.stateDict()].map(([key, tensor]) => [before + key, this.averages.get(tensor)!]));
  }

  /** The averages and how many weights are in them, by PyTorch's keys: `n_averaged`, `module.weight`. */
  stateDict(): Map<string, Tensor> {
    this.checkAtHome("stateDict");
    return new Map([["n_averaged", this.nAveraged], ...this.averagesByKey(prefix)]);
  }

  /** @throws StateDictError naming all that does not fit; nothing is then changed */
  loadStateDict(state: StateDict): void {
    const targets = this.stateDict();
    const given = state instanceof Map ? (state as ReadonlyMap<string, Tensor>) : new Map(Object.entries(state));
    const missing = [...targets.keys()].filter((key) => !given.has(key));
    const unexpected = [...given.keys()].filter((key) => !targets.has(key));
    const mismatches = [...targets].flatMap(([key, { shape }]) => {
      const found = given.get(key)?.shape ?? shape;
      return found.join() === shape.join() ? [] : [{ key, expected: shape, found }];
    });
    if (missing.length + unexpected.length + mismatches.length > 0) {
      throw new StateDictError(this.constructor.name, missing, unexpected, mismatches);
    }
    noGrad(() => {
      for (const [key, target] of targets) target.copy_(given.get(key)!);
    });
  }

  private checkAtHome(operation: string): void {
    if (!this.isSwapped) return;
    throw new GradusError(
      `${operation}: the averages are in the model, and the model's weights here. Call \`await swap()\` before.`,
    );
  }
}

/** Options of `ExponentialMovingAverage`. */
export interface ExponentialMovingAverageOptions {
  /** How much of the average stays at an update, from 0 to 1. Default 0.999. */
  readonly decay?: number;
  /** Whether the decay is (1 + n) / (10 + n) at most after n updates, so that early weights are soon forgotten. Default false. */
  readonly useNumUpdates?: boolean;
  /** Whether buffers of floats, such as running statistics, are averaged too; else they are copied. Default false. */
  readonly useBuffers?: boolean;
}

/**
 * average = decay average + (1 - decay) weight: the weights of about the last 1 / (1 - decay) updates.
 *
 * @example
 * const ema = new optim.ExponentialMovingAverage(model, { decay: 0.999 });
 * // after each `await optimizer.step()`, or as a callback of the Trainer: { onStep: () => ema.update() }
 * ema.update();
 */
export class ExponentialMovingAverage<Model extends AnyModule = AnyModule> extends AveragedModel<Model> {
  private kept = 0;
  private readonly useNumUpdates: boolean;

  /**
   * @param model whose weights are averaged; lazy layers must have seen an input
   * @param options how slowly the average follows, and whether buffers do
   * @throws ArgumentError for a decay that is not from 0 to 1
   */
  constructor(model: Model, options: ExponentialMovingAverageOptions = {}) {
    const { decay = 0.999, useNumUpdates = false, useBuffers = false } = options;
    super(model, { useBuffers });
    this.decay = decay;
    this.useNumUpdates = useNumUpdates;
  }

  /** How much of the average stays at an update. It may change between updates without a new program. */
  get decay(): number {
    return this.kept;
  }

  /** @throws ArgumentError unless it is from 0 to 1 */
  set decay(decay: number) {
    if (!(decay >= 0 && decay <= 1)) {
      throw new ArgumentError(this.constructor.name, `decay is ${decay}`, "Use a number from 0 to 1.");
    }
    this.kept = decay;
  }

  protected override average(averaged: Tensor, current: Tensor, scalars: StepScalars): Tensor {
    const { dtype } = averaged;
    // 1 - decay, computed so that nothing is lost next to 1.
    let share = scalars.get("share", 1 - this.kept, dtype);
    if (this.useNumUpdates) share = share.maximum(this.nAveraged.to(dtype).add(10).reciprocal().mul(9));
    return averaged.add(current.sub(averaged).mul(share));
  }
}
