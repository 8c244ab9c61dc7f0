// Every loss with its options against PyTorch.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { construct, expectTensor, nnGolden, normal, tensorOf, titleOf } from "../support/nn-golden.ts";

beforeAll(useDevice);

const { F } = gd;

function withTensors(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(options).map(([name, value]) => [
    name,
    Array.isArray(value) ? gd.tensor(value as number[]) : value,
  ]);
  return Object.fromEntries(entries);
}

describe("agrees with PyTorch in value and gradient", () => {
  test.each(nnGolden.losses.map((loss, i) => [`${i} ${titleOf(loss.type, [loss.options])}`, loss] as const))(
    "%s",
    async (_title, { type, options, input, target, seed, output, inputGradient }) => {
      const loss = construct<gd.nn.Module<[gd.Tensor, gd.Tensor]>>(gd.nn, type, [withTensors(options)]);
      const x = tensorOf(input, true);
      const value = loss.forward(x, tensorOf(target));
      value.mul(tensorOf(seed)).sum().backward();
      await gd.flush(value);
      await expectTensor(value, output, "loss");
      await expectTensor(x.grad!, inputGradient, "gradient");
    },
  );
});

describe("a loss refuses or marks what makes no sense", () => {
  test("a class index that is no class gives NaN, not a number", async () => {
    const logits = normal([3, 4], 1);
    expect(await F.crossEntropy(logits, gd.tensor([0, 4, 1], { dtype: "int32" })).item()).toBeNaN();
    expect(await F.crossEntropy(logits, gd.tensor([0, -1, 1], { dtype: "int32" })).item()).toBeNaN();
    expect(await F.crossEntropy(logits, gd.tensor([0, 3, 1], { dtype: "int32" })).item()).not.toBeNaN();
  });

  test("float class indices are an error that says how to cast them", () => {
    expect(() => F.crossEntropy(normal([3, 4], 1), gd.tensor([0, 1, 2]))).toThrow(/int32/);
  });

  test("shapes that would only broadcast are an error", () => {
    expect(() => F.mseLoss(normal([3, 1], 1), normal([3], 2))).toThrow(/\[3, 1\] and \[3\]/);
    expect(() => F.binaryCrossEntropyWithLogits(normal([3, 1], 1), normal([3], 2))).toThrow(gd.ShapeError);
  });

  test("the stable losses have the exact slope at 0", async () => {
    const x = gd.zeros([2], { requiresGrad: true });
    F.binaryCrossEntropyWithLogits(x, gd.tensor([1, 0]), { reduction: "sum" }).backward();
    expect(Array.from(await x.grad!.data())).toEqual([-0.5, 0.5]);
  });
});
