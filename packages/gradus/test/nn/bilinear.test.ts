// The linear and the bilinear map: against PyTorch, with second derivatives of every input; their layers and errors.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/functional.json";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { type FunctionCase, testFunctions } from "../support/functions.ts";
import { normal } from "../support/nn-golden.ts";

const { F, nn } = gd;
beforeAll(useDevice);

describe("agrees with PyTorch", () => testFunctions(golden.linears as unknown as readonly FunctionCase[]));

test("the layer has PyTorch's keys, and begins with numbers uniform within 1 / sqrt(in1Features)", async () => {
  gd.manualSeed(1);
  const layer = new nn.Bilinear(16, 20, 30);
  expect([...layer.stateDict()].map(([key, { shape }]) => [key, shape])).toEqual([
    ["weight", [30, 16, 20]],
    ["bias", [30]],
  ]);
  const values = Array.from(await layer.weight.data());
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeLessThanOrEqual(0.25);
  expect(largest).toBeGreaterThan(0.249);
  const meanSquare = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  // A uniform number within b has the variance b^2 / 3; of 9,600 it is known to about one part in a hundred.
  expect(meanSquare / (0.25 ** 2 / 3)).toBeCloseTo(1, 1);
  expect(new nn.Bilinear(2, 3, 4, { bias: false }).parameters()).toHaveLength(1);
  expect(String(layer)).toBe("Bilinear(in1Features=16, in2Features=20, outFeatures=30, bias=true)");
});

test("the layer is the function", async () => {
  const layer = new nn.Bilinear(2, 3, 4);
  const [x1, x2] = [normal([5, 2], 1), normal([5, 3], 2)];
  const expected = F.bilinear(x1, x2, layer.weight, layer.bias);
  expectClose(await layer.forward(x1, x2).data(), await expected.data(), { rtol: 1e-6, atol: 1e-6 });
});

test("what does not fit is refused", () => {
  const layer = new nn.Bilinear(2, 3, 4);
  expect(() => layer.forward(normal([5, 3], 1), normal([5, 3], 1))).toThrow(
    /the first input has 3 features.*expects 2/,
  );
  expect(() => layer.forward(normal([5, 2], 1), normal([5, 2], 1))).toThrow(/the second input has 2 features/);
  expect(() => layer.forward(normal([5, 2], 1), normal([4, 3], 1))).toThrow(/differ in their leading dimensions/);
  expect(() => layer.forward(normal([5, 2], 1).double(), normal([5, 3], 1))).toThrow(gd.DTypeError);
  expect(() => new nn.Bilinear(2, 0, 4)).toThrow(/in2Features is 0/);
  expect(() => new nn.Linear(2, 3).forward(normal([4, 3], 1))).toThrow(/3 features, the weight expects 2/);
});
