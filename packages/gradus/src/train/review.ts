// A closer look at how a classifier does on a test set: which classes it takes for which, and where it was most sure and
// wrong. Fed batch by batch while the set is evaluated. Leans on metrics.ts for the counts.

import type { Tensor } from "../tensor/index.ts";
import type { EvaluationBatch } from "./callback.ts";
import { ConfusionMatrix } from "./metrics.ts";
import { pictureOf } from "./pictures.ts";
import type { PlainImage } from "./png.ts";

/** A sample that was taken for another class. */
export interface Mistake {
  /** The sample, its least value black and its greatest white. */
  readonly image: PlainImage;
  /** The class index that it was taken for. */
  readonly predicted: number;
  /** Its own class index. */
  readonly actual: number;
  /** The softmax of the predicted class, 0 to 1. */
  readonly confidence: number;
}

/** Options of `ClassificationReview`. */
export interface ReviewOptions {
  /** How many mistakes are kept, the most confident ones. Default 24. */
  readonly mostMistakes?: number;
}

/** Counts and worst mistakes over the batches of one evaluation. */
export class ClassificationReview {
  private matrix: ConfusionMatrix | null = null;
  private kept: readonly Mistake[] = [];
  private readonly mostMistakes: number;

  /** @param options how many mistakes are kept */
  constructor({ mostMistakes = 24 }: ReviewOptions = {}) {
    this.mostMistakes = mostMistakes;
  }

  /** Null before the first batch, and where outputs are no logits [N, C]. */
  get confusion(): ConfusionMatrix | null {
    return this.matrix;
  }

  /** The most confident first; none where inputs are no images [N, C, H, W]. */
  get mistakes(): readonly Mistake[] {
    return this.kept;
  }

  /** Takes in a batch of the test set: outputs `[N, C]`, targets `[N]`; other shapes are ignored. */
  async update({ input, output, target }: EvaluationBatch): Promise<void> {
    if (output.ndim !== 2 || target.ndim !== 1) return;
    const [count, classes] = output.shape;
    const logits = await output.data();
    const labels = await target.data();
    const guesses = Array.from({ length: count }, (_, i) => guess(logits.subarray(i * classes, (i + 1) * classes)));
    this.matrix ??= new ConfusionMatrix(classes);
    this.matrix.update(
      guesses.map(({ predicted }) => predicted),
      labels,
    );
    const wrong = guesses.flatMap((one, i) => (one.predicted === labels[i] ? [] : [{ ...one, i, actual: labels[i] }]));
    const least = this.kept.length < this.mostMistakes ? 0 : this.kept[this.kept.length - 1].confidence;
    const worst = wrong.filter(({ confidence }) => confidence > least);
    if (worst.length === 0 || input.ndim !== 4) return;
    const pictures = await picturesAt(
      input,
      worst.map(({ i }) => i),
    );
    const added = worst.map(({ predicted, actual, confidence }, j): Mistake => {
      return { image: pictures[j], predicted, actual, confidence };
    });
    this.kept = [...this.kept, ...added].sort((a, b) => b.confidence - a.confidence).slice(0, this.mostMistakes);
  }
}

function guess(logits: ArrayLike<number>): { predicted: number; confidence: number } {
  let predicted = 0;
  for (let c = 1; c < logits.length; c++) if (logits[c] > logits[predicted]) predicted = c;
  let sum = 0;
  for (let c = 0; c < logits.length; c++) sum += Math.exp(logits[c] - logits[predicted]);
  return { predicted, confidence: 1 / sum };
}

async function picturesAt(input: Tensor, indices: readonly number[]): Promise<PlainImage[]> {
  const [, channels, height, width] = input.shape;
  const size = channels * height * width;
  const values = await input.data();
  return indices.map((i) => pictureOf(values.subarray(i * size, (i + 1) * size), [channels, height, width]));
}
