// The table of a model's layers.

import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

const { nn } = gd;
beforeAll(useDevice);

const lenet = () =>
  new nn.Sequential(
    new nn.LazyConv2d(6, 5, { padding: 2 }),
    new nn.BatchNorm2d(6),
    new nn.ReLU(),
    new nn.AvgPool2d(2),
    new nn.Flatten(),
    new nn.LazyLinear(10),
  );

test("counts shapes, parameters and multiply-adds", () => {
  const model = lenet();
  const result = nn.summary(model, [1, 28, 28], { batchSize: 2 });
  expect(result.layers.map(({ name, type, outputShape }) => [name, type, outputShape])).toEqual([
    ["", "Sequential", [2, 10]],
    ["0", "Conv2d", [2, 6, 28, 28]],
    ["1", "BatchNorm2d", [2, 6, 28, 28]],
    ["2", "ReLU", [2, 6, 28, 28]],
    ["3", "AvgPool2d", [2, 6, 14, 14]],
    ["4", "Flatten", [2, 1176]],
    ["5", "Linear", [2, 10]],
  ]);
  expect(result.totalParameters).toBe(6 * 25 + 6 + 12 + 1176 * 10 + 10);
  expect(result.totalMultiplyAdds).toBe(2 * (28 * 28 * 6 * 25 + 1176 * 10));
  model[0].requiresGrad_(false);
  const frozen = nn.summary(model, [1, 28, 28]);
  expect(frozen.totalParameters - frozen.trainableParameters).toBe(156);
  expect(String(frozen)).toMatch(/0 \(Conv2d\) +\[1, 6, 28, 28\] +156 \(frozen\) +117,600/);
  expect(String(frozen)).toMatch(/Parameters: 11,938 \(11,782 trainable, 156 frozen\)/);
});

test("computes nothing and changes neither mode nor running statistics", async () => {
  const model = lenet();
  model[2].eval();
  const before = gd.statistics().flushes;
  nn.summary(model, [1, 28, 28]);
  expect(gd.statistics().flushes).toBe(before);
  expect(model.modules().map(({ training }) => training)).toEqual([true, true, true, false, true, true, true]);
  expect(await model.stateDict().get("1.num_batches_tracked")!.item()).toBe(0);
});

test("counts shared parameters once and the work of every call", () => {
  const shared = new nn.Linear(4, 4);
  const result = nn.summary(new nn.Sequential(shared, new nn.ReLU(), shared), [4]);
  expect(result.totalParameters).toBe(20);
  expect(result.totalMultiplyAdds).toBe(32);
});

test.each([
  ["Conv3d", () => new nn.Conv3d(2, 4, 3, { groups: 2 }), 4 * 3 ** 3 * 27],
  ["ConvTranspose3d", () => new nn.ConvTranspose3d(2, 4, 3, { groups: 2 }), 2 * 5 ** 3 * 2 * 27],
])("counts the work of a %s", (_title, make, expected) => {
  expect(nn.summary(make(), [2, 5, 5, 5]).totalMultiplyAdds).toBe(expected);
});
