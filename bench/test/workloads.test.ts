import { describe, expect, test } from "vitest";
import { elementCount, initialParameters, labels, meanMagnitude, modelRecipes, uniform } from "../src/recipes.ts";
import { resolveSizes, UnknownSizeError, workloadNames, workloads } from "../src/workloads.ts";

describe("the table of workloads", () => {
  test("a product of matrices takes two operations for each of n cubed multiply-adds", () => {
    expect(workloads.matmul.flopsPerStep({ size: 1024 })).toBe(2 ** 31);
  });

  test("training the MLP takes three contractions a layer but two for the first", () => {
    const macs = 2 * 784 * 256 + 3 * 256 * 128 + 3 * 128 * 10;
    expect(workloads.mlp.flopsPerStep({ batchSize: 5 })).toBe(2 * 5 * macs);
  });

  test("training LeNet-5 counts each output position of a convolution", () => {
    const macs = 2 * 117_600 + 3 * (240_000 + 48_000 + 10_080 + 840);
    expect(workloads.lenet.flopsPerStep({ batchSize: 64 })).toBe(2 * 64 * macs);
  });

  test.each(workloadNames)(
    "%s takes twice the arithmetic at twice the batch, or eight times at twice the edge",
    (name) => {
      const { defaults, flopsPerStep } = workloads[name];
      const doubled = Object.fromEntries(Object.entries(defaults).map(([size, value]) => [size, 2 * value]));
      expect(flopsPerStep(doubled)).toBe(flopsPerStep(defaults) * ("size" in defaults ? 8 : 2));
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
    for (const [index, { fanIn }] of modelRecipes.lenet.entries()) {
      expect(Math.max(...values[index]!.map(Math.abs))).toBeLessThanOrEqual(Math.fround(1 / Math.sqrt(fanIn)));
    }
    expect(values[6]!.slice(0, 84)).not.toEqual(values[8]!.slice(0, 84));
  });

  test("are compared by their mean magnitude", () => {
    expect(meanMagnitude([1, -2, 6])).toBe(3);
  });
});
