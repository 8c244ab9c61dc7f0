// In which order a loader visits samples (`torch.utils.data`, samplers).

import { defaultGenerator, Generator, hostPermutation } from "../tensor/index.ts";

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
  constructor(readonly length: number) {}

  order(): Int32Array {
    return Int32Array.from({ length: this.length }, (_, i) => i);
  }
}

/** Every sample once, in an order that is new each epoch and repeats with the seed. */
export class RandomSampler implements Sampler {
  private own: Generator | null;

  /** @param options.generator default: one of its own, seeded by the default generator when the first epoch begins */
  constructor(
    readonly length: number,
    { generator }: { generator?: Generator } = {},
  ) {
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

  order(): Int32Array {
    return hostPermutation(this.length, this.generator);
  }
}
