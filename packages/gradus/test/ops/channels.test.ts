// Convolutions as networks have them, of size 3 with many channels, agree with the reference interpreter: results, their
// gradients, and gradients of those. Where the target goes by way of Winograd's transforms the error has to stay that of
// direct float32 sums.

import * as gd from "gradus";
import { beforeAll, describe, test, vi } from "vitest";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { trueValues } from "../support/reference.ts";

const { F } = gd;

beforeAll(async () => {
  await useDevice();
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});

interface Geometry {
  readonly images: number;
  readonly channels: number;
  readonly results: number;
  readonly size: readonly [number, number];
  readonly padding: number;
}

/** Rows as long as a vector, half and a quarter of one; sizes that fall into tiles and such as do not; one image. */
const geometries: readonly Geometry[] = [
  { images: 2, channels: 32, results: 32, size: [16, 16], padding: 1 },
  { images: 3, channels: 32, results: 48, size: [8, 8], padding: 1 },
  { images: 5, channels: 48, results: 32, size: [4, 4], padding: 1 },
  { images: 1, channels: 32, results: 32, size: [32, 4], padding: 1 },
  { images: 2, channels: 32, results: 33, size: [10, 10], padding: 0 },
  { images: 2, channels: 32, results: 32, size: [7, 7], padding: 1 },
];

const random = (shape: readonly number[]): gd.Tensor => gd.rand(shape).mul(2).sub(1);

async function expectTrue(tensors: readonly gd.Tensor[], what: readonly string[]): Promise<void> {
  await gd.flush(...tensors.map((tensor) => tensor.retain()));
  const expected = trueValues(tensors);
  for (const [i, tensor] of tensors.entries()) {
    // Sums of up to 2,000 products, which cancel: their error is a part of the largest result.
    expectClose(await tensor.data(), expected[i], { scaled: 2e-6 }, what[i]);
  }
}

describe("a convolution of size 3 with many channels", () => {
  test.each(geometries)(
    "is the reference's: $images x $channels to $results, $size, padding $padding",
    async (geometry) => {
      const { images, channels, results, size, padding } = geometry;
      gd.manualSeed(7);
      const inputs = [random([images, channels, ...size]), random([results, channels, 3, 3]), random([results])];
      for (const input of inputs) await input.realize();
      const [x, weight, bias] = inputs.map((input) => input.detach().requiresGrad_());
      const plain = F.conv2d(x, weight, bias, { padding });
      const y = plain.relu().add(plain);
      const cotangent = await random(y.shape).realize();
      const gradients = gd.grad(y.mul(cotangent).sum(), [x, weight, bias]);
      await expectTrue([y, ...gradients], ["result", "image's gradient", "weights' gradient", "bias's gradient"]);
    },
  );

  test("has the reference's second gradients", async () => {
    gd.manualSeed(8);
    const inputs = [random([2, 32, 8, 8]), random([32, 32, 3, 3])];
    for (const input of inputs) await input.realize();
    const [x, weight] = inputs.map((input) => input.detach().requiresGrad_());
    const y = F.conv2d(x, weight, null, { padding: 1 });
    const [dx] = gd.grad(y.mul(y).mean(), [x], { createGraph: true });
    await expectTrue(gd.grad(dx.mul(dx).sum(), [x, weight]), ["image's", "weights'"]);
  });
});
