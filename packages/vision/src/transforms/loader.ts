// Batches with their images transformed, lazily: what is computed is part of the program that uses the batch, so a
// training step with augmentation is still one. Leans on gradus as any user does.

import type { data, nn, Tensor } from "gradus";

/** Batches whose first tensor are images: a `data.DataLoader`. */
export interface BatchLoader<Batch extends readonly Tensor[] = readonly Tensor[]> extends AsyncIterable<Batch> {
  /** Batches an epoch. */
  readonly length: number;
  /** Where the loader stands in its epoch. */
  stateDict(): data.LoaderState;
  /** Goes on from where the loader stood. */
  loadStateDict(state: data.LoaderState): void;
}

/** A transform, or a function of a batch of images, [N, C, H, W]. */
export type ImageFunction = ((images: Tensor) => Tensor) | nn.Module<[Tensor], Tensor>;

/**
 * A loader whose batches have their first tensor transformed. It stands where the loader stands and is what
 * `train.Trainer` takes.
 */
export class TransformedLoader<Batch extends readonly Tensor[]> implements BatchLoader<Batch> {
  private readonly transform: (images: Tensor) => Tensor;

  /**
   * @param loader its batches begin with images, [N, C, H, W]
   * @param transform a transform, any module, or a function
   */
  constructor(
    readonly loader: BatchLoader<Batch>,
    transform: ImageFunction,
  ) {
    this.transform = typeof transform === "function" ? transform : (images) => transform.forward(images);
  }

  get length(): number {
    return this.loader.length;
  }

  /** Walks through one epoch; after `loadStateDict` through what remains of it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    for await (const [images, ...rest] of this.loader) {
      yield [this.transform(images), ...rest] as readonly Tensor[] as Batch;
    }
  }

  /** Where the loader stands. What the transforms draw comes from their generators, which have states of their own. */
  stateDict(): data.LoaderState {
    return this.loader.stateDict();
  }

  /** Has the loader go on from where it stood. */
  loadStateDict(state: data.LoaderState): void {
    this.loader.loadStateDict(state);
  }
}

/**
 * A loader whose batches have their images transformed.
 *
 * @param loader its batches begin with images, [N, C, H, W]
 * @param transform a transform of this package, any module, or a function
 *
 * @example
 * const loader = withTransforms(new data.DataLoader(training, { batchSize: 128, shuffle: true }), augment);
 * for await (const [images, labels] of loader) { ... }
 */
export function withTransforms<Batch extends readonly Tensor[]>(
  loader: BatchLoader<Batch>,
  transform: ImageFunction,
): TransformedLoader<Batch> {
  return new TransformedLoader(loader, transform);
}
