// How good a generator's images are: whether they differ from each other, and what a classifier of real ones sees in them.

import { transforms } from "@gradus/vision";
import { Digits, pretrained } from "@gradus/vision/node";
import { noGrad, type Tensor } from "gradus";

/** How much images [N, C, H, W] differ: the root of the mean variance of a pixel over the batch. 0 where all are one. */
export async function diversity(images: Tensor): Promise<number> {
  return noGrad(() => images.var(0, { correction: 0 }).mean().sqrt()).item();
}

/** What a classifier makes of samples. */
export interface Judgement {
  /** How many are taken for each digit. */
  readonly counts: readonly number[];
  /** Of the class that a sample is taken for, 0 to 1. */
  readonly meanTopProbability: number;
}

/** Shows images of digits within -1 and 1, [N, 1, H, W], to the network that won the contest on real ones. */
export async function judge(images: Tensor): Promise<Judgement> {
  const classifier = await pretrained("mnist-contest");
  const { mean, std } = Digits.normalization;
  const probabilities = noGrad(() => {
    const pixels = images.clamp(-1, 1).add(1).div(2);
    const seen = pixels.shape[2] === 28 ? pixels : new transforms.CenterCrop(28).forward(pixels);
    return classifier.forward(new transforms.Normalize(mean, std).forward(seen)).softmax(1);
  });
  const classes = await probabilities.argmax(1).data();
  const counts = Array.from({ length: 10 }, (_, digit) => classes.filter((found) => found === digit).length);
  return { counts, meanTopProbability: await probabilities.amax(1).mean().item() };
}
