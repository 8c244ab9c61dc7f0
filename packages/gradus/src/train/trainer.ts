// The Trainer: the training loop that everybody writes, written once. Every step is what a user would write by hand:
// zeroGrad, forward, loss, backward, step, and then the loss is read; a run of another kind, such as a GAN's, brings its own
// step. What is worth seeing beside goes to callbacks; it imports nothing from Node. Leans on tensor, and on the faces of nn,
// optim and data.

import type { Checkpoint, CheckpointFacts } from "../io/checkpoint.ts";
import type { Module } from "../nn/index.ts";
import { ArgumentError, flush, isFloat, noGrad, type Tensor } from "../tensor/index.ts";
import type { Callback, EvaluationBatch } from "./callback.ts";
import { EventLoop } from "./event-loop.ts";
import type { History, Measurements, StepMeasurements } from "./history.ts";
import { ForwardWatch, NonFiniteLossError } from "./non-finite.ts";
import { Training, type TrainLoader, type TrainOptimizer, type TrainScheduler } from "./training.ts";

/** From a model's output and the target to one number. */
export type Measure = (output: Tensor, target: Tensor) => Tensor;

/** A loss that is a module: `new nn.CrossEntropyLoss()`. */
export interface MeasureModule {
  /** From a model's output and the target to one number. */
  forward: Measure;
}

/**
 * One training step on a batch: everything from `zeroGrad()` to `await optimizer.step()`.
 * @returns what is to be logged, `loss` among it
 */
export type TrainingStep = (batch: readonly Tensor[]) => Promise<StepMeasurements>;

/** What a `Trainer` is made of. */
export interface TrainerOptions {
  /** Lazy layers must have seen an input. */
  readonly model: Module<[Tensor], Tensor>;
  /** One, or all that `step` makes steps with: checkpoints hold the state of each. */
  readonly optimizer: TrainOptimizer | readonly TrainOptimizer[];
  /** The mean loss of a batch, as a function or a module of `nn`. Left out where `step` takes its place. */
  readonly loss?: Measure | MeasureModule;
  /**
   * A step of one's own, instead of a model's output, `loss`, and one optimizer's step: a GAN has two of each. The loss that
   * it gives is checked and logged like any other. Where one optimizer's step needs what another's has computed, such values are
   * kept from the second step on; the first step of a resumed run computes them again, so it may differ by rounding.
   */
  readonly step?: TrainingStep;
  /** Steps after every epoch, or as `schedulerInterval` says. */
  readonly scheduler?: TrainScheduler;
  /** Default "epoch". */
  readonly schedulerInterval?: "epoch" | "step";
  /** Means over a batch, by name. Default: `accuracy` where targets are class indices. */
  readonly metrics?: Readonly<Record<string, Measure>>;
  /** What sees every run of this trainer. */
  readonly callbacks?: readonly Callback[];
}

/** Options of `Trainer.fit`. */
export interface FitOptions {
  /** How many times the data are walked through, those before a checkpoint included. */
  readonly epochs: number;
  /** The test set, evaluated after each epoch. */
  readonly evaluate?: AsyncIterable<readonly Tensor[]>;
  /** Goes on from here instead of beginning: `(await store.load()).checkpoint`. */
  readonly resume?: Checkpoint;
  /** Besides the trainer's own. */
  readonly callbacks?: readonly Callback[];
  /** What the run was started with: kept in its checkpoints, so that it can be started again alike. */
  readonly options?: CheckpointFacts["options"];
}

/** How a run ended. */
export interface FitResult {
  /** All that was measured. */
  readonly history: History;
  /** Training steps taken in all. */
  readonly step: number;
  /** Epochs that are complete. */
  readonly epoch: number;
  /** Why it ended before its time; null if it did not. */
  readonly stopReason: string | null;
  /** What the test set gave last; null without one. */
  readonly evaluation: Measurements | null;
}

/** Options of `Trainer.evaluate`. */
export interface EvaluateOptions {
  /** Sees each batch when its tensors are computed; what it gives back is awaited. */
  readonly onBatch?: (batch: EvaluationBatch) => void | Promise<void>;
  /** Asked before each batch; true gives the evaluation up. */
  readonly isStopped?: () => boolean;
}

/** The fraction of samples whose greatest logit, [N, C, ...], is that of the target class, [N, ...]. */
export function accuracy(output: Tensor, target: Tensor): Tensor {
  return output.argmax(1).eq(target).to("float32").mean();
}

/**
 * Trains a model.
 *
 * @example
 * const trainer = new train.Trainer({ model, optimizer, loss: F.crossEntropy });
 * const { evaluation } = await trainer.fit(trainLoader, { epochs: 5, evaluate: testLoader });
 */
export class Trainer {
  /** The one that is trained. */
  readonly model: Module<[Tensor], Tensor>;
  private readonly loss: Measure | null;
  private readonly optimizers: readonly TrainOptimizer[];
  private readonly eventLoop = new EventLoop();

  /** @throws ArgumentError without a loss and without a step, or with several optimizers and no step that uses them */
  constructor(private readonly given: TrainerOptions) {
    this.model = given.model;
    const { loss, step, optimizer } = given;
    this.optimizers = Array.isArray(optimizer) ? optimizer : [optimizer as TrainOptimizer];
    this.loss =
      loss === undefined || typeof loss === "function"
        ? (loss ?? null)
        : (output, target) => loss.forward(output, target);
    if (step === undefined && (this.loss === null || this.optimizers.length !== 1)) {
      const lacks = this.loss === null ? "there is no loss" : `there are ${this.optimizers.length} optimizers`;
      throw new ArgumentError("Trainer", `${lacks} and no step`, "Pass a loss and one optimizer, or a step.");
    }
  }

  /**
   * Trains for a number of epochs.
   * @returns when they are done, or a callback has stopped the run
   * @throws NonFiniteLossError as soon as the loss is NaN or infinite
   */
  async fit(loader: TrainLoader, options: FitOptions): Promise<FitResult> {
    const { epochs, evaluate, resume } = options;
    if (!Number.isInteger(epochs) || epochs < 1) {
      throw new ArgumentError("fit", `${epochs} epochs cannot be trained`, "Use an integer from 1.");
    }
    const { model, scheduler = null } = this.given;
    const callbacks = [...(this.given.callbacks ?? []), ...(options.callbacks ?? [])];
    const training = new Training({
      model,
      optimizers: this.optimizers,
      scheduler,
      loader,
      callbacks,
      epochs,
      options: options.options ?? {},
      evaluate: (current) => (evaluate === undefined ? Promise.resolve(null) : this.test(current, evaluate, callbacks)),
    });
    const watch = new ForwardWatch(model);
    try {
      if (resume === undefined)
        await flush(); // initial values, so that the first step is like every other
      else await training.restore(resume);
      for (const callback of callbacks) await callback.onStart?.(training);
      while (training.epoch < epochs && training.stopReason === null) {
        await this.fitEpoch(training, loader, watch, callbacks);
      }
      for (const callback of callbacks) await callback.onEnd?.(training);
    } finally {
      watch.remove();
      for (const callback of callbacks) callback.close?.();
    }
    const { history, step, epoch, stopReason } = training;
    return { history, step, epoch, stopReason, evaluation: withoutPlace(history.evaluations.at(-1)) };
  }

  /** One epoch, or what remains of it; returns early if the run is stopped. */
  private async fitEpoch(
    training: Training,
    loader: TrainLoader,
    watch: ForwardWatch,
    callbacks: readonly Callback[],
  ): Promise<void> {
    const { scheduler, schedulerInterval = "epoch", step = (batch) => this.supervisedStep(batch) } = this.given;
    const begin = performance.now();
    this.model.train();
    for await (const batch of loader) {
      const { learningRate } = training;
      watch.begin();
      const measured = await step(batch);
      training.countStep();
      if (!Number.isFinite(measured.loss)) {
        const where = `at step ${training.step} (epoch ${training.epoch + 1}, learning rate ${learningRate})`;
        throw new NonFiniteLossError(`The loss is ${measured.loss} ${where}. ${await watch.explain(batch)}`);
      }
      if (schedulerInterval === "step") scheduler?.step();
      const point = { step: training.step, epoch: training.progress, ...measured };
      training.history.addStep(point, batch[0].shape[0]);
      for (const callback of callbacks) await callback.onStep?.(training, { measured, learningRate });
      await this.eventLoop.turn();
      if (training.stopReason !== null) return;
    }
    const evaluation = await training.evaluate();
    if (training.stopReason !== null) return;
    if (schedulerInterval === "epoch") scheduler?.step();
    const means = training.history.running;
    training.countEpoch();
    training.history.addEpoch(training.step, training.epoch, evaluation);
    const seconds = (performance.now() - begin) / 1000;
    for (const callback of callbacks) await callback.onEpochEnd?.(training, { training: means, evaluation, seconds });
  }

  /** Forward, backward and update of one model by one optimizer. */
  private async supervisedStep([input, target]: readonly Tensor[]): Promise<StepMeasurements> {
    const [optimizer] = this.optimizers;
    optimizer.zeroGrad();
    const output = this.model.forward(input);
    const loss = this.lossOf(output, target);
    const metrics = noGrad(() => this.metricsOf(output, target));
    // Asked for before the step, so that every step, the first of a resumed run as well, is the same program.
    for (const metric of Object.values(metrics)) metric.retain();
    loss.backward();
    await optimizer.step();
    return await read({ loss, ...metrics });
  }

  private lossOf(output: Tensor, target: Tensor): Tensor {
    if (this.loss === null) throw new ArgumentError("Trainer", "there is no loss to evaluate with", "Pass one.");
    return this.loss(output, target);
  }

  private test(
    training: Training,
    loader: AsyncIterable<readonly Tensor[]>,
    callbacks: readonly Callback[],
  ): Promise<Measurements | null> {
    const listeners = callbacks.filter(({ onEvaluationBatch }) => onEvaluationBatch !== undefined);
    const onBatch = async (batch: EvaluationBatch): Promise<void> => {
      for (const listener of listeners) await listener.onEvaluationBatch!(training, batch);
    };
    return this.evaluate(loader, {
      onBatch: listeners.length > 0 ? onBatch : undefined,
      isStopped: () => training.stopReason !== null,
    });
  }

  /**
   * The mean loss and metrics over a dataset, in evaluation mode and without gradients. Every sample counts, those of a
   * smaller last batch as well.
   * @returns null if it was given up
   * @throws NonFiniteLossError if the loss of a batch is NaN or infinite
   */
  async evaluate(
    loader: AsyncIterable<readonly Tensor[]>,
    { onBatch, isStopped }: EvaluateOptions = {},
  ): Promise<Measurements | null> {
    const modes = this.model.modules().map((module) => [module, module.training] as const);
    const watch = new ForwardWatch(this.model);
    const sums = new Map<string, number>();
    let samples = 0;
    this.model.eval();
    try {
      for await (const [input, target] of loader) {
        if (isStopped?.()) return null;
        watch.begin();
        const { output, results } = noGrad(() => {
          const given = this.model.forward(input);
          return { output: given, results: { loss: this.lossOf(given, target), ...this.metricsOf(given, target) } };
        });
        await flush(...Object.values(results), ...(onBatch === undefined ? [] : [output]));
        const measured = await read(results);
        if (!Number.isFinite(measured.loss)) {
          const explanation = await watch.explain([input, target]);
          throw new NonFiniteLossError(`The loss is ${measured.loss} in the evaluation. ${explanation}`);
        }
        const size = input.shape[0];
        for (const [name, value] of Object.entries(measured)) sums.set(name, (sums.get(name) ?? 0) + value * size);
        samples += size;
        await onBatch?.({ input, output, target });
        await this.eventLoop.turn();
      }
    } finally {
      watch.remove();
      for (const [module, mode] of modes) module.training = mode;
    }
    return Object.fromEntries([...sums].map(([name, sum]) => [name, sum / samples]));
  }

  private metricsOf(output: Tensor, target: Tensor): Record<string, Tensor> {
    const isClassification = !isFloat(target.dtype) && output.ndim === target.ndim + 1;
    const metrics = this.given.metrics ?? (isClassification ? { accuracy } : {});
    return Object.fromEntries(Object.entries(metrics).map(([name, measure]) => [name, measure(output, target)]));
  }
}

/** The values of tensors of one element. */
async function read<Names extends string>(tensors: Readonly<Record<Names, Tensor>>): Promise<Record<Names, number>> {
  const values: [string, number][] = [];
  for (const [name, tensor] of Object.entries<Tensor>(tensors)) values.push([name, await tensor.item()]);
  return Object.fromEntries(values) as Record<Names, number>;
}

function withoutPlace(point: Measurements | undefined): Measurements | null {
  if (point === undefined) return null;
  const { step: _step, epoch: _epoch, ...measured } = point;
  return measured;
}
