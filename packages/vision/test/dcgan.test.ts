// DCGAN: shapes, the tutorial's keys and numbers of parameters, initial weights, and that both sides learn.

import { DcganDiscriminator, DcganGenerator } from "@gradus/vision";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";

const { nn, optim } = gd;

beforeAll(() => gd.init({ threads: 1 }));

const parametersOf = (model: gd.nn.Module): number =>
  model.parameters().reduce((sum, parameter) => sum + parameter.numel(), 0);
const weightsOf = (model: gd.nn.Module): Record<string, readonly number[]> =>
  Object.fromEntries(model.namedParameters().flatMap(([key, { shape }]) => (shape.length > 1 ? [[key, shape]] : [])));
const normsOf = (model: gd.nn.Module): string[] =>
  [...model.stateDict().keys()].filter((key) => key.endsWith("running_mean")).map((key) => key.split(".")[1]!);

describe("DCGAN's generator", () => {
  test("has the tutorial's 3,576,704 parameters under its keys", () => {
    const model = new DcganGenerator();
    expect(parametersOf(model)).toBe(3_576_704);
    expect(weightsOf(model)).toEqual({
      "main.0.weight": [100, 512, 4, 4],
      "main.3.weight": [512, 256, 4, 4],
      "main.6.weight": [256, 128, 4, 4],
      "main.9.weight": [128, 64, 4, 4],
      "main.12.weight": [64, 3, 4, 4],
    });
    expect(normsOf(model)).toEqual(["1", "4", "7", "10"]);
  });

  test("makes images within -1 and 1", async () => {
    const images = new DcganGenerator({ latent: 9, features: 4, channels: 1 }).forward(gd.randn([3, 9, 1, 1]));
    expect(images.shape).toEqual([3, 1, 64, 64]);
    expect((await images.data()).every((value) => Math.abs(value) <= 1)).toBe(true);
  });
});

describe("DCGAN's discriminator", () => {
  test("has the tutorial's 2,765,568 parameters under its keys", () => {
    const model = new DcganDiscriminator();
    expect(parametersOf(model)).toBe(2_765_568);
    expect(weightsOf(model)).toEqual({
      "main.0.weight": [64, 3, 4, 4],
      "main.2.weight": [128, 64, 4, 4],
      "main.5.weight": [256, 128, 4, 4],
      "main.8.weight": [512, 256, 4, 4],
      "main.11.weight": [1, 512, 4, 4],
    });
    expect(normsOf(model)).toEqual(["3", "6", "9"]);
  });

  test("gives one logit for each image", () => {
    const model = new DcganDiscriminator({ features: 4, channels: 1 });
    expect(model.forward(gd.randn([3, 1, 64, 64])).shape).toEqual([3]);
  });
});

describe("DCGAN", () => {
  test.each([
    [28, [4, 7, 14, 28], [4, 3, 4, 4]],
    [32, [4, 8, 16, 32], [4, 4, 4, 4]],
    [64, [4, 8, 16, 32, 64], [4, 4, 4, 4, 4]],
  ] as const)("makes and judges images of %i pixels, on the same plan", (imageSize, sides, kernels) => {
    const options = { features: 4, channels: 1, imageSize } as const;
    const generator = new DcganGenerator({ ...options, latent: 9 });
    const discriminator = new DcganDiscriminator(options);
    const passed: number[] = [];
    for (const layer of generator.main) {
      const name = layer.typeName;
      layer.registerForwardHook((_, __, output) => {
        if (name === "ConvTranspose2d") passed.push(output.shape[2]);
      });
    }
    const images = generator.forward(gd.randn([3, 9]));
    expect(images.shape).toEqual([3, 1, imageSize, imageSize]);
    expect(passed).toEqual(sides);
    expect(discriminator.forward(images).shape).toEqual([3]);
    const widths = kernels.length - 1;
    const weightOf = (layers: gd.nn.Module): (readonly number[])[] => Object.values(weightsOf(layers));
    const channels = Array.from({ length: widths }, (_, i) => 4 * 2 ** i);
    expect(weightOf(generator)).toEqual(
      [9, ...channels.toReversed()].map((from, i) => [from, [...channels.toReversed(), 1][i], kernels[i], kernels[i]]),
    );
    expect(weightOf(discriminator)).toEqual(
      [...channels, 1].map((to, i) => [to, [1, ...channels][i], kernels.toReversed()[i], kernels.toReversed()[i]]),
    );
  });

  test("takes latent vectors with and without their points, alike", async () => {
    const generator = new DcganGenerator({ latent: 5, features: 2, imageSize: 28 }).eval();
    const latent = gd.randn([2, 5]);
    const images = await generator.forward(latent).data();
    expect(await generator.forward(latent.reshape([2, 5, 1, 1])).data()).toEqual(images);
  });

  test("gives probabilities where they are asked for: the sigmoid of the logits", async () => {
    gd.manualSeed(6);
    const logits = new DcganDiscriminator({ features: 2, imageSize: 32 });
    const probabilities = new DcganDiscriminator({ features: 2, imageSize: 32, sigmoid: true });
    probabilities.loadStateDict(logits.stateDict());
    const images = gd.randn([4, 3, 32, 32]);
    expect(await probabilities.forward(images).data()).toEqual(await logits.forward(images).sigmoid().data());
  });

  test("is not planned for other sizes", () => {
    expect(() => new DcganGenerator({ imageSize: 48 as never })).toThrow(/48 pixels .* Use one of 28, 32, 64/);
  });

  test("begins with weights of N(0, 0.02) and norms of N(1, 0.02)", async () => {
    gd.manualSeed(8);
    const model = new DcganDiscriminator();
    const moments = async (key: string) => {
      const values = [...(await model.stateDict().get(key)!.data())];
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      return { mean, deviation, count: values.length };
    };
    for (const [key, center] of [
      ["main.5.weight", 0],
      ["main.9.weight", 1],
    ] as const) {
      const { mean, deviation, count } = await moments(key);
      // Five standard errors of either.
      expect(Math.abs(mean - center)).toBeLessThan((5 * 0.02) / Math.sqrt(count));
      expect(Math.abs(deviation / 0.02 - 1)).toBeLessThan(5 / Math.sqrt(2 * count));
    }
    expect((await moments("main.9.bias")).deviation).toBe(0);
  });

  test("learns: a step of either side lowers its loss", async () => {
    gd.manualSeed(4);
    const generator = new DcganGenerator({ latent: 6, features: 4 });
    const discriminator = new DcganDiscriminator({ features: 4 });
    const [real, latent] = [gd.randn([4, 3, 64, 64]), gd.randn([4, 6, 1, 1])];
    const criterion = new nn.BCEWithLogitsLoss();
    const options = { lr: 2e-4, betas: [0.5, 0.999] } as const;
    const optimizerD = new optim.Adam(discriminator.parameters(), options);
    const optimizerG = new optim.Adam(generator.parameters(), options);
    const fake = generator.forward(latent);
    const lossD = () => {
      const onReal = criterion.forward(discriminator.forward(real), gd.ones([4]));
      return onReal.add(criterion.forward(discriminator.forward(fake.detach()), gd.zeros([4])));
    };
    const lossG = () => criterion.forward(discriminator.forward(generator.forward(latent)), gd.ones([4]));

    const beforeD = lossD();
    beforeD.backward();
    await optimizerD.step();
    expect(await lossD().item()).toBeLessThan(await beforeD.item());

    const beforeG = lossG();
    beforeG.backward();
    await optimizerG.step();
    expect(await lossG().item()).toBeLessThan(await beforeG.item());
  });
});
