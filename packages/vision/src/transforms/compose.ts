// Transforms made of transforms, and of functions. After `torchvision.transforms`.

import { ArgumentError, nn, ShapeError, type Tensor, where } from "gradus";
import { checkProbability, RandomTransform, type RandomTransformOptions } from "./transform.ts";

/** What images can be sent through: transforms, and any module from one tensor to one tensor. */
export type ImageModule = nn.Module<[Tensor], Tensor>;

/**
 * Transforms one after the other (`torchvision.transforms.Compose`): an nn.Sequential that is made from a list.
 *
 * @example
 * const augment = new transforms.Compose([
 *   new transforms.RandomCrop(32, { padding: 4 }),
 *   new transforms.RandomHorizontalFlip(),
 * ]);
 * const loader = withTransforms(new data.DataLoader(training, { batchSize: 128, shuffle: true }), augment);
 */
export class Compose extends nn.Sequential {
  /** @param transforms in the order in which images go through them */
  constructor(transforms: readonly ImageModule[]) {
    super(...transforms);
  }
}

/** A function of images as a transform (`torchvision.transforms.Lambda`): [N, C, H, W] to anything. */
export class Lambda extends nn.Module {
  /** @param fn what is called with each batch */
  constructor(readonly fn: (images: Tensor) => Tensor) {
    super();
    if (typeof fn !== "function") throw new ArgumentError("Lambda", `${String(fn)} is no function`);
  }

  forward(images: Tensor): Tensor {
    return this.fn(images);
  }
}

/**
 * Transforms, all of them or none, for each image with probability p (`torchvision.transforms.RandomApply`). They are
 * computed for the whole batch, so they must not change its shape.
 */
export class RandomApply extends RandomTransform {
  /** What images go through, one after the other. */
  readonly transforms: Compose;

  /**
   * @param transforms what images go through
   * @param p the probability. Default 0.5
   * @param options where random numbers come from
   */
  constructor(
    transforms: readonly ImageModule[],
    readonly p = 0.5,
    options: RandomTransformOptions = {},
  ) {
    super(options);
    checkProbability("RandomApply", p);
    this.transforms = new Compose(transforms);
  }

  protected transform(images: Tensor): Tensor {
    const changed = this.transforms.forward(images);
    if (changed.shape.join() !== images.shape.join()) {
      throw new ShapeError(
        "transform",
        [images.shape, changed.shape],
        "the transforms change the shape, so changed and unchanged images do not fit one batch",
        "Use transforms that keep it.",
      );
    }
    return where(this.chance(images, this.p), changed, images);
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}
