// In which order a loader visits samples (`torch.utils.data`, samplers).

import { ArgumentError, defaultGenerator, Generator, hostPermutation, hostUniform } from "../tensor/index.ts";

/** An order of samples for `DataLoader`: any object that has these members (`torch.utils.data.Sampler`). */
export interface Sampler {
  /** How many indices an epoch has. */
  readonly length: number;
  /** Where its random numbers come from: a loader keeps that generator's state in its own. */
  readonly generator?: Generator;
  /** The indices of one epoch. */
  order(): Int32Array;
}

/** 0, 1, 2, ... */
export class SequentialSampler implements Sampler {
  /** @param length how many samples there are */
  constructor(readonly length: number) {}

  order(): Int32Array {
    return Int32Array.from({ length: this.length }, (_, i) => i);
  }
}

/** Where samplers with random orders have their numbers from. */
export interface RandomSamplerOptions {
  /** Default: one of its own, seeded by the default generator when the first epoch begins. */
  readonly generator?: Generator;
}

/** What samplers with random orders share: a generator that other random numbers do not disturb. */
abstract class SeededSampler implements Sampler {
  private own: Generator | null;
  abstract readonly length: number;

  constructor({ generator }: RandomSamplerOptions) {
    this.own = generator ?? null;
  }

  get generator(): Generator {
    if (this.own === null) {
      // A generator of its own, so that other random numbers drawn during an epoch do not change the next order.
      const { seed, drawn } = defaultGenerator.getState();
      defaultGenerator.setState({ seed, drawn: drawn + 1 });
      this.own = new Generator(Math.imul(seed ^ Math.imul(drawn + 1, 0x85ebca6b), 0xc2b2ae35));
    }
    return this.own;
  }

  abstract order(): Int32Array;
}

/** Every sample once, in an order that is new each epoch and repeats with the seed (`torch.utils.data.RandomSampler`). */
export class RandomSampler extends SeededSampler {
  /**
   * @param length how many samples there are
   * @param options where the random numbers come from
   */
  constructor(
    readonly length: number,
    options: RandomSamplerOptions = {},
  ) {
    super(options);
  }

  /** 0 to length - 1 in an order drawn anew. */
  order(): Int32Array {
    return hostPermutation(this.length, this.generator);
  }
}

/** Some samples, each once and in a random order (`torch.utils.data.SubsetRandomSampler`). */
export class SubsetRandomSampler extends SeededSampler {
  /** @param indices which samples */
  constructor(
    readonly indices: ArrayLike<number>,
    options: RandomSamplerOptions = {},
  ) {
    super(options);
  }

  /** How many samples there are to choose from. */
  get length(): number {
    return this.indices.length;
  }

  /** The indices in an order drawn anew. */
  order(): Int32Array {
    return hostPermutation(this.length, this.generator).map((position) => this.indices[position]);
  }
}

/**
 * Samples drawn by their weights (`torch.utils.data.WeightedRandomSampler`): with 1 / (size of its class) for each sample, all
 * classes come equally often.
 *
 * @example
 * const sampler = new data.WeightedRandomSampler(labels.map((label) => 1 / counts[label]), labels.length);
 */
export class WeightedRandomSampler extends SeededSampler {
  /** Weights added up: the last one is their sum. */
  private readonly ends: Float64Array;

  /**
   * @param weights one for each sample, from 0; they need not add up to 1
   * @param length how many are drawn each epoch
   * @param replacement whether a sample may come more than once
   * @throws ArgumentError for weights that are negative, not finite or all 0, or for more draws without replacement than
   *   there are samples of a weight above 0
   */
  constructor(
    readonly weights: ArrayLike<number>,
    readonly length: number,
    readonly replacement = true,
    options: RandomSamplerOptions = {},
  ) {
    super(options);
    let sum = 0;
    this.ends = Float64Array.from(weights, (weight) => (sum += weight));
    const given = Array.from(weights);
    const wrong = given.findIndex((weight) => !(weight >= 0 && Number.isFinite(weight)));
    if (wrong >= 0 || !(sum > 0)) {
      const problem =
        wrong >= 0 ? `weight ${wrong} is ${weights[wrong]}` : `the ${weights.length} weights add up to ${sum}`;
      throw new ArgumentError("WeightedRandomSampler", problem, "Use finite weights from 0, some of them above.");
    }
    const possible = replacement ? Number.POSITIVE_INFINITY : given.filter((weight) => weight > 0).length;
    if (!Number.isInteger(length) || length < 1 || length > possible) {
      throw new ArgumentError(
        "WeightedRandomSampler",
        `${length} of ${weights.length} samples cannot be drawn`,
        "Use an integer from 1, or draw with replacement.",
      );
    }
  }

  /** `length` indices, drawn anew. */
  order(): Int32Array {
    const next = hostUniform(this.generator);
    return this.replacement ? this.drawWithReplacement(next) : this.drawWithout(next);
  }

  /** Inverts the cumulative sum by bisection. */
  private drawWithReplacement(next: () => number): Int32Array {
    const { ends, length } = this;
    const total = ends[ends.length - 1];
    return Int32Array.from({ length }, () => {
      const target = next() * total;
      let [low, high] = [0, ends.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ends[middle] > target) high = middle;
        else low = middle + 1;
      }
      return low;
    });
  }

  /** The exponential race (Efraimidis and Spirakis, 2006): who waits least comes first. */
  private drawWithout(next: () => number): Int32Array {
    const waiting = Float64Array.from(this.weights, (weight) => -Math.log(1 - next()) / weight);
    const order = Int32Array.from({ length: waiting.length }, (_, i) => i);
    return order.sort((a, b) => waiting[a] - waiting[b]).slice(0, this.length);
  }
}
