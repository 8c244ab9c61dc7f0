import { describe, expect, test } from "vitest";
import { Accuracy, ConfusionMatrix, MetricError, RunningMean } from "../../src/train/metrics.ts";

// Made by scikit-learn 1.2:
//   random = np.random.RandomState(7)
//   target = random.randint(0, 4, 40)                       # classes 4 and 5 never occur
//   predicted = np.where(random.rand(40) < 0.6, target, random.choice([0, 1, 4], 40))
//   accuracy_score(target, predicted)
//   confusion_matrix(target, predicted, labels=range(6))
//   precision_recall_fscore_support(target, predicted, labels=range(6), zero_division=0)
const target = Uint8Array.from("3012333301230122203200330033223003100310", Number);
const predicted = Uint8Array.from("0012033441230121003200030130213003100010", Number);
const golden = {
  accuracy: 0.725,
  matrix: [
    [11, 1, 0, 0, 1, 0],
    [0, 5, 0, 0, 0, 0],
    [1, 2, 5, 0, 0, 0],
    [5, 0, 0, 8, 1, 0],
    [0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
  ],
  precision: [0.6470588235294118, 0.625, 1, 1, 0, 0],
  recall: [0.8461538461538461, 1, 0.625, 0.5714285714285714, 0, 0],
  f1: [0.7333333333333334, 0.7692307692307693, 0.7692307692307693, 0.7272727272727273, 0, 0],
  support: [13, 5, 8, 14, 0, 0],
};

/** The same samples in two batches of different size. */
function updateInBatches(metric: { update(predicted: ArrayLike<number>, target: ArrayLike<number>): void }): void {
  metric.update(predicted.subarray(0, 27), target.subarray(0, 27));
  metric.update(Array.from(predicted.subarray(27)), Array.from(target.subarray(27)));
}

describe("RunningMean", () => {
  test("weighs batches by their size", () => {
    const mean = new RunningMean();
    mean.update(0.5, 64);
    mean.update(0.2, 32);
    expect(mean.value).toBeCloseTo(0.4, 12);
    expect(mean.weight).toBe(96);
  });

  test("is NaN before the first value, after a reset, and once a value was NaN", () => {
    const mean = new RunningMean();
    expect(mean.value).toBeNaN();
    mean.update(3);
    expect(mean.value).toBe(3);
    mean.update(Number.NaN, 2);
    expect(mean.value).toBeNaN();
    mean.reset();
    expect(mean.value).toBeNaN();
    mean.update(-1.5);
    expect(mean.value).toBe(-1.5);
  });

  test("ignores an empty batch, whose mean is NaN", () => {
    const mean = new RunningMean();
    mean.update(0.25, 8);
    mean.update(Number.NaN, 0);
    expect(mean.value).toBe(0.25);
  });

  test("refuses a weight that counts nothing", () => {
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new RunningMean().update(1, weight)).toThrow(MetricError);
    }
  });
});

describe("Accuracy", () => {
  test("agrees with scikit-learn over batches", () => {
    const accuracy = new Accuracy();
    updateInBatches(accuracy);
    expect(accuracy.value).toBe(golden.accuracy);
    expect([accuracy.correct, accuracy.total]).toEqual([29, 40]);
  });

  test("is NaN before the first batch and after a reset", () => {
    const accuracy = new Accuracy();
    expect(accuracy.value).toBeNaN();
    accuracy.update([1], [1]);
    accuracy.reset();
    expect(accuracy.value).toBeNaN();
  });

  test("refuses predictions that do not match the targets in number", () => {
    expect(() => new Accuracy().update([1, 2, 3], [1, 2])).toThrow("3 predictions for 2 targets");
  });
});

describe("ConfusionMatrix", () => {
  test("agrees with scikit-learn over batches, classes that never occur included", () => {
    const confusion = new ConfusionMatrix(6);
    updateInBatches(confusion);
    expect(confusion.matrix()).toEqual(golden.matrix);
    expect(confusion.accuracy()).toBe(golden.accuracy);
    confusion.perClass().forEach((scores, c) => {
      // The same quotients of small integers, perhaps formed in another order: a few units in the last place.
      expect(scores.precision).toBeCloseTo(golden.precision[c]!, 14);
      expect(scores.recall).toBeCloseTo(golden.recall[c]!, 14);
      expect(scores.f1).toBeCloseTo(golden.f1[c]!, 14);
      expect(scores.support).toBe(golden.support[c]);
    });
  });

  test("hands out copies", () => {
    const confusion = new ConfusionMatrix(2);
    confusion.update([1], [0]);
    confusion.matrix()[0]![1] = 99;
    expect(confusion.matrix()).toEqual([
      [0, 1],
      [0, 0],
    ]);
  });

  test("counts nothing of a batch with an index that is no class", () => {
    const confusion = new ConfusionMatrix(3);
    confusion.update([2], [1]);
    const before = confusion.matrix();
    expect(() => confusion.update([0, 3], [0, 1])).toThrow("Predicted class 3 at position 1 is not one of 3 classes");
    expect(() => confusion.update([0, 1], [0, -1])).toThrow("True class -1 at position 1");
    expect(() => confusion.update([0.5], [0])).toThrow(MetricError);
    expect(() => confusion.update([0], [0, 1])).toThrow("1 predictions for 2 targets");
    expect(confusion.matrix()).toEqual(before);
  });

  test("starts over after a reset, and needs at least one class", () => {
    const confusion = new ConfusionMatrix(2);
    confusion.update([0], [0]);
    confusion.reset();
    expect(confusion.accuracy()).toBeNaN();
    for (const classes of [0, -2, 2.5]) expect(() => new ConfusionMatrix(classes)).toThrow(MetricError);
  });
});
