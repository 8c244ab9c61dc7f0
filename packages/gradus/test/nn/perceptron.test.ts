// The perceptron: that its rule ends where a plane separates the classes, within Novikoff's bound, and not where none does.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { normal } from "../support/nn-golden.ts";

const { nn } = gd;
beforeAll(useDevice);

const corners = gd.tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);

interface Separable {
  readonly x: gd.Tensor;
  readonly target: gd.Tensor;
  /** (R / gamma)^2, the most mistakes that can be made. */
  readonly bound: number;
}

/** Random samples on both sides of a plane, none nearer to it than a tenth. */
async function separable(features: number, bias: boolean, seed: number): Promise<Separable> {
  const drawn = await normal([400, features], seed).data();
  const normals = await normal([features + 1], seed + 100).data();
  const plane = Array.from(normals, (value, i) => (i === features && !bias ? 0 : value));
  const length = Math.hypot(...plane);
  const kept: number[] = [];
  const classes: number[] = [];
  let radius = 0;
  let margin = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 400; n++) {
    const sample = Array.from(drawn.subarray(n * features, (n + 1) * features));
    const distance = [...sample, 1].reduce((sum, value, i) => sum + value * plane[i], 0) / length;
    if (Math.abs(distance) < 0.1) continue;
    kept.push(...sample);
    classes.push(distance > 0 ? 1 : 0);
    // The bias is a weight of a feature that is always 1.
    radius = Math.max(radius, Math.hypot(...sample, bias ? 1 : 0));
    margin = Math.min(margin, Math.abs(distance));
  }
  return {
    x: gd.tensor(kept).reshape([classes.length, features]),
    target: gd.tensor(classes),
    bound: (radius / margin) ** 2,
  };
}

describe("the learning rule ends within (R / gamma)^2 mistakes", () => {
  test.each([
    [2, true, 1, 1],
    [2, false, 1, 2],
    [5, true, 1, 3],
    [5, true, 0.01, 4],
    [10, false, 3, 5],
  ])("with %d features, bias %s, lr %d", async (features, bias, lr, seed) => {
    const { x, target, bound } = await separable(features, bias, seed);
    const unit = new nn.Perceptron(features, { bias, lr });
    const mistakes = await unit.fit(x, target);
    const total = mistakes.reduce((sum, count) => sum + count);
    expect(mistakes.at(-1)).toBe(0);
    expect(mistakes.slice(0, -1)).not.toContain(0);
    expect(total).toBeGreaterThan(0);
    expect(total).toBeLessThanOrEqual(bound);
    expect(await unit.forward(x).toArray()).toEqual(await target.toArray());
  });
});

test("learns AND and OR, and never XOR", async () => {
  for (const table of [
    [0, 0, 0, 1],
    [0, 1, 1, 1],
  ]) {
    const unit = new nn.Perceptron(2);
    expect((await unit.fit(corners, gd.tensor(table))).at(-1)).toBe(0);
    expect(await unit.forward(corners).toArray()).toEqual(table);
  }
  const mistakes = await new nn.Perceptron(2).fit(corners, gd.tensor([0, 1, 1, 0]), { maxEpochs: 50 });
  expect(mistakes).toHaveLength(50);
  expect(mistakes).not.toContain(0);
});

test("each mistake moves the weights by lr (target - prediction) x, at once", async () => {
  const unit = new nn.Perceptron(2, { lr: 0.5 });
  const x = gd.tensor([
    [2, -1],
    [4, 0],
    [-1, 3],
  ]);
  // At 0 the prediction is 0: the first sample is a mistake and makes (1, -0.5), 0.5. The second then is one: 4.5 > 0
  // and wanted 0, which makes (-1, -0.5), 0. The third has -0.5 and is right.
  expect(await unit.learn(x, gd.tensor([1, 0, 0]))).toBe(2);
  expect(await unit.weight.toArray()).toEqual([[-1, -0.5]]);
  expect(await unit.bias!.toArray()).toEqual([0]);
  // A single sample, without a batch.
  expect(await unit.learn(gd.tensor([1, 1]), gd.tensor(1))).toBe(1);
  expect(await unit.weight.toArray()).toEqual([[-0.5, 0]]);
  expect(await unit.bias!.toArray()).toEqual([0.5]);
});

test("is a module: a step of the linear unit, with the keys of a Linear", async () => {
  const linear = new nn.Linear(3, 1);
  const unit = new nn.Perceptron(3);
  unit.loadStateDict(linear.stateDict());
  const x = normal([2, 4, 3], 1);
  const expected = linear.forward(x).squeeze(-1).gt(0).to("float32");
  expect(unit.forward(x).shape).toEqual([2, 4]);
  expect(await unit.forward(x).toArray()).toEqual(await expected.toArray());
  expect(String(unit)).toBe("Perceptron(inFeatures=3, lr=1, bias=true)");
  expect([...new nn.Perceptron(3, { bias: false }).stateDict().keys()]).toEqual(["weight"]);
  expect(unit.forward(x.select(0, 0).select(0, 0)).shape).toEqual([]);
});

test("targets may be of any dtype, and no samples are no mistakes", async () => {
  for (const dtype of ["bool", "uint8", "int32", "float64"] as const) {
    const unit = new nn.Perceptron(2);
    expect((await unit.fit(corners, gd.tensor([0, 0, 0, 1]).to(dtype))).at(-1)).toBe(0);
  }
  expect(await new nn.Perceptron(2).fit(gd.zeros([0, 2]), gd.zeros([0]))).toEqual([0]);
  const double = new nn.Perceptron(2, { dtype: "float64" });
  await double.fit(corners.double(), gd.tensor([0, 0, 0, 1]));
  expect(double.weight.dtype).toBe("float64");
});

test("what it cannot learn from is refused", async () => {
  const unit = new nn.Perceptron(2);
  await expect(unit.fit(corners, gd.tensor([-1, 1, 1, 1]))).rejects.toThrow(/target 0 is -1.*target\.gt\(0\)/);
  await expect(unit.learn(corners, gd.tensor([0, 1, 0.5, 1]))).rejects.toThrow(/target 2 is 0\.5/);
  await expect(unit.fit(corners, gd.tensor([0, 1]))).rejects.toThrow(/one target for each sample.*targets of \[4\]/);
  await expect(unit.fit(corners, gd.zeros([4, 1]))).rejects.toThrow(gd.ShapeError);
  await expect(unit.fit(gd.ones([4, 3]), gd.zeros([4]))).rejects.toThrow(/make it as Perceptron\(3\)/);
  await expect(unit.fit(gd.tensor([[Number.NaN, 1]]), gd.zeros([1]))).rejects.toThrow(/not finite/);
  await expect(unit.fit(corners, gd.zeros([4]), { maxEpochs: 0 })).rejects.toThrow(/maxEpochs is 0/);
  expect(() => new nn.Perceptron(0)).toThrow(/inFeatures is 0/);
  expect(() => new nn.Perceptron(2, { lr: 0 })).toThrow(/lr is 0/);
  // Nothing has changed.
  expect(await unit.weight.toArray()).toEqual([[0, 0]]);
});
