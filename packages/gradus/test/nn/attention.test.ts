// Attention and transformers: against PyTorch, and what golden data cannot say: dropout, hidden rows, copies, learning, errors.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/attention.json";
import { type CallCase, testCalls } from "../support/calls.ts";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import { numbersOf } from "../support/golden.ts";
import { construct, normal } from "../support/nn-golden.ts";

const { F, nn, optim } = gd;
const cases = golden as unknown as {
  readonly products: readonly CallCase[];
  readonly heads: readonly CallCase[];
  readonly transformers: readonly CallCase[];
  readonly squareMask: readonly (readonly (number | "-inf")[])[];
};

beforeAll(useDevice);

describe("scaled dot-product attention agrees with PyTorch", () => {
  testCalls(cases.products, () => F.scaledDotProductAttention);
});

describe("multi-head attention agrees with PyTorch in keys, output, weights and gradients", () => {
  testCalls(cases.heads, ({ type, args }) => construct(nn, type, args));
});

/** A stack's arguments are those of its layer, the number of layers, and whether it ends in a normalization. */
function transformer({ type, args }: CallCase): gd.nn.AnyModule {
  const [size, heads, options, numLayers, withNorm] = args;
  if (numLayers === undefined) return construct(nn, type, args);
  const layer = construct<gd.nn.AnyModule>(nn, `${type}Layer`, [size, heads, options]);
  return construct(nn, type, [layer, numLayers, { norm: withNorm ? new nn.LayerNorm(size as number) : null }]);
}

describe("transformers agree with PyTorch in keys, output and gradients", () => {
  testCalls(cases.transformers, transformer);
});

describe("masks", () => {
  test("of a square hide what comes later", async () => {
    const expected = cases.squareMask.flatMap((row) => numbersOf(row));
    const mask = nn.generateSquareSubsequentMask(4);
    expect([mask.dtype, ...mask.shape]).toEqual(["float32", 4, 4]);
    expect(Array.from(await mask.data())).toEqual(expected);
    expect(nn.Transformer.generateSquareSubsequentMask(0).shape).toEqual([0, 0]);
  });

  test("that hide every key give 0 and gradients without NaN", async () => {
    const [query, key, value] = [1, 2, 3].map((seed) => normal([2, 3, 4], seed).requiresGrad_());
    // The second query of all sees nothing.
    const seen = gd.tensor([
      [true, true, false],
      [false, false, false],
      [true, true, true],
    ]);
    const added = gd.where(seen, 0, Number.NEGATIVE_INFINITY);
    for (const attnMask of [seen, added]) {
      const output = F.scaledDotProductAttention(query, key, value, { attnMask });
      const gradients = gd.grad(output.square().sum(), [query, key, value]);
      await gd.flush(output, ...gradients);
      expect(Array.from(await output.select(1, 1).data())).toEqual(new Array(8).fill(0));
      expect(Array.from(await gradients[0].select(1, 1).data())).toEqual(new Array(8).fill(0));
      for (const gradient of gradients) expect((await gradient.data()).every(Number.isFinite)).toBe(true);
    }
  });

  test("of padding make a padded sequence what it is alone", async () => {
    const attention = new nn.MultiheadAttention(4, 2, { batchFirst: true });
    const [long, short] = [normal([5, 4], 1), normal([3, 4], 2)];
    const x = nn.utils.rnn.padSequence([long, short], { batchFirst: true, paddingValue: 100 });
    const keyPaddingMask = nn.utils.rnn.paddingMask([5, 3]);
    const [output] = attention.forward(x, x, x, { keyPaddingMask });
    const [alone] = attention.forward(short, short, short);
    expectClose(await output.select(0, 1).narrow(0, 0, 3).data(), await alone.data(), { rtol: 1e-5, atol: 1e-6 });
  });

  test("that are causal keep the past from the future", async () => {
    const encoder = new nn.TransformerEncoder(new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 6 }), 2).eval();
    const mask = nn.generateSquareSubsequentMask(5);
    const x = normal([5, 2, 8], 1);
    const changed = gd.cat([x.narrow(0, 0, 3), normal([2, 2, 8], 2)]);
    const [before, after] = [x, changed].map((src) => encoder.forward(src, { mask }));
    const first = (y: gd.Tensor): Promise<gd.TypedArray> => y.narrow(0, 0, 3).data();
    expectClose(await first(after), await first(before), { rtol: 1e-6, atol: 1e-6 });
  });
});

describe("dropout", () => {
  test("falls on the weights, and scales the others up", async () => {
    const ones = gd.ones([50, 40, 2]);
    const output = F.scaledDotProductAttention(ones, ones, gd.eye(40).expand(50, 40, 40), { dropoutP: 0.3 });
    const values = Array.from(await output.data());
    const kept = values.filter((value) => value !== 0);
    for (const value of kept.slice(0, 100)) expect(value).toBeCloseTo(1 / 40 / 0.7, 6);
    // 80,000 draws: a standard deviation of 0.0016, of which five are allowed.
    expect(Math.abs(kept.length / values.length - 0.7)).toBeLessThan(0.008);
  });

  test("of layers works in training only", async () => {
    const x = normal([3, 2, 8], 1);
    const attention = new nn.MultiheadAttention(8, 2, { dropout: 0.5 });
    const layer = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 6 });
    const given = [() => attention.forward(x, x, x)[0], () => layer.forward(x)];
    for (const run of given) expect(await run().data()).not.toEqual(await run().data());
    attention.eval();
    layer.eval();
    for (const run of given) expect(await run().data()).toEqual(await run().data());
  });
});

describe("parameters begin", () => {
  test("uniform within Xavier's bound for the projections in, without biases' values", async () => {
    const attention = new nn.MultiheadAttention(32, 4, { addBiasKv: true });
    const values = Array.from(await attention.inProjWeight!.data(), Math.abs);
    const bound = Math.sqrt(6 / (4 * 32));
    expect(Math.max(...values)).toBeLessThanOrEqual(bound);
    // The largest of 3,072 uniform numbers.
    expect(Math.max(...values)).toBeGreaterThan(0.99 * bound);
    expect(new Set(await attention.inProjBias!.data())).toEqual(new Set([0]));
    expect(new Set(await attention.outProj.bias!.data())).toEqual(new Set([0]));
    expect(Math.max(...Array.from(await attention.outProj.weight.data(), Math.abs))).toBeLessThanOrEqual(32 ** -0.5);
    expect((await attention.biasK!.data()).some((value) => value !== 0)).toBe(true);
  });

  test("equal in the copies of a stack, and as they come from a function", async () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 3, normFirst: true }).to("float64").eval();
    layer.linear1.weight.requiresGrad_(false);
    const encoder = new nn.TransformerEncoder(layer, 3);
    expect(encoder.layers.length).toBe(3);
    for (const copy of encoder.layers) {
      expect(copy).not.toBe(layer);
      expect(await copy.linear1.weight.data()).toEqual(await layer.linear1.weight.data());
      expect([copy.training, copy.linear1.weight.dtype, copy.linear1.weight.requiresGrad]).toEqual([
        false,
        "float64",
        false,
      ]);
    }
    expect(encoder.layers.at(0).linear2.weight).not.toBe(encoder.layers.at(1).linear2.weight);
    expect(encoder.forward(normal([3, 1, 4], 1).to("float64")).dtype).toBe("float64");
    const places: number[] = [];
    const own = new nn.TransformerDecoder((index) => {
      places.push(index);
      return new nn.TransformerDecoderLayer(4, 1, { dimFeedforward: index + 1 });
    }, 2);
    expect(places).toEqual([0, 1]);
    expect(own.layers.at(1).linear1.weight.shape).toEqual([2, 4]);
  });
});

test("a layer without biases has none, and is the layer with biases of 0", async () => {
  const plain = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 3, bias: false }).eval();
  expect([...plain.stateDict().keys()]).toEqual([
    "self_attn.in_proj_weight",
    "self_attn.out_proj.weight",
    "linear1.weight",
    "linear2.weight",
    "norm1.weight",
    "norm2.weight",
  ]);
  const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 3 }).eval();
  gd.noGrad(() => {
    for (const [name, parameter] of layer.namedParameters()) if (name.endsWith("bias")) parameter.zero_();
  });
  layer.loadStateDict(plain.stateDict(), { strict: false });
  const x = normal([3, 2, 4], 1);
  expectClose(await plain.forward(x).data(), await layer.forward(x).data(), { rtol: 1e-6, atol: 1e-6 });
});

test("an activation may be a function", async () => {
  const named = new nn.TransformerEncoderLayer(4, 2, { activation: "gelu" }).eval();
  const given = new nn.TransformerEncoderLayer(4, 2, { activation: (x) => F.gelu(x) }).eval();
  given.loadStateDict(named.stateDict());
  const x = normal([3, 2, 4], 1);
  expectClose(await given.forward(x).data(), await named.forward(x).data(), { rtol: 1e-6, atol: 1e-6 });
});

test("a layer of an encoder stands in a Sequential", () => {
  const model = new nn.Sequential(new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 3 }), new nn.Linear(4, 2));
  expect(model.forward(gd.ones([3, 2, 4])).shape).toEqual([3, 2, 2]);
});

test("a transformer's layer learns to reverse sequences, and its loop is one program", async () => {
  gd.manualSeed(2);
  const [symbols, length, size] = [4, 5, 16];
  class Reverser extends nn.Module {
    symbols = new nn.Linear(symbols, size);
    places = new nn.Parameter(gd.randn([length, size]));
    layer = new nn.TransformerEncoderLayer(size, 2, { dimFeedforward: 32, dropout: 0, batchFirst: true });
    head = new nn.Linear(size, symbols);
    forward(x: gd.Tensor): gd.Tensor {
      return this.head.forward(this.layer.forward(this.symbols.forward(x).add(this.places)));
    }
  }
  const model = new Reverser();
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
  const draw = async (count: number): Promise<gd.Tensor> =>
    gd.rand([count, length]).mul(symbols).floor().to("int32").realize();
  let programs = 0;
  for (let step = 0; step < 100; step++) {
    const labels = await draw(16);
    const logits = model.forward(F.oneHot(labels, symbols));
    const loss = F.crossEntropy(logits.reshape(-1, symbols), labels.flip(1).reshape(-1));
    optimizer.zeroGrad();
    loss.backward();
    await optimizer.step();
    // The first step also computes what earlier tests have left.
    if (step === 1) programs = gd.statistics().programsCompiled;
  }
  expect(gd.statistics().programsCompiled).toBe(programs);
  const labels = await draw(100);
  const found = model.eval().forward(F.oneHot(labels, symbols)).argmax(-1);
  const right = await found.eq(labels.flip(1)).to("float32").mean().item();
  expect(right).toBeGreaterThan(0.95);
});

describe("errors tell", () => {
  const attention = new nn.MultiheadAttention(4, 2, { kdim: 3 });
  const [query, key, value] = [gd.ones([5, 2, 4]), gd.ones([6, 2, 3]), gd.ones([6, 2, 4])];

  test("how the shapes of queries, keys and values differ", () => {
    const x = gd.ones([2, 3, 4]);
    expect(() => F.scaledDotProductAttention(x, gd.ones([2, 3, 5]), x)).toThrow(/4 features, keys 5/);
    expect(() => F.scaledDotProductAttention(x, x, gd.ones([2, 4, 4]))).toThrow(/3 keys and 4 values/);
    expect(() => F.scaledDotProductAttention(gd.ones([3]), x, x)).toThrow(gd.ShapeError);
    expect(() => attention.forward(query, value, value)).toThrow(/the key must be \[L, N, 3\], or \[L, 3\]/);
    expect(() => attention.forward(query, key, gd.ones([5, 2, 4]))).toThrow(/keys and values one length/);
    expect(() => attention.forward(gd.ones([5, 3, 4]), key, value)).toThrow(/batch is dimension 1/);
    expect(() => attention.forward(gd.ones([5, 4]), key, value)).toThrow(gd.ShapeError);
  });

  test("what masks must be", () => {
    const x = gd.ones([2, 3, 4]);
    const causal = { attnMask: gd.ones([3, 3]), isCausal: true };
    expect(() => F.scaledDotProductAttention(x, x, x, causal)).toThrow(gd.ArgumentError);
    const whole = gd.ones([5, 6], { dtype: "int32" });
    expect(() => attention.forward(query, key, value, { attnMask: whole })).toThrow(gd.DTypeError);
    expect(() => attention.forward(query, key, value, { attnMask: gd.ones([6, 5]) })).toThrow(
      /attnMask must be \[5, 6\] or \[4, 5, 6\]/,
    );
    expect(() => attention.forward(query, key, value, { keyPaddingMask: gd.ones([6, 2]) })).toThrow(
      /keyPaddingMask must be \[2, 6\]/,
    );
  });

  test("which options are none", () => {
    expect(() => new nn.MultiheadAttention(5, 2)).toThrow(/5 features cannot be divided among 2 heads/);
    expect(() => new nn.MultiheadAttention(4, 2, { dropout: -1 })).toThrow(/no probability/);
    expect(() => new nn.TransformerEncoderLayer(4, 2, { activation: "sine" as "relu" })).toThrow(/"sine"/);
    expect(() => new nn.TransformerEncoderLayer(4, 2, { activation: "toString" as "relu" })).toThrow(/"toString"/);
    expect(() => new nn.TransformerEncoder(new nn.TransformerEncoderLayer(4, 2), -1)).toThrow(/-1 is no number/);
    class Own extends nn.TransformerEncoderLayer {}
    expect(() => new nn.TransformerEncoder(new Own(4, 2), 2)).toThrow(/\(index\) => layer/);
  });
});

test("layers print what they are made of", () => {
  expect(String(new nn.MultiheadAttention(4, 2, { batchFirst: true, dropout: 0.5 }))).toBe(
    "MultiheadAttention(\n  4, 2, dropout=0.5, batchFirst=true\n  (out_proj): Linear(inFeatures=4, outFeatures=4, bias=true)\n)",
  );
});
