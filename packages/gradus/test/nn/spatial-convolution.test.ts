// Convolutions and transposed convolutions against PyTorch (tools/golden_spatial.py): one to three dimensions, every option,
// second derivatives, sizes that a lazy layer learns, sizes that are asked for.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/spatial-convolution.json";
import { useDevice } from "../support/device.ts";
import type { StoredTensor } from "../support/golden.ts";
import { testLayers } from "../support/layers.ts";
import {
  construct,
  expectTensor,
  type InitCase,
  type LayerCase,
  normal,
  tensorOf,
  titleOf,
} from "../support/nn-golden.ts";

const { nn } = gd;
const F = nn.functional;
beforeAll(useDevice);

interface OutputSizeCase {
  readonly type: string;
  readonly args: readonly unknown[];
  readonly outputSize: readonly number[];
  readonly state: Readonly<Record<string, StoredTensor>>;
  readonly input: StoredTensor;
  readonly output: StoredTensor;
}

const { layers, outputSizes, inits } = golden as unknown as {
  readonly layers: readonly LayerCase[];
  readonly outputSizes: readonly OutputSizeCase[];
  readonly inits: readonly InitCase[];
};

/** A function by its name. */
const named = <T>(part: Readonly<Record<string, unknown>>, name: string): T => part[name] as T;

describe("agrees with PyTorch in output, gradients and second derivatives", () => testLayers(layers));

describe("a lazy layer computes the same once it has seen an input", () => {
  const lazy = layers.filter(({ input }) => input.shape[0] > 0);
  test.each(lazy.map((layer, i) => [`${i} Lazy${titleOf(layer.type, layer.args)}`, layer] as const))(
    "%s",
    async (_title, { type, args, state, input, train }) => {
      const [, ...rest] = args;
      const learning = construct<gd.nn.Module>(nn, `Lazy${type}`, rest);
      const x = tensorOf(input);
      expect(learning.hasUninitializedParams()).toBe(true);
      const shape = learning.forward(x).shape;
      expect(shape).toEqual(train.output.shape);
      const expected = construct<gd.nn.Module>(nn, type, args);
      expect(String(learning)).toBe(String(expected));
      expect([...learning.stateDict()].map(([key, { shape }]) => [key, shape])).toEqual(
        [...expected.stateDict()].map(([key, { shape }]) => [key, shape]),
      );
      const loading = construct<gd.nn.Module>(nn, `Lazy${type}`, rest);
      loading.loadStateDict(new Map(Object.entries(state).map(([key, value]) => [key, tensorOf(value)])));
      await expectTensor(loading.forward(x), train.output, "output");
    },
  );
});

describe("a transposed convolution gives the size that is asked for", () => {
  test.each(outputSizes.map((each) => [`${titleOf(each.type, each.args)} to [${each.outputSize}]`, each] as const))(
    "%s",
    async (_title, { type, args, outputSize, state, input, output }) => {
      const layer = construct<gd.nn.ConvTranspose2d>(nn, type, args);
      layer.loadStateDict(new Map(Object.entries(state).map(([key, value]) => [key, tensorOf(value)])));
      await expectTensor(layer.forward(tensorOf(input), outputSize), output, "output");
    },
  );

  test("and says which sizes there are", () => {
    const layer = new nn.ConvTranspose2d(1, 1, 3, { stride: 2 });
    const x = gd.ones([1, 1, 4, 5]);
    expect(() => layer.forward(x, [11, 11])).toThrow("Ask for sizes from (9, 11) to (10, 12).");
    expect(() => layer.forward(x, [8, 11])).toThrow(gd.ShapeError);
    expect(() => layer.forward(x, [9])).toThrow(gd.ArgumentError);
  });
});

describe("layers begin with PyTorch's distributions", () => {
  test.each(inits.map((init) => [titleOf(init.type, init.args), init] as const))("%s", async (_title, init) => {
    gd.manualSeed(13);
    for (const [name, parameter] of construct<gd.nn.Module>(nn, init.type, init.args).namedParameters()) {
      const { largest, std, count } = init.parameters[name];
      const values = Array.from(await parameter.data());
      const mean = values.reduce((sum, value) => sum + value, 0) / count;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
      // Of n uniform numbers the largest misses the bound by about 1 / n of it, and the deviation varies by
      // 0.5 / sqrt(n): four times that for both samples.
      const slack = 4 / Math.sqrt(count);
      expect(values).toHaveLength(count);
      expect(Math.abs(Math.max(...values.map(Math.abs)) / largest - 1)).toBeLessThan(slack);
      expect(Math.abs(deviation / std - 1)).toBeLessThan(slack);
      expect(Math.abs(mean)).toBeLessThan(slack * largest);
    }
  });
});

describe.each([1, 2, 3])("functions of %i spatial dimensions", (rank) => {
  const spatial = [5, 4, 6].slice(0, rank);
  const ones = new Array<number>(rank).fill(1);
  const x = () => normal([2, 4, ...spatial], 1);

  test("are what their layers compute", async () => {
    const options = { stride: 2, padding: 1, dilation: 1, groups: 2 };
    for (const kind of ["Conv", "ConvTranspose"]) {
      const layer = construct<gd.nn.Conv2d>(nn, `${kind}${rank}d`, [4, 6, 3, options]);
      const name = `${kind === "Conv" ? "conv" : "convTranspose"}${rank}d`;
      const compute = named<typeof F.conv2d>(F, name);
      const expected = await layer.forward(x()).data();
      expect(await compute(x(), layer.weight, layer.bias, options).data()).toEqual(expected);
      const single = compute(x().select(0, 1), layer.weight, layer.bias, options);
      expect(Array.from(await single.data())).toEqual(Array.from(expected.slice(expected.length / 2)));
    }
  });

  test.each(["reflect", "replicate", "circular"] as const)(
    "pad a single image by %s as a batch",
    async (paddingMode) => {
      const options = { padding: "same", paddingMode };
      const layer = construct<gd.nn.Conv2d>(nn, `Conv${rank}d`, [4, 3, 3, options]);
      const expected = await layer.forward(x()).data();
      const single = layer.forward(x().select(0, 1));
      expect(single.shape).toEqual([3, ...spatial]);
      expect(Array.from(await single.data())).toEqual(Array.from(expected.slice(expected.length / 2)));
    },
  );

  test("refuse operands that do not fit, with the numbers", () => {
    const convolution = named<typeof F.conv2d>(F, `conv${rank}d`);
    const transposed = named<typeof F.convTranspose2d>(F, `convTranspose${rank}d`);
    const weight = gd.ones([6, 4, ...ones]);
    expect(() =>
      convolution(
        gd
          .ones([3, ...ones])
          .unsqueeze(0)
          .unsqueeze(0),
        weight,
      ),
    ).toThrow(gd.ShapeError);
    expect(() => convolution(gd.ones(spatial), weight)).toThrow("cannot be convolved");
    expect(() => convolution(x(), gd.ones([6, 4, ...ones, 1]))).toThrow(`is no kernel of ${rank}`);
    expect(() => convolution(gd.ones([2, 5, ...spatial]), weight)).toThrow("has 5 channels, the weight expects 4");
    expect(() => transposed(gd.ones([2, 5, ...spatial]), weight)).toThrow("has 5 channels, the weight expects 6");
    expect(() => convolution(x(), weight, gd.ones([1]))).toThrow("does not fit 6 output channels");
    expect(() => convolution(x(), weight, null, { groups: 4 })).toThrow("cannot be divided into 4 groups");
    expect(() => convolution(x().int(), weight)).toThrow(gd.DTypeError);
    expect(() => convolution(x(), weight, null, { stride: 0 })).toThrow("stride 0 does not fit");
    expect(() => convolution(x(), weight, null, { padding: "same", stride: 2 })).toThrow("Use a stride of 1.");
    expect(() => convolution(x(), gd.ones([1, 4, ...ones.map(() => 7)]))).toThrow("does not fit");
    expect(() => transposed(gd.ones([2, 6, ...spatial]), weight, null, { outputPadding: 1 })).toThrow(
      "outputPadding of 1",
    );
    expect(() => transposed(gd.ones([2, 6, ...ones]), weight, null, { padding: 1 })).toThrow(gd.ShapeError);
  });
});

describe("layers", () => {
  test("refuse options that do not fit, before they see an input", () => {
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow("inChannels 3 cannot be divided into 2 groups");
    expect(() => new nn.Conv2d(2, 3, 3, { groups: 2 })).toThrow("outChannels 3 cannot be divided into 2 groups");
    expect(() => new nn.Conv3d(0, 4, 3)).toThrow("inChannels is 0");
    expect(() => new nn.Conv3d(1, 4, [3, 3])).toThrow("kernelSize [3, 3] does not fit 3 spatial dimensions");
    expect(() => new nn.Conv1d(1, 1, 3, { padding: "same", stride: 2 })).toThrow("Use a stride of 1.");
    expect(() => new nn.Conv1d(1, 1, 3, { paddingMode: "mirror" as "reflect" })).toThrow('no paddingMode "mirror"');
    expect(() => new nn.LazyConv2d(4, 3).forward(gd.ones([3, 3]))).toThrow("cannot be convolved");
  });

  test("refuse to mirror more than there is", () => {
    const layer = new nn.Conv2d(1, 1, 7, { padding: 3, paddingMode: "reflect" });
    expect(() => layer.forward(gd.ones([1, 1, 9, 3]))).toThrow("Add at most 2 on each side.");
  });

  test("print what they are", () => {
    const conv = new nn.Conv3d(2, 4, [1, 3, 2], { padding: [0, 1, 1], paddingMode: "circular", bias: false });
    expect(String(conv)).toBe(
      "Conv3d(2, 4, kernelSize=(1, 3, 2), stride=(1, 1, 1), padding=(0, 1, 1), paddingMode=circular, bias=false)",
    );
    expect(String(new nn.LazyConvTranspose1d(3, 2, { stride: 2, outputPadding: 1 }))).toBe(
      "LazyConvTranspose1d(0, 3, kernelSize=(2,), stride=(2,), outputPadding=(1,))",
    );
  });

  test("of float64 keep its precision", async () => {
    const layer = new nn.Conv2d(2, 3, 3, { dtype: "float64", paddingMode: "reflect", padding: 1 });
    const x = gd.ones([1, 2, 4, 4], { dtype: "float64" }).mul(1 + 2 ** -40);
    const difference = layer.forward(x).sub(layer.forward(gd.ones([1, 2, 4, 4], { dtype: "float64" })));
    expect(difference.dtype).toBe("float64");
    const exact = layer.weight.sum([1, 2, 3]).mul(2 ** -40);
    // The difference of numbers near 1 has an error of some 1e-16, a ten-thousandth of 2^-40.
    const error = difference
      .sub(exact.reshape([1, 3, 1, 1]))
      .abs()
      .max();
    expect(await error.item()).toBeLessThan(1e-15);
  });
});
