// DataLoader: walks over a dataset in batches, epoch by epoch (`torch.utils.data.DataLoader`). It knows where it stands, so
// that a run that was interrupted goes on with exactly the batches that remained.

import { ArgumentError, type Generator, type GeneratorState } from "../tensor/index.ts";
import { type Batch, defaultCollate, toTensor } from "./collate.ts";
import type { Dataset } from "./dataset.ts";
import { RandomSampler, type Sampler, SequentialSampler } from "./sampler.ts";

/** Options of `DataLoader`. */
export interface LoaderOptions<Sample, Out> {
  /** Default 1. */
  readonly batchSize?: number;
  /** A new order every epoch. Default false. */
  readonly shuffle?: boolean;
  /** Whether a last batch that is smaller is left out, which keeps one program for all. Default false. */
  readonly dropLast?: boolean;
  /** Where the order comes from. Default: one of its own, seeded by the default generator. */
  readonly generator?: Generator;
  /** An order of one's own, instead of `shuffle`. */
  readonly sampler?: Sampler;
  /** How many batches are loaded ahead while one is worked on, for datasets that give promises. Default 0. */
  readonly prefetch?: number;
  /** Makes a batch of samples. Default: stacks them place by place. */
  readonly collate?: (samples: readonly Sample[]) => Out;
}

/** Where a loader stands: plain data, for checkpoints. */
export interface LoaderState {
  /** Epochs that have ended. */
  readonly epoch: number;
  /** Batches of the present epoch that were given out. */
  readonly position: number;
  /** The generator as the present epoch began; null if the order is not random. */
  readonly generator: GeneratorState | null;
}

/**
 * Batches of a dataset, for `for await`.
 *
 * @example
 * const loader = new data.DataLoader(dataset, { batchSize: 64, shuffle: true });
 * for await (const [x, y] of loader) { ... }
 */
export class DataLoader<Sample, Out = Batch<Sample>> implements AsyncIterable<Out> {
  /** Samples in a batch; the last one may have fewer. */
  readonly batchSize: number;
  /** Whether a last batch that is smaller is left out. */
  readonly dropLast: boolean;
  /** In which order samples come. */
  readonly sampler: Sampler;
  private readonly prefetch: number;
  private readonly collate: ((samples: readonly Sample[]) => Out) | null;
  private epoch = 0;
  private position = 0;
  /** The generator at the beginning of the present epoch. */
  private began: GeneratorState | null = null;
  /** Whether the next iteration goes on within the present epoch: after `loadStateDict`. */
  private resumes = false;

  /**
   * @param dataset where the samples are
   * @param options the size of batches, their order, and how they are made
   * @throws ArgumentError for an empty dataset, or a batch size that is no integer from 1
   */
  constructor(
    readonly dataset: Dataset<Sample>,
    options: LoaderOptions<Sample, Out> = {},
  ) {
    const { batchSize = 1, shuffle = false, dropLast = false, generator, sampler, prefetch = 0, collate } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new ArgumentError("DataLoader", `a batchSize of ${batchSize} is none`, "Use an integer from 1.");
    }
    if (!Number.isInteger(prefetch) || prefetch < 0) {
      throw new ArgumentError("DataLoader", `${prefetch} batches cannot be prefetched`, "Use an integer from 0.");
    }
    if (dataset.length === 0) {
      throw new ArgumentError("DataLoader", "the dataset is empty", "Check where its samples come from.");
    }
    if (sampler !== undefined && shuffle) {
      throw new ArgumentError("DataLoader", "a sampler and shuffle exclude each other", "Pass one of them.");
    }
    if (dropLast && (sampler ?? dataset).length < batchSize) {
      throw new ArgumentError(
        "DataLoader",
        `${(sampler ?? dataset).length} samples do not fill one batch of ${batchSize}`,
        "Use a smaller batch size, or no dropLast.",
      );
    }
    this.batchSize = batchSize;
    this.dropLast = dropLast;
    this.prefetch = prefetch;
    this.collate = collate ?? null;
    this.sampler =
      sampler ?? (shuffle ? new RandomSampler(dataset.length, { generator }) : new SequentialSampler(dataset.length));
  }

  /** How many batches an epoch has. */
  get length(): number {
    const batches = this.sampler.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Walks through one epoch; after `loadStateDict` through what remains of it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Out, void, undefined> {
    if (!this.resumes) {
      // An epoch that was left early is over.
      if (this.position > 0) this.endEpoch();
      this.began = this.sampler.generator?.getState() ?? null;
    }
    this.resumes = false;
    const order = this.sampler.order();
    const { epoch } = this;
    const waiting: Promise<Out>[] = [];
    let next = this.position;
    while (this.position < this.length) {
      for (; waiting.length <= this.prefetch && next < this.length; next++) {
        const batch = this.load(order.subarray(next * this.batchSize, (next + 1) * this.batchSize));
        // A failure is told when its turn comes, not before.
        batch.catch(() => undefined);
        waiting.push(batch);
      }
      const batch = await waiting.shift()!;
      this.position++;
      yield batch;
      // Another walk has begun meanwhile, or a state was loaded: this one is over.
      if (this.epoch !== epoch || this.resumes) return;
    }
    this.endEpoch();
  }

  private endEpoch(): void {
    this.epoch++;
    this.position = 0;
    this.began = null;
  }

  private async load(indices: Int32Array): Promise<Out> {
    if (this.collate === null && this.dataset.getBatch !== undefined) {
      return (await this.dataset.getBatch(indices)).map(toTensor) as Out;
    }
    const samples = await Promise.all(Array.from(indices, (index) => this.dataset.get(index)));
    return this.collate === null ? (defaultCollate(samples) as unknown as Out) : this.collate(samples);
  }

  /** Where the loader stands, as plain data. */
  stateDict(): LoaderState {
    const generator = this.began ?? this.sampler.generator?.getState() ?? null;
    return { epoch: this.epoch, position: this.position, generator };
  }

  /** Goes on where another loader over the same dataset stood: the next walk gives the batches that remained. */
  loadStateDict(state: LoaderState): void {
    const { epoch, position, generator } = state;
    if (!(Number.isInteger(position) && position >= 0 && position <= this.length)) {
      throw new ArgumentError(
        "DataLoader",
        `there is no batch ${position} in an epoch of ${this.length}`,
        "Load a state of a loader with the same dataset and batch size.",
      );
    }
    this.epoch = epoch;
    this.position = position;
    this.began = generator;
    if (generator !== null) this.sampler.generator?.setState(generator);
    this.resumes = true;
  }
}
