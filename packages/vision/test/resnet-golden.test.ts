// "Gradus and torchvision agree on ResNet-18": one training step of the whole model, from the same weights on the same
// images. What torchvision gives, in float64, is made by tools/golden_vision.py.

import { resnet18 } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, expect, test } from "vitest";
import { expectClose } from "../../gradus/test/support/compare.ts";
import golden from "./golden/resnet18-step.json";
import { filled, hashed } from "./hashed.ts";

/** Norm, largest entry, and entries spread evenly over a tensor. */
interface Sampled {
  readonly key: string;
  readonly norm: number;
  readonly largest: number;
  readonly samples: readonly number[];
}

// Part of the largest entry. float32 keeps about seven digits of each number; sums over up to 16,384 pixels, twenty layers
// deep, cost two or three of them.
const relative = 1e-4;

beforeAll(() => gd.init());

async function expectSampled(actual: gd.Tensor, { key, norm, largest, samples }: Sampled, what: string): Promise<void> {
  const values = await actual.data();
  const count = samples.length;
  const found = samples.map((_, i) => values[Math.floor((i * values.length) / count)]);
  expectClose(found, samples, { atol: relative * largest }, `${what} of ${key}`);
  const length = Math.sqrt(values.reduce((sum: number, value: number) => sum + value ** 2, 0));
  expectClose([length], [norm], { rtol: relative }, `norm of the ${what} of ${key}`);
}

test("Gradus and torchvision agree on ResNet-18: logits, loss, gradients and running statistics", async () => {
  const model = resnet18({ classes: 10 });
  const state = [...model.stateDict()].map(([key, { shape, dtype }]) => {
    const value = dtype === "float32" ? gd.tensor(filled(key, shape)).reshape(shape) : gd.zeros(shape, { dtype });
    return [key, value] as const;
  });
  model.loadStateDict(new Map(state));
  const images = gd.tensor(Float32Array.from(hashed("images", 4 * 3 * 64 * 64), (value) => value * Math.sqrt(3)));
  const logits = model.forward(images.reshape([4, 3, 64, 64]));
  const loss = gd.F.crossEntropy(logits, gd.tensor([3, 0, 7, 9], { dtype: "int32" }));
  loss.backward();
  const parameters = model.namedParameters();
  await gd.flush(logits, loss, ...parameters.map(([, { grad }]) => grad!));

  expectClose(await logits.data(), golden.logits.data, { scaled: relative }, "logits");
  expectClose([await loss.item()], [golden.loss], { rtol: relative }, "loss");
  expect(parameters.map(([key]) => key)).toEqual(golden.gradients.map(({ key }) => key));
  for (const [i, [, { grad }]] of parameters.entries()) await expectSampled(grad!, golden.gradients[i], "gradient");
  const buffers = model.namedBuffers().filter(([, { dtype }]) => dtype === "float32");
  expect(buffers.map(([key]) => key)).toEqual(golden.buffers.map(({ key }) => key));
  for (const [i, [, buffer]] of buffers.entries()) await expectSampled(buffer, golden.buffers[i], "value");
});
