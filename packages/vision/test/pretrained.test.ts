// The weights that come with the package: that they load, and that they do what their README says.

import { data, Generator, init, noGrad, randn } from "gradus";
import { beforeAll, expect, test } from "vitest";
import { Digits } from "../src/datasets/image-datasets.ts";
import { pretrained } from "../src/pretrained.ts";
import { CenterCrop, Normalize } from "../src/transforms/index.ts";

beforeAll(() => init());

test("the contest's network tells held-out digits", async () => {
  const model = await pretrained("mnist-contest");
  expect(model.training).toBe(false);
  const { test: images } = await Digits.load();
  let right = 0;
  for await (const [x, y] of new data.DataLoader(images, { batchSize: 500 })) {
    right += await noGrad(() => model.forward(x).argmax(1).eq(y).to("int32").sum()).item();
  }
  expect(right / images.length).toBeGreaterThan(0.985);
});

test("the GAN draws digits of all ten kinds, which a classifier of real ones is sure of", async () => {
  const [generator, classifier] = [await pretrained("dcgan"), await pretrained("mnist-contest")];
  const { mean, std } = Digits.normalization;
  const probabilities = noGrad(() => {
    const images = generator.forward(randn([200, 100, 1, 1], { generator: new Generator(5) }));
    const pixels = new CenterCrop(28).forward(images.add(1).div(2));
    return classifier.forward(new Normalize(mean, std).forward(pixels)).softmax(1);
  });
  expect(new Set(await probabilities.argmax(1).data()).size).toBe(10);
  expect(await probabilities.amax(1).mean().item()).toBeGreaterThan(0.85);
});

test("the network on clothes takes images of 28x28 and gives ten logits", async () => {
  const model = await pretrained("fashion-resnet");
  const logits = noGrad(() => model.forward(randn([2, 1, 28, 28], { generator: new Generator(1) })));
  expect(logits.shape).toEqual([2, 10]);
  expect((await logits.data()).every(Number.isFinite)).toBe(true);
});
