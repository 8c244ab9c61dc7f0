// Activation functions: against PyTorch on random numbers, at the kinks and far out; which have no counterpart there or
// are random, by what defines them; and that forward and backward are one loop.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/activation.json";
import { expectClose } from "../support/compare.ts";
import { kernelNames, programOf, trainable } from "../support/compile.ts";
import { useDevice } from "../support/device.ts";
import { testLayers } from "../support/layers.ts";
import { construct, type LayerCase, normal, titleOf } from "../support/nn-golden.ts";

const { F, nn } = gd;
beforeAll(useDevice);

const tables = golden as unknown as {
  readonly [T in "elementwise" | "shaped" | "empty" | "kinks" | "far"]: readonly LayerCase[];
};

/** One of each type and options. */
const layers = tables.kinks.map(({ type, args }) => [titleOf(type, args), type, args] as const);

describe("agrees with PyTorch in output, gradient and second derivative", () => testLayers(tables.elementwise));
describe("along dimensions and channels, agrees with PyTorch", () => testLayers(tables.shaped));
describe("on nothing, agrees with PyTorch", () => testLayers(tables.empty));
describe("at the kinks, has PyTorch's values and slopes", () => testLayers(tables.kinks));
describe("far out, has PyTorch's values and slopes and no NaN", () => testLayers(tables.far));

test("Hardswish has the slope 0 at -3 and 1 at 3", async () => {
  const x = gd.tensor([-3, 3, -3.0001, 3.0001], { requiresGrad: true });
  const y = F.hardswish(x);
  y.sum().backward();
  expect(Array.from(await y.data())).toEqual([0, 3, 0, Math.fround(3.0001)].map((value) => expect.closeTo(value, 6)));
  expect(await x.grad!.toArray()).toEqual([0, 1, 0, 1]);
});

describe("a NaN stays a NaN", () => {
  test.each(layers)("%s", async (_title, type, args) => {
    const layer = construct<gd.nn.Module>(nn, type, args);
    expect(await layer.forward(gd.tensor([Number.NaN])).data()).toEqual(Float32Array.of(Number.NaN));
  });
});

describe("forward and backward are one loop over the elements", () => {
  test.each(layers.filter(([, type]) => type !== "PReLU"))("%s", (_title, type, args) => {
    const x = trainable([64, 100]);
    const y = construct<gd.nn.Module>(nn, type, args).forward(x);
    const [gradient] = gd.grad(y, x, { gradOutputs: [trainable([64, 100])] });
    expect(kernelNames(programOf(y, gradient))).toEqual(["map"]);
  });

  test("and PReLU adds the sum for its slope", () => {
    const x = trainable([64, 100]);
    const weight = trainable([1]);
    const y = F.prelu(x, weight);
    const gradients = gd.grad(y, [x, weight], { gradOutputs: [trainable([64, 100])] });
    expect(kernelNames(programOf(y, ...gradients)).length).toBeLessThanOrEqual(2);
  });
});

describe("layers and functions are the same", () => {
  const named: { readonly [type: string]: (x: gd.Tensor) => gd.Tensor } = {
    ReLU: F.relu,
    ReLU6: F.relu6,
    LeakyReLU: F.leakyRelu,
    ELU: F.elu,
    CELU: F.celu,
    SELU: F.selu,
    Sigmoid: F.sigmoid,
    LogSigmoid: F.logsigmoid,
    Tanh: F.tanh,
    SiLU: F.silu,
    Mish: F.mish,
    GELU: F.gelu,
    Softplus: F.softplus,
    Softsign: F.softsign,
    Tanhshrink: F.tanhshrink,
    Softshrink: F.softshrink,
    Hardshrink: F.hardshrink,
    Hardtanh: F.hardtanh,
    Hardsigmoid: F.hardsigmoid,
    Hardswish: F.hardswish,
    GLU: F.glu,
    Heaviside: F.heaviside,
  };
  test.each(Object.entries(named))("nn.%s", async (type, call) => {
    const x = normal([3, 4], 1);
    const layer = construct<gd.nn.Module>(nn, type, []);
    expect(await layer.forward(x).toArray()).toEqual(await call(x).toArray());
  });
});

describe("RReLU", () => {
  test("has slopes of its own for every element in training, uniform between its bounds, and a gradient to match", async () => {
    gd.manualSeed(3);
    const x = gd.full([200, 100], -2, { requiresGrad: true });
    const y = new nn.RReLU(0.1, 0.5).forward(x);
    y.sum().backward();
    await gd.flush(y);
    const slopes = Array.from(await y.data(), (value) => value / -2);
    expect(Math.min(...slopes)).toBeGreaterThanOrEqual(0.1 - 1e-7);
    expect(Math.max(...slopes)).toBeLessThanOrEqual(0.5 + 1e-7);
    // 20,000 draws with a deviation of 0.115: their mean varies by 0.0008.
    expect(Math.abs(slopes.reduce((sum, slope) => sum + slope) / slopes.length - 0.3)).toBeLessThan(0.005);
    expect(new Set(slopes).size).toBeGreaterThan(15_000);
    expectClose(await x.grad!.data(), slopes, { rtol: 1e-6 });
  });

  test("leaves positive numbers alone, and has the random slope at 0", async () => {
    const x = gd.tensor([0, 3], { requiresGrad: true });
    const y = new nn.RReLU(0.1, 0.5).forward(x);
    y.sum().backward();
    const [atZero, above] = await x.grad!.data();
    expect(await y.toArray()).toEqual([0, 3]);
    expect(atZero).toBeGreaterThanOrEqual(0.1 - 1e-7);
    expect(atZero).toBeLessThanOrEqual(0.5 + 1e-7);
    expect(above).toBe(1);
  });

  test("repeats with the seed, and has the mean slope in evaluation", async () => {
    const layer = new nn.RReLU();
    const x = normal([50], 1);
    const draw = (): Promise<unknown> => {
      gd.manualSeed(5);
      return layer.forward(x).toArray();
    };
    expect(await draw()).toEqual(await draw());
    expect(await layer.eval().forward(x).toArray()).toEqual(await F.leakyRelu(x, (1 / 8 + 1 / 3) / 2).toArray());
    expect(await F.rrelu(x).toArray()).toEqual(await layer.forward(x).toArray());
  });
});

describe("Heaviside", () => {
  test("is 1 where x is positive, else 0, with a gradient of 0 and an order of its own at 0", async () => {
    const x = gd.tensor([-1e-30, -2, 0, -0, 1e-30, 5, Number.POSITIVE_INFINITY], { requiresGrad: true });
    const y = new nn.Heaviside().forward(x);
    y.sum().backward();
    expect(await y.toArray()).toEqual([0, 0, 0, 0, 1, 1, 1]);
    expect(await x.grad!.toArray()).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(await F.heaviside(x, 0.5).toArray()).toEqual([0, 0, 0.5, 0.5, 1, 1, 1]);
    expect(await F.heaviside(gd.tensor([Number.NaN])).toArray()).toEqual([Number.NaN]);
    expect(F.heaviside(gd.ones([2], { dtype: "float64" })).dtype).toBe("float64");
  });

  test("lets nothing be learned before it, without an error", async () => {
    const net = new nn.Sequential(new nn.Linear(3, 2), new nn.Heaviside(), new nn.Linear(2, 1));
    net
      .forward(normal([4, 3], 1))
      .sum()
      .backward();
    const [before, , after] = net.parameters();
    expect(new Set(await before.grad!.data())).toEqual(new Set([0]));
    expect(after.grad).not.toBeNull();
  });
});

describe("the Gumbel softmax", () => {
  const logits = gd
    .tensor([[0.1, 0.6, 0.3]])
    .log()
    .expand([4000, 3]);

  test("chooses categories with their probabilities", async () => {
    gd.manualSeed(11);
    const hard = Array.from(await F.gumbelSoftmax(logits, { hard: true, tau: 0.5 }).data());
    expect(new Set(hard)).toEqual(new Set([0, 1]));
    const shares = [0, 1, 2].map((k) => hard.filter((_, i) => i % 3 === k).reduce((a, b) => a + b) / 4000);
    // A share varies by 0.008.
    expectClose(shares, [0.1, 0.6, 0.3], { atol: 0.03 });
    expectClose(await gd.tensor(hard).reshape(4000, 3).sum(1).data(), new Array(4000).fill(1), { atol: 0 });
  });

  test("adds up to 1, and nears a choice as the temperature falls", async () => {
    gd.manualSeed(12);
    const sharpness = async (tau: number): Promise<number> => {
      const soft = F.gumbelSoftmax(logits, { tau });
      expectClose(await soft.sum(-1).data(), new Array(4000).fill(1), { atol: 1e-6 });
      return soft.amax(-1).mean().item();
    };
    const [warm, cold] = [await sharpness(5), await sharpness(0.05)];
    expect(warm).toBeLessThan(0.6);
    expect(cold).toBeGreaterThan(0.97);
  });

  test("has the gradient of the soft sample where it is hard, along any dimension", async () => {
    const gradientOf = async (hard: boolean): Promise<ArrayLike<number>> => {
      gd.manualSeed(13);
      const x = normal([3, 4], 2).requiresGrad_();
      const y = F.gumbelSoftmax(x, { hard, tau: 0.7, dim: 0 });
      y.mul(normal([3, 4], 3))
        .sum()
        .backward();
      if (hard) expect(await y.sum(0).toArray()).toEqual([1, 1, 1, 1]);
      return x.grad!.data();
    };
    expectClose(await gradientOf(true), await gradientOf(false), { rtol: 1e-6, atol: 1e-7 });
  });
});

describe("what makes no sense is refused", () => {
  test.each([
    [() => new nn.Hardtanh(1, -1), /1 to -1 is no interval/],
    [() => F.hardtanh(gd.ones([1]), 2, 2), /2 to 2 is no interval/],
    [() => F.softshrink(gd.ones([1]), -0.1), /lambd is -0\.1/],
    [() => F.celu(gd.ones([1]), 0), /alpha is 0/],
    [() => F.rrelu(gd.ones([1]), 0.5, 0.1), /slopes cannot run from 0\.5 to 0\.1/],
    [() => new nn.PReLU(3).forward(gd.ones([2, 4])), /3 slopes for 4 channels/],
    [() => new nn.PReLU(0), /numParameters is 0/],
    [() => F.glu(gd.ones([2, 3])), /dimension -1 of size 3 has no halves/],
    [() => F.glu(gd.ones([])), /has no halves/],
    [() => new nn.Softmax2d().forward(gd.ones([2, 3])), /2 dimensions is no image/],
    [() => F.gumbelSoftmax(gd.ones([2]), { tau: 0 }), /the temperature is 0/],
    [() => F.gelu(gd.ones([1]), { approximate: "sigmoid" as "tanh" }), /no approximation "sigmoid"/],
  ])("%#", (body, message) => {
    expect(body).toThrow(message);
    expect(body).toThrow(gd.GradusError);
  });
});

test("layers print their options by PyTorch's names", () => {
  const printed = [
    new nn.Threshold(0.1, 20),
    new nn.Hardtanh(-2, 2),
    new nn.PReLU(3),
    new nn.RReLU(0.1, 0.2),
    new nn.GELU({ approximate: "tanh" }),
    new nn.Softmin(1),
    new nn.Mish(),
  ].map(String);
  expect(printed).toEqual([
    "Threshold(threshold=0.1, value=20)",
    "Hardtanh(minVal=-2, maxVal=2)",
    "PReLU(numParameters=3)",
    "RReLU(lower=0.1, upper=0.2)",
    "GELU(approximate=tanh)",
    "Softmin(dim=1)",
    "Mish()",
  ]);
});
