// Finding a learning rate by trying them all: a short training whose rate grows from step to step, until the loss explodes
// (Smith, 2017, "Cyclical learning rates"; the suggestions are those that fastai's `lr_find` made known). All that the trial
// changes is restored. Leans on tensor, and on the faces of nn, optim and data.

import type { LoaderState } from "../data/index.ts";
import type { AnyModule, Module } from "../nn/index.ts";
import type { OptimizerStateDict, StateValue } from "../optim/index.ts";
import { ArgumentError, defaultGenerator, flush, isTensor, noGrad, type Tensor, tensor } from "../tensor/index.ts";
import { EventLoop } from "./event-loop.ts";
import { ForwardWatch, NonFiniteLossError } from "./non-finite.ts";
import type { Measure, MeasureModule } from "./trainer.ts";
import type { TrainOptimizer } from "./training.ts";

/** What is to be trained. */
export interface LearningRateFinderParts {
  /** Lazy layers must have seen an input. */
  readonly model: Module<[Tensor], Tensor>;
  /** Any of `optim` but LBFGS. Groups keep the ratios of their rates; what is found is the first group's. */
  readonly optimizer: TrainOptimizer;
  /** The mean loss of a batch, as a function or a module of `nn`. */
  readonly loss: Measure | MeasureModule;
  /** Batches, each `[input, target]`; walked through again if there are fewer than steps. */
  readonly loader: AsyncIterable<readonly Tensor[]> | Iterable<readonly Tensor[]>;
}

/** Options of `findLearningRate`. */
export interface LearningRateFinderOptions {
  /** The first rate. Default 1e-7. */
  readonly startLr?: number;
  /** The last rate. Default 10. */
  readonly endLr?: number;
  /** How many rates are tried, each in one step. Default 100. */
  readonly steps?: number;
  /** How much of the smoothed loss is the newest loss, above 0 and up to 1, which does not smooth. Default 0.05. */
  readonly smoothing?: number;
  /** The trial ends when the smoothed loss is so many times its lowest. Default 4. */
  readonly stopFactor?: number;
}

/** Rates to train with. Null where the loss never fell. */
export interface LearningRateSuggestions {
  /** Where the smoothed loss falls fastest. */
  readonly steepest: number | null;
  /** In the middle of the longest fall. A good first choice. */
  readonly valley: number | null;
  /** A tenth of where the smoothed loss is lowest. */
  readonly minimum: number | null;
}

/** What the trial has measured, step by step. */
export interface LearningRateCurve {
  /** The rate of each step, ascending. */
  readonly learningRates: readonly number[];
  /** The loss before each step, of its batch. */
  readonly losses: readonly number[];
  /** Running means of the losses. */
  readonly smoothed: readonly number[];
  /** What the curve says. */
  readonly suggestions: LearningRateSuggestions;
  /** Whether the loss exploded before the last rate. */
  readonly hasDiverged: boolean;
}

const defaults: Required<LearningRateFinderOptions> = {
  startLr: 1e-7,
  endLr: 10,
  steps: 100,
  smoothing: 0.05,
  stopFactor: 4,
};

/**
 * Tries learning rates in a short training, and suggests some. Model, optimizer, loader and random numbers are afterwards as
 * before, also after an error.
 * @throws NonFiniteLossError if the loss is NaN or infinite in the very first step, which is not the rate's fault
 *
 * @example
 * const { suggestions } = await train.findLearningRate({ model, optimizer, loss: F.crossEntropy, loader });
 * console.log(suggestions.valley);
 */
export async function findLearningRate(
  parts: LearningRateFinderParts,
  options: LearningRateFinderOptions = {},
): Promise<LearningRateCurve> {
  const settings = { ...defaults, ...options };
  check(settings);
  const restore = await remember(parts);
  const watch = new ForwardWatch(parts.model);
  try {
    return await tryRates(parts, settings, watch);
  } finally {
    watch.remove();
    await restore();
  }
}

function check({ startLr, endLr, steps, smoothing, stopFactor }: Required<LearningRateFinderOptions>): void {
  const refuse = (problem: string, remedy: string): never => {
    throw new ArgumentError("findLearningRate", problem, remedy);
  };
  if (!(startLr > 0 && endLr > startLr && endLr < Number.POSITIVE_INFINITY)) {
    refuse(`from ${startLr} to ${endLr} there are no rates to try`, "Give a startLr above 0 and a larger endLr.");
  }
  if (!(Number.isInteger(steps) && steps >= 2)) refuse(`steps is ${steps}`, "Use an integer from 2.");
  if (!(smoothing > 0 && smoothing <= 1)) refuse(`smoothing is ${smoothing}`, "Use a number above 0 and up to 1.");
  if (!(stopFactor > 1)) refuse(`stopFactor is ${stopFactor}`, "Use a number above 1.");
}

async function tryRates(
  { model, optimizer, loss: given, loader }: LearningRateFinderParts,
  { startLr, endLr, steps, smoothing, stopFactor }: Required<LearningRateFinderOptions>,
  watch: ForwardWatch,
): Promise<LearningRateCurve> {
  const lossOf: Measure = typeof given === "function" ? given : (output, target) => given.forward(output, target);
  const groups = optimizer.paramGroups as readonly { lr: number }[];
  const ratios = groups.map(({ lr }) => (groups[0].lr > 0 ? lr / groups[0].lr : 1));
  const eventLoop = new EventLoop();
  const learningRates: number[] = [];
  const losses: number[] = [];
  const smoothed: number[] = [];
  let mean = 0;
  let hasDiverged = false;
  model.train();
  for await (const batch of repeated(loader, steps)) {
    const step = losses.length;
    const rate = startLr * (endLr / startLr) ** (step / (steps - 1));
    groups.forEach((group, i) => {
      group.lr = rate * ratios[i];
    });
    watch.begin();
    optimizer.zeroGrad();
    const loss = lossOf(model.forward(batch[0]), batch[1]);
    loss.backward();
    await optimizer.step();
    const value = await loss.item();
    if (!Number.isFinite(value)) {
      if (step === 0) {
        const explanation = await watch.explain(batch);
        throw new NonFiniteLossError(
          `The loss is ${value} in the first step, at a learning rate of ${rate}. ${explanation}`,
        );
      }
      hasDiverged = true;
      break;
    }
    learningRates.push(rate);
    losses.push(value);
    // The mean begins at 0, which is corrected for.
    mean = (1 - smoothing) * mean + smoothing * value;
    smoothed.push(mean / (1 - (1 - smoothing) ** losses.length));
    const lowest = Math.min(...smoothed);
    // So said, it holds for losses below 0 too.
    if (smoothed[step] - lowest > (stopFactor - 1) * Math.abs(lowest) && step > 0) {
      hasDiverged = step < steps - 1;
      break;
    }
    await eventLoop.turn();
  }
  return { learningRates, losses, smoothed, suggestions: suggest(learningRates, smoothed), hasDiverged };
}

/** So many batches, from the beginning again when they are through. */
async function* repeated(
  loader: LearningRateFinderParts["loader"],
  count: number,
): AsyncGenerator<readonly Tensor[], void, void> {
  let given = 0;
  while (given < count) {
    const before = given;
    for await (const batch of loader) {
      yield batch;
      if (++given === count) return;
    }
    if (given === before) {
      throw new ArgumentError("findLearningRate", "the loader gives no batches", "Pass one that does.");
    }
  }
}

// Suggestions -----------------------------------------------------------------------------------------------------------

/**
 * What the curve suggests. Its first tenth is left out: there the mean is of few batches, and differs because they do.
 * @param smoothed losses; the rates grow by one factor from each to the next
 */
export function suggest(rates: readonly number[], smoothed: readonly number[]): LearningRateSuggestions {
  const skipped = Math.floor(rates.length / 10);
  const [learningRates, losses] = [rates.slice(skipped), smoothed.slice(skipped)];
  const lowest = losses.indexOf(Math.min(...losses));
  if (!(lowest > 0)) return { steepest: null, valley: null, minimum: null };
  return {
    steepest: learningRates[steepestFall(losses, lowest)],
    valley: learningRates[middleOfLongestFall(losses)],
    minimum: learningRates[lowest] / 10,
  };
}

/** Where the difference from the point before to the point after is the most negative, up to the lowest. */
function steepestFall(losses: readonly number[], lowest: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= lowest; i++) {
    const [from, to] = [Math.max(i - 1, 0), Math.min(i + 1, losses.length - 1)];
    const slope = (losses[to] - losses[from]) / (to - from);
    if (slope < least) [best, least] = [i, slope];
  }
  return best;
}

/** The middle one of the losses of the longest falling subsequence. */
function middleOfLongestFall(losses: readonly number[]): number {
  // For each loss how long the longest one is that ends with it, and which loss of it comes before.
  const falls: { readonly length: number; readonly previous: number }[] = [];
  for (const [i, loss] of losses.entries()) {
    let [length, previous] = [1, -1];
    for (let j = 0; j < i; j++) {
      if (losses[j] > loss && falls[j].length >= length) [length, previous] = [falls[j].length + 1, j];
    }
    falls.push({ length, previous });
  }
  const longest = Math.max(...falls.map(({ length }) => length));
  let at = falls.findIndex(({ length }) => length === longest);
  for (let back = 0; back < Math.floor(longest / 2); back++) at = falls[at].previous;
  return at;
}

// Restoring -------------------------------------------------------------------------------------------------------------

/** A loader that can be set back. */
interface RestorableLoader {
  stateDict(): LoaderState;
  loadStateDict(state: LoaderState): void;
}

const isRestorable = (loader: object): loader is RestorableLoader => "stateDict" in loader && "loadStateDict" in loader;

/** Copies all that a trial changes. @returns a function that puts it back */
async function remember({ model, optimizer, loader }: LearningRateFinderParts): Promise<() => Promise<void>> {
  const modules: readonly AnyModule[] = model.modules();
  const modes = modules.map((module) => [module, module.training] as const);
  const gradients = model.parameters().map((parameter) => [parameter, parameter.grad] as const);
  await flush(...gradients.flatMap(([, gradient]) => gradient ?? []));
  const values: (readonly [Tensor, Tensor])[] = [];
  for (const own of [...model.parameters(), ...model.buffers()]) values.push([own, await copyOf(own)]);
  const { state, param_groups } = optimizer.stateDict();
  const optimizerState: OptimizerStateDict = { state: await copyOfState(state), param_groups };
  // A loader that is asked for the first time draws its seed from the default generator.
  const restorable = isRestorable(loader) ? loader : null;
  const loaderState = restorable?.stateDict();
  const generator = defaultGenerator.getState();
  return async () => {
    noGrad(() => {
      for (const [own, value] of values) own.copy_(value);
    });
    optimizer.loadStateDict(optimizerState);
    for (const [parameter, gradient] of gradients) parameter.grad = gradient;
    for (const [module, mode] of modes) module.training = mode;
    if (loaderState !== undefined) restorable!.loadStateDict(loaderState);
    defaultGenerator.setState(generator);
    await flush();
  };
}

async function copyOf(own: Tensor): Promise<Tensor> {
  return tensor(await own.data()).reshape(own.shape);
}

async function copyOfState(state: OptimizerStateDict["state"]): Promise<OptimizerStateDict["state"]> {
  const copies: Record<string, Record<string, StateValue>> = {};
  for (const [index, entry] of Object.entries(state)) {
    copies[index] = {};
    for (const [name, value] of Object.entries(entry))
      copies[index][name] = isTensor(value) ? await copyOf(value) : value;
  }
  return copies;
}
