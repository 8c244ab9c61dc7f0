// What is looked at of a run: the history that stays small, mistakes, filters and pictures.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { pictureOf, tiled } from "../../src/train/pictures.ts";
import { useDevice } from "../support/device.ts";

const { nn, train } = gd;

beforeAll(useDevice);

describe("the history", () => {
  test("keeps evenly spaced points when steps are many, the same ones when it is restored in between", () => {
    const add = (history: gd.train.History, from: number, to: number): void => {
      for (let step = from; step <= to; step++) history.addStep({ step, epoch: step / 100, loss: 1 / step }, 4);
    };
    const whole = new train.History();
    add(whole, 1, 9_000);
    expect(whole.points.length).toBeLessThanOrEqual(2_000);
    const gaps = new Set(whole.points.slice(1).map(({ step }, i) => step - whole.points[i].step));
    expect([...gaps]).toEqual([8]);
    const first = new train.History();
    add(first, 1, 4_321);
    const second = new train.History();
    second.setState(JSON.parse(JSON.stringify(first.getState())) as gd.train.HistoryState);
    add(second, 4_322, 9_000);
    expect(second.getState()).toEqual(whole.getState());
  });
});

describe("a review", () => {
  test("counts classes, and keeps the mistakes it was most sure of, with their pictures", async () => {
    const logits = gd.tensor([
      [5, 0, 0],
      [0, 2, 0],
      [0, 0, 9],
      [1, 0, 0],
    ]);
    const input = gd
      .arange(4 * 4)
      .to("float32")
      .reshape([4, 1, 2, 2]);
    const target = gd.tensor([0, 0, 1, 2], { dtype: "int32" });
    const review = new train.ClassificationReview({ mostMistakes: 2 });
    await review.update({ input, output: logits, target });
    expect(review.confusion!.matrix()).toEqual([
      [1, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect(review.mistakes.map(({ predicted, actual }) => [predicted, actual])).toEqual([
      [2, 1],
      [1, 0],
    ]);
    const [{ confidence, image }] = review.mistakes;
    expect(confidence).toBeCloseTo(Math.exp(9) / (Math.exp(9) + 2), 10);
    expect(image).toEqual({ width: 2, height: 2, channels: 1, data: Uint8Array.of(0, 85, 170, 255) });
  });

  test("has nothing to say of outputs that are no logits", async () => {
    const review = new train.ClassificationReview();
    await review.update({ input: gd.ones([3, 2]), output: gd.ones([3]), target: gd.ones([3]) });
    expect([review.confusion, review.mistakes]).toEqual([null, []]);
  });
});

describe("filters", () => {
  test("are the kernels of a first convolution, in colour where it sees colours", async () => {
    const filters = await train.firstLayerFilters(new nn.Sequential(new nn.Conv2d(3, 5, 4), new nn.ReLU()));
    expect(filters.map(({ width, height, channels }) => [width, height, channels])).toEqual(
      Array.from({ length: 5 }, () => [4, 4, 3]),
    );
  });

  test("are the rows of a first linear layer where they are squares, and none where they are not", async () => {
    const square = await train.firstLayerFilters(new nn.Sequential(new nn.Flatten(), new nn.Linear(49, 3)));
    expect(square.map(({ width }) => width)).toEqual([7, 7, 7]);
    expect(await train.firstLayerFilters(new nn.Linear(50, 3))).toEqual([]);
    expect(await train.firstLayerFilters(new nn.ReLU())).toEqual([]);
  });
});

describe("pictures", () => {
  test("interleave channels, and are black where all numbers are one", () => {
    const picture = pictureOf([0, 1, 2, 3, 4, 5], [3, 1, 2]);
    expect([...picture.data]).toEqual([0, 102, 204, 51, 153, 255]);
    expect([...pictureOf([7, 7], [1, 1, 2]).data]).toEqual([0, 0]);
  });

  test("are tiled with a dark pixel in between", () => {
    const dot = { width: 1, height: 1, channels: 1, data: Uint8Array.of(9) } as const;
    const { width, height, data } = tiled([dot, dot, dot]);
    expect([width, height, [...data]]).toEqual([3, 3, [9, 0, 9, 0, 0, 0, 9, 0, 0]]);
  });
});
