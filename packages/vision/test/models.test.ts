// The models: shapes, numbers of parameters, PyTorch's keys, and initial weights. Nothing is trained here.

import { LeNet, mlp, modernLeNet, smallResNet } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

beforeAll(() => gd.init({ threads: 1 }));

const parametersOf = (model: gd.nn.Module): number =>
  model.parameters().reduce((sum, parameter) => sum + parameter.numel(), 0);

describe("LeNet", () => {
  test("has the 61,706 parameters of the book, under PyTorch's keys", () => {
    const model = new LeNet();
    expect(parametersOf(model)).toBe(61_706);
    const shapes = Object.fromEntries([...model.stateDict()].map(([key, { shape }]) => [key, shape]));
    // d2l.LeNet in PyTorch: net[0], net[3] are convolutions, net[7], net[9], net[11] are linear.
    expect(shapes).toEqual({
      "net.0.weight": [6, 1, 5, 5],
      "net.0.bias": [6],
      "net.3.weight": [16, 6, 5, 5],
      "net.3.bias": [16],
      "net.7.weight": [120, 400],
      "net.7.bias": [120],
      "net.9.weight": [84, 120],
      "net.9.bias": [84],
      "net.11.weight": [10, 84],
      "net.11.bias": [10],
    });
  });

  test("begins with Xavier's uniform distribution in every weight", async () => {
    gd.manualSeed(5);
    for (const [key, weight] of new LeNet().stateDict()) {
      if (!key.endsWith("weight")) continue;
      const { fanIn, fanOut } = gd.nn.init.fans(weight.shape);
      const bound = Math.sqrt(6 / (fanIn + fanOut));
      const values = [...(await weight.data())];
      const largest = Math.max(...values.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(bound * (1 + 1e-6));
      // 150 numbers or more: the largest is above 90% of the bound but once in millions of times.
      expect(largest).toBeGreaterThan(bound * 0.9);
      const meanSquare = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
      expect(Math.sqrt(meanSquare * 3) / bound).toBeCloseTo(1, 0.5);
    }
  });

  test("takes other images and other numbers of classes", async () => {
    const model = new LeNet({ classes: 7, imageShape: [3, 32, 32] });
    const output = model.forward(gd.randn([2, 3, 32, 32]));
    expect(output.shape).toEqual([2, 7]);
    expect([...(await output.data())].every(Number.isFinite)).toBe(true);
  });
});

describe("modernLeNet", () => {
  test("has 110,746 parameters, normalizes batches, and gives logits", async () => {
    const model = modernLeNet();
    expect(parametersOf(model)).toBe(110_746);
    expect(model.namedBuffers().map(([name]) => name)).toContain("1.running_mean");
    const output = model.forward(gd.randn([4, 1, 28, 28]));
    expect(output.shape).toEqual([4, 10]);
    expect([...(await output.data())].every(Number.isFinite)).toBe(true);
  });

  test("is made in training mode, and its running statistics have seen nothing", async () => {
    const model = modernLeNet();
    expect(model.modules().every((module) => module.training)).toBe(true);
    expect(await model.stateDict().get("1.num_batches_tracked")!.item()).toBe(0);
  });
});

test("smallResNet has 392,242 parameters, and gives logits", async () => {
  const model = smallResNet();
  expect(parametersOf(model)).toBe(392_242);
  expect(model.forward(gd.randn([2, 1, 28, 28])).shape).toEqual([2, 10]);
});

describe("mlp", () => {
  test("is 784-256-128-10 by default", () => {
    const model = mlp();
    expect(parametersOf(model)).toBe(784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
    expect([...model.stateDict().keys()]).toEqual(["1", "3", "5"].flatMap((i) => [`${i}.weight`, `${i}.bias`]));
    expect(model.forward(gd.randn([3, 1, 28, 28])).shape).toEqual([3, 10]);
  });

  test("has the layers it is told to have", () => {
    expect(mlp({ inputs: 12, hidden: [], classes: 3 }).forward(gd.randn([2, 12])).shape).toEqual([2, 3]);
    expect(parametersOf(mlp({ inputs: 12, hidden: [5], classes: 3 }))).toBe(12 * 5 + 5 + 5 * 3 + 3);
  });
});
