import { DcganDiscriminator, DcganGenerator, resnet18 } from "@gradus/vision";
import { describe, expect, test } from "vitest";
import {
  affineParameters,
  elementCount,
  initialParameters,
  labels,
  type ModelName,
  meanMagnitude,
  modelRecipes,
  type ParameterRecipe,
  projection,
  uniform,
} from "../src/recipes.ts";
import { resolveSizes, UnknownSizeError, workloadNames, workloads } from "../src/workloads.ts";

describe("the table of workloads", () => {
  test("a product of matrices takes two operations for each of n cubed multiply-adds", () => {
    expect(workloads.matmul.flopsPerStep!({ size: 1024 })).toBe(2 ** 31);
  });

  test("training the MLP takes three contractions a layer but two for the first", () => {
    const macs = 2 * 784 * 256 + 3 * 256 * 128 + 3 * 128 * 10;
    expect(workloads.mlp.flopsPerStep!({ batchSize: 5 })).toBe(2 * 5 * macs);
  });

  test("training LeNet-5 counts each output position of a convolution", () => {
    const macs = 2 * 117_600 + 3 * (240_000 + 48_000 + 10_080 + 840);
    expect(workloads.lenet.flopsPerStep!({ batchSize: 64 })).toBe(2 * 64 * macs);
  });

  test("training ResNet-18 takes the published 0.56 billion multiply-adds an image, three times", () => {
    const perImage = workloads.resnet18.flopsPerStep!({ batchSize: 1 }) / 6;
    // The stem takes no gradient of its input: a third of its 1.8 million is missing.
    expect(perImage + (3 * 64 * 9 * 1024) / 3).toBe(555_422_720);
  });

  test("a step of DCGAN trains the generator once and the discriminator twice, and passes once through the latter", () => {
    const generator = 100 * 512 * 16 + 3 * (512 * 256 * 16 * 16) + 64 * 3 * 16 * 1024;
    const discriminator = 3 * 64 * 16 * 1024 + 3 * (64 * 128 * 16 * 256) + 512 * 16;
    const untaken = 100 * 512 * 16 + 2 * (3 * 64 * 16 * 1024);
    expect(workloads.dcgan.flopsPerStep!({ batchSize: 3 })).toBe(
      2 * 3 * (3 * generator + (2 * 3 + 2) * discriminator - untaken),
    );
  });

  test("training the one-dimensional stack counts four convolutions, the first of which sees data", () => {
    expect(workloads.conv1d.flopsPerStep!({ batchSize: 2 })).toBe(2 * 2 * 11 * (64 * 64 * 9 * 16_384));
  });

  test.each(["softmax", "layernorm", "elementwise"] as const)("%s reads 64 MiB and writes as many", (name) => {
    const { bytesPerStep, defaults } = workloads[name];
    expect(bytesPerStep!(defaults)).toBe(128 * 2 ** 20);
  });

  test.each(workloadNames)(
    "%s takes twice the work at twice the batch; at twice the edge four times the bytes or eight times the arithmetic",
    (name) => {
      const { defaults, flopsPerStep, bytesPerStep } = workloads[name];
      const doubled = Object.fromEntries(Object.entries(defaults).map(([size, value]) => [size, 2 * value]));
      const work = (flopsPerStep ?? bytesPerStep)!;
      expect(work(doubled)).toBe(work(defaults) * ("size" in defaults ? (flopsPerStep ? 8 : 4) : 2));
    },
  );

  test("a size that the workload lacks is refused, one that is left out has its default", () => {
    expect(resolveSizes("lenet", { batchSize: undefined, size: undefined })).toEqual({ batchSize: 64 });
    expect(() => resolveSizes("lenet", { size: 9 })).toThrow(UnknownSizeError);
  });
});

describe("the numbers that every contestant starts from", () => {
  test("are those of PyTorch's side", () => {
    // python3 -c "import sys; sys.path.insert(0, 'bench/peers'); import pytorch; print(pytorch.uniform(1, (4,)).tolist(), pytorch.labels(8).tolist())"
    expect([...uniform(1, 4)]).toEqual([
      0.21640218794345856, 0.10016382485628128, -0.7345444560050964, -0.9850658178329468,
    ]);
    expect([...labels(8)]).toEqual([0, 8, 4, 2, 1, 1, 7, 0]);
  });

  test("spread evenly over their range", () => {
    const values = uniform(7, 10_000, -0.5, 0.25);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    // Five standard errors: 0.75 / sqrt(12) / sqrt(10,000) each.
    expect(Math.abs(mean + 0.125)).toBeLessThan(5 * 0.00217);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5);
    expect(Math.max(...values)).toBeLessThanOrEqual(0.25);
  });

  test("give each parameter of a model its own values within one over the root of its fan-in", () => {
    const values = initialParameters("lenet");
    expect(values.map(({ length }) => length)).toEqual(modelRecipes.lenet.map(({ shape }) => elementCount(shape)));
    const fanIns = [25, 25, 150, 150, 400, 400, 120, 120, 84, 84];
    expect(modelRecipes.lenet).toMatchObject(fanIns.map((fanIn) => ({ fanIn })));
    for (const [index, fanIn] of fanIns.entries()) {
      expect(Math.max(...values[index]!.map(Math.abs))).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(fanIn)));
    }
    expect(values[6]!.slice(0, 84)).not.toEqual(values[8]!.slice(0, 84));
  });

  test.each([
    ["resnet18", () => resnet18({ classes: 10, smallImages: true }), 11_173_962],
    ["dcganGenerator", () => new DcganGenerator(), 3_576_704],
    ["dcganDiscriminator", () => new DcganDiscriminator(), 2_765_568],
  ] as const)("fit the parameters of %s, one by one", (name, makeModel, count) => {
    const recipes: readonly ParameterRecipe[] = modelRecipes[name];
    expect(recipes.map(({ shape }) => shape)).toEqual(
      makeModel()
        .parameters()
        .map(({ shape }) => shape),
    );
    expect(recipes.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBe(count);
  });

  test("count the fan-in of a transposed convolution by its outputs, as PyTorch does", () => {
    expect(modelRecipes.dcganGenerator[0]).toEqual({ shape: [100, 512, 4, 4], fanIn: 512 * 16 });
  });

  test("leave batch normalizations at ones and zeros", () => {
    const [, weight, bias] = initialParameters("resnet18");
    expect([weight, bias].map((values) => [...new Set(values)])).toEqual([[1], [0]]);
  });

  test.each(Object.keys(modelRecipes) as ModelName[])("give each drawn parameter of %s other numbers", (name) => {
    const recipes: readonly ParameterRecipe[] = modelRecipes[name];
    const drawn = initialParameters(name).filter((_, index) => "fanIn" in recipes[index]!);
    expect(new Set(drawn.map(([first]) => first)).size).toBe(drawn.length);
  });

  test("give layer normalization a weight and a bias that are not plain", () => {
    const [weight, bias] = affineParameters(5);
    // pytorch.uniform(10, (2,)).tolist(), pytorch.uniform(11, (2,)).tolist()
    expect([weight, bias].map((values) => [...values.slice(0, 2)])).toEqual([
      [-0.017545873299241066, 0.08772915601730347],
      [-0.02695300057530403, -0.49024802446365356],
    ]);
  });

  test("are compared by a projection that tells axes and places apart", () => {
    // pytorch.projection(pytorch.uniform(1, (1000,)))
    expect(projection(uniform(1, 1000))).toBeCloseTo(5.356186496213932, 4);
    expect(projection([1, 2, 3])).not.toBeCloseTo(projection([3, 2, 1]), 1);
  });

  test("are compared by their mean magnitude", () => {
    expect(meanMagnitude([1, -2, 6])).toBe(3);
  });
});
