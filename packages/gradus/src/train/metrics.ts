// Measurements that accumulate over the batches of an epoch: a mean, an accuracy, a confusion matrix.
// Leans on nothing: plain numbers in, plain numbers out, in Node and in browsers.
// Precision, recall and F1 are scikit-learn's (precision_recall_fscore_support with zero_division=0).

/** A measurement that was given numbers it cannot count. */
export class MetricError extends Error {
  /** What stands before the message. */
  override readonly name = "MetricError";
}

/**
 * The weighted mean of all values so far, as for the loss of an epoch whose last batch is smaller.
 *
 * ```ts
 * const loss = new RunningMean();
 * loss.update(0.5, 64);   // mean loss of 64 samples
 * loss.update(0.2, 32);
 * loss.value;             // 0.4
 * ```
 */
export class RunningMean {
  #sum = 0;
  #weight = 0;

  /**
   * Takes in a value.
   * @param value a number; one NaN makes the mean NaN, so that a diverged loss is seen
   * @param weight how many samples the value stands for, 0 or more; default 1
   * @throws MetricError for a negative or non-finite weight
   */
  update(value: number, weight = 1): void {
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new MetricError(`A value cannot weigh ${weight}. Give the number of samples it stands for.`);
    }
    if (weight === 0) return; // an empty batch: its mean is NaN and says nothing
    this.#sum += value * weight;
    this.#weight += weight;
  }

  /** The mean; NaN before the first update. */
  get value(): number {
    return this.#sum / this.#weight;
  }

  /** The sum of all weights: with batch sizes as weights, the number of samples. */
  get weight(): number {
    return this.#weight;
  }

  /** Begins anew, as before the first update. */
  reset(): void {
    this.#sum = 0;
    this.#weight = 0;
  }
}

/** The fraction of predictions that are right (scikit-learn: `accuracy_score`). */
export class Accuracy {
  #correct = 0;
  #total = 0;

  /**
   * Takes in a batch.
   * @param predicted class indices, `[N]`
   * @param target true class indices, `[N]`
   * @throws MetricError where the lengths differ
   */
  update(predicted: ArrayLike<number>, target: ArrayLike<number>): void {
    requireSameLength(predicted, target);
    for (let i = 0; i < target.length; i++) if (predicted[i] === target[i]) this.#correct++;
    this.#total += target.length;
  }

  /** In 0 to 1; NaN before the first update. */
  get value(): number {
    return this.#correct / this.#total;
  }

  /** How many predictions were right. */
  get correct(): number {
    return this.#correct;
  }

  /** How many predictions there were. */
  get total(): number {
    return this.#total;
  }

  /** Begins anew, as before the first update. */
  reset(): void {
    this.#correct = 0;
    this.#total = 0;
  }
}

/** How well one class was recognized; every number but `support` lies in 0 to 1. */
export interface ClassScores {
  /** Of the samples predicted to be of this class, the fraction that are; 0 where none was predicted. */
  readonly precision: number;
  /** Of the samples of this class, the fraction that were predicted to be; 0 where there are none. */
  readonly recall: number;
  /** The harmonic mean of precision and recall; 0 where the class was neither seen nor predicted. */
  readonly f1: number;
  /** How many samples are of this class. */
  readonly support: number;
}

/** Counts of (true class, predicted class), as scikit-learn's `confusion_matrix`. */
export class ConfusionMatrix {
  readonly #counts: Float64Array;

  /**
   * @param classes the number of classes; indices run from 0 to `classes - 1`
   * @throws MetricError where it is no whole number from 1 on
   */
  constructor(readonly classes: number) {
    if (!(Number.isSafeInteger(classes) && classes > 0)) {
      throw new MetricError(`A confusion matrix cannot have ${classes} classes. Give a whole number from 1 on.`);
    }
    this.#counts = new Float64Array(classes * classes);
  }

  /**
   * Takes in a batch.
   * @param predicted class indices, `[N]`
   * @param target true class indices, `[N]`
   * @throws MetricError where the lengths differ or an index is no class; then nothing of the batch was counted
   */
  update(predicted: ArrayLike<number>, target: ArrayLike<number>): void {
    requireSameLength(predicted, target);
    this.#requireClasses("Predicted", predicted);
    this.#requireClasses("True", target);
    for (let i = 0; i < target.length; i++) this.#counts[target[i]! * this.classes + predicted[i]!]!++;
  }

  /** A copy of the counts, `[classes][classes]`: rows are true classes, columns predicted ones. */
  matrix(): number[][] {
    return Array.from({ length: this.classes }, (_, row) =>
      Array.from(this.#counts.subarray(row * this.classes, (row + 1) * this.classes)),
    );
  }

  /** The fraction on the diagonal; NaN before the first update. */
  accuracy(): number {
    let correct = 0;
    for (let c = 0; c < this.classes; c++) correct += this.#counts[c * this.classes + c]!;
    return correct / this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** One row a class, in the order of their indices. */
  perClass(): ClassScores[] {
    const matrix = this.matrix();
    return matrix.map((row, c) => {
      const correct = row[c]!;
      const support = row.reduce((sum, count) => sum + count, 0);
      const predicted = matrix.reduce((sum, other) => sum + other[c]!, 0);
      return {
        precision: ratio(correct, predicted),
        recall: ratio(correct, support),
        f1: ratio(2 * correct, support + predicted),
        support,
      };
    });
  }

  /** Begins anew, with counts of 0. */
  reset(): void {
    this.#counts.fill(0);
  }

  #requireClasses(which: string, indices: ArrayLike<number>): void {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      if (!(Number.isInteger(index) && index >= 0 && index < this.classes)) {
        throw new MetricError(
          `${which} class ${index} at position ${i} is not one of ${this.classes} classes. ` +
            `Give whole numbers from 0 to ${this.classes - 1}.`,
        );
      }
    }
  }
}

/** scikit-learn's zero_division=0: a ratio without cases counts as a failure, not as NaN. */
function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}

function requireSameLength(predicted: ArrayLike<number>, target: ArrayLike<number>): void {
  if (predicted.length !== target.length) {
    throw new MetricError(
      `There are ${predicted.length} predictions for ${target.length} targets. Give one prediction for each target.`,
    );
  }
}
