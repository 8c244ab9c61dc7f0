// Lengths and distances of vectors: against PyTorch, with second derivatives.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/functional.json";
import { useDevice } from "../support/device.ts";
import { type FunctionCase, testFunctions } from "../support/functions.ts";
import { normal } from "../support/nn-golden.ts";

const { F, nn } = gd;
beforeAll(useDevice);

describe("agrees with PyTorch", () => testFunctions(golden.distances as unknown as readonly FunctionCase[]));

test("a number that broadcasts along the vectors counts as a vector of equal numbers", async () => {
  const [x, y] = [normal([2, 3], 1), normal([2, 1], 2)];
  const expected = await F.cosineSimilarity(x, y.expand(2, 3)).toArray();
  expect(await F.cosineSimilarity(x, y).toArray()).toEqual(expected);
});

test("vectors of zeros stay, and have finite gradients", async () => {
  const x = gd.zeros([2, 3], { requiresGrad: true });
  const y = F.normalize(x);
  y.sum().backward();
  expect(await y.toArray()).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
  expect((await x.grad!.data()).every((value: number) => Number.isFinite(value))).toBe(true);
});

test("the gradient of a distance exists where two vectors are equal", async () => {
  const x = normal([2, 3], 1).requiresGrad_();
  F.pairwiseDistance(x, x.detach()).sum().backward();
  expect((await x.grad!.data()).every((value: number) => Number.isFinite(value))).toBe(true);
});

test("layers and functions are the same", async () => {
  const [x, y] = [normal([4, 3], 1), normal([4, 3], 2)];
  const cosine = new nn.CosineSimilarity(0, { eps: 0.1 });
  expect(await cosine.forward(x, y).toArray()).toEqual(await F.cosineSimilarity(x, y, { dim: 0, eps: 0.1 }).toArray());
  const distance = new nn.PairwiseDistance(1, { keepdim: true });
  expect(await distance.forward(x, y).toArray()).toEqual(
    await F.pairwiseDistance(x, y, { p: 1, keepdim: true }).toArray(),
  );
  expect([String(cosine), String(distance)]).toEqual([
    "CosineSimilarity(dim=0, eps=0.1)",
    "PairwiseDistance(p=1, eps=0.000001, keepdim=true)",
  ]);
});

test("shapes that do not fit are refused", () => {
  expect(() => F.cosineSimilarity(normal([2, 3], 1), normal([2, 4], 1))).toThrow(gd.ShapeError);
  expect(() => F.pairwiseDistance(normal([2, 3], 1), normal([3, 3], 1))).toThrow(gd.ShapeError);
});
