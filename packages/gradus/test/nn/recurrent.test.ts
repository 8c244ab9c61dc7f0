// Recurrent layers and cells: against PyTorch, and what golden data cannot say: dropout, long sequences, programs, errors.

import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import golden from "../golden/recurrent.json";
import { type CallCase, testCalls } from "../support/calls.ts";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import type { StoredTensor } from "../support/golden.ts";
import { construct, expectTensor, normal, tensorOf } from "../support/nn-golden.ts";

const { F, nn, optim } = gd;
const cases = golden as unknown as {
  readonly layers: readonly CallCase[];
  readonly cells: readonly CallCase[];
  readonly padded: readonly {
    readonly sequences: readonly StoredTensor[];
    readonly options: gd.nn.utils.rnn.PadSequenceOptions;
    readonly padded: StoredTensor;
  }[];
};

beforeAll(useDevice);

const made = ({ type, args }: CallCase): gd.nn.AnyModule => construct(nn, type, args);

describe("layers agree with PyTorch in keys, outputs, states and gradients", () => testCalls(cases.layers, made));

describe("cells agree with PyTorch in keys, states and gradients", () => testCalls(cases.cells, made));

describe("cells as functions are the cells as layers", () => {
  test.each(["tanh", "relu"] as const)("Elman's with %s", async (nonlinearity) => {
    const cell = new nn.RNNCell(3, 4, { nonlinearity });
    const { weightIh, weightHh, biasIh, biasHh } = cell;
    const [x, h] = [normal([2, 3], 1), normal([2, 4], 2)];
    const step = nonlinearity === "tanh" ? F.rnnTanhCell : F.rnnReluCell;
    const found = step(x, h, weightIh, weightHh, biasIh, biasHh);
    expectClose(await found.data(), await cell.forward(x, h).data(), { rtol: 1e-6, atol: 1e-6 });
  });

  test("the LSTM's and the GRU's, also with one bias alone", async () => {
    const [x, h, c] = [normal([2, 3], 1), normal([2, 4], 2), normal([2, 4], 3)];
    const lstm = new nn.LSTMCell(3, 4);
    const gru = new nn.GRUCell(3, 4);
    const [hidden, cell] = F.lstmCell(x, [h, c], lstm.weightIh, lstm.weightHh, lstm.biasIh, lstm.biasHh);
    const wanted = lstm.forward(x, [h, c]);
    expectClose(await hidden.data(), await wanted[0].data(), { rtol: 1e-6, atol: 1e-6 });
    expectClose(await cell.data(), await wanted[1].data(), { rtol: 1e-6, atol: 1e-6 });
    const next = F.gruCell(x, h, gru.weightIh, gru.weightHh, gru.biasIh, gru.biasHh);
    expectClose(await next.data(), await gru.forward(x, h).data(), { rtol: 1e-6, atol: 1e-6 });
    // Both biases of an LSTM are added, so either can carry all.
    const all = lstm.biasIh!.add(lstm.biasHh!);
    const [carried] = F.lstmCell(x, [h, c], lstm.weightIh, lstm.weightHh, null, all);
    expectClose(await carried.data(), await wanted[0].data(), { rtol: 1e-6, atol: 1e-6 });
  });
});

test.each([
  ["LSTM", 64, { numLayers: 2, projSize: 8 }],
  ["GRU", 100, { bidirectional: true }],
  ["RNNCell", 64, {}],
] as const)(
  "parameters of %s begin uniform within 1 / sqrt(hidden size), its biases too",
  async (type, size, options) => {
    const layer = construct<gd.nn.AnyModule>(nn, type, [48, size, options]);
    const bound = 1 / Math.sqrt(size);
    for (const [name, parameter] of layer.namedParameters()) {
      const values = Array.from(await parameter.data());
      expect(Math.max(...values.map(Math.abs)), name).toBeLessThanOrEqual(bound);
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      // That of n uniform numbers strays by a standard deviation of about 0.9 / sqrt(n) of itself; five of them are allowed.
      const strays = Math.abs(variance / (bound ** 2 / 3) - 1);
      expect(strays, name).toBeLessThan((5 * 0.9) / Math.sqrt(values.length));
    }
  },
);

describe("dropout", () => {
  /** Layers that hand on their input: what the second one gives is what the first one's dropout let through. */
  function handingOn(dropout: number, numLayers: number): gd.nn.RNN {
    const size = 20;
    const rnn = new nn.RNN(size, size, { nonlinearity: "relu", bias: false, dropout, numLayers });
    gd.noGrad(() => {
      for (const [name, parameter] of rnn.namedParameters()) {
        parameter.copy_(name.includes("ih") ? gd.eye(size) : 0);
      }
    });
    return rnn;
  }

  test("falls on the outputs between layers in training, and scales the others up", async () => {
    const rnn = handingOn(0.25, 2);
    const x = gd.ones([10, 10, 20]);
    const values = Array.from(await rnn.forward(x)[0].data());
    const kept = values.filter((value) => value !== 0);
    for (const value of kept) expect(value).toBeCloseTo(4 / 3, 5);
    // 2,000 draws: a standard deviation of 0.01, of which five are allowed.
    expect(Math.abs(kept.length / values.length - 0.75)).toBeLessThan(0.05);
    const again = Array.from(await rnn.forward(x)[0].data());
    expect(again).not.toEqual(values);
    expect(new Set(await rnn.eval().forward(x)[0].data())).toEqual(new Set([1]));
  });

  test("spares the outputs of the last layer and the states", async () => {
    const [output] = handingOn(0.9, 1).forward(gd.ones([3, 2, 20]));
    expect(new Set(await output.data())).toEqual(new Set([1]));
    const [, h] = handingOn(0.9, 2).forward(gd.ones([3, 2, 20]));
    expect(new Set(await h.select(0, 0).data())).toEqual(new Set([1]));
  });
});

test("a sequence cut in two, the state handed on, gives what the whole one gives", async () => {
  const lstm = new nn.LSTM(3, 4, { numLayers: 2 });
  const x = normal([7, 2, 3], 1);
  const [whole, [h, c]] = lstm.forward(x);
  const [first, state] = lstm.forward(x.narrow(0, 0, 3));
  const [second, final] = lstm.forward(x.narrow(0, 3, 4), state);
  expectClose(await gd.cat([first, second]).data(), await whole.data(), { rtol: 1e-6, atol: 1e-6 });
  expectClose(await final[0].data(), await h.data(), { rtol: 1e-6, atol: 1e-6 });
  expectClose(await final[1].data(), await c.data(), { rtol: 1e-6, atol: 1e-6 });
});

test("a sequence of 200 steps passes gradients from its end to its beginning", async () => {
  const rnn = new nn.RNN(2, 3, { nonlinearity: "relu", bias: false });
  const inputWeight = normal([3, 2], 5).abs();
  // Numbers that stay positive, and a matrix that turns them: the last state is the turned sum of all W x.
  gd.noGrad(() => {
    const [weightIh, weightHh] = rnn.parameters();
    weightIh.copy_(inputWeight);
    weightHh.copy_(gd.eye(3).roll(1, 0));
  });
  const x = normal([200, 1, 2], 4).abs().requiresGrad_();
  const [, h] = rnn.forward(x);
  const [gradient] = gd.grad(h.sum(), x);
  const expected = inputWeight.sum(0).expand(200, 1, 2);
  // Each element is a sum of three numbers, 200 times turned.
  expectClose(await gradient.data(), await expected.data(), { rtol: 1e-6 });
});

test("a layer in float64 computes and trains in float64", async () => {
  const gru = new nn.GRU(3, 4, { dtype: "float64" });
  const [output, h] = gru.forward(normal([5, 2, 3], 1).to("float64"));
  expect([output.dtype, h.dtype]).toEqual(["float64", "float64"]);
  const single = new nn.GRU(3, 4).to("float64");
  single.loadStateDict(gru.stateDict());
  expectClose(await single.forward(normal([5, 2, 3], 1).to("float64"))[0].data(), await output.data(), { rtol: 1e-12 });
  output.sum().backward();
  expect(gru.parameters().every(({ grad }) => grad?.dtype === "float64")).toBe(true);
});

test("a training step of a recurrent layer takes a few kernels for each time step, whatever the length", async () => {
  const kernelsOf = async (type: "RNN" | "LSTM" | "GRU", length: number): Promise<number> => {
    const layer = new nn[type](3, 4);
    const x = normal([length, 2, 3], 1);
    await gd.flush(x, ...layer.parameters());
    const [output] = layer.forward(x);
    await gd.flush(...gd.grad(output.square().sum(), layer.parameters()));
    return gd.memory().kernels;
  };
  // Products with the state forwards, with state and weights backwards, the maps between them, and products with the
  // input: a GRU's at every step, the others' at every eighth.
  for (const [type, limit] of [
    ["RNN", 4],
    ["LSTM", 6],
    ["GRU", 7],
  ] as const) {
    const [short, long] = [await kernelsOf(type, 8), await kernelsOf(type, 16)];
    expect((long - short) / 8, type).toBeLessThanOrEqual(limit);
  }
});

test("an LSTM learns to remember how a sequence began, and its loop is one program", async () => {
  gd.manualSeed(3);
  const length = 5;
  const all = 2 ** length;
  const bits = Array.from({ length: all }, (_, i) => Array.from({ length }, (_, bit) => [(i >> bit) & 1]));
  const x = gd.tensor(bits);
  const first = gd.tensor(bits.map(([[bit]]) => bit));
  const lstm = new nn.LSTM(1, 16, { batchFirst: true });
  const head = new nn.Linear(16, 1);
  const optimizer = new optim.Adam([...lstm.parameters(), ...head.parameters()], { lr: 0.05 });
  const answers = (): gd.Tensor => head.forward(lstm.forward(x)[0].select(1, length - 1)).squeeze(1);
  let programs = 0;
  for (let step = 0; step < 60; step++) {
    const loss = F.binaryCrossEntropyWithLogits(answers(), first);
    optimizer.zeroGrad();
    loss.backward();
    await optimizer.step();
    // The first step also computes what earlier tests have left.
    if (step === 1) programs = gd.statistics().programsCompiled;
  }
  expect(gd.statistics().programsCompiled).toBe(programs);
  const found = Array.from(await answers().data(), (logit) => Number(logit > 0));
  expect(found).toEqual(Array.from(await first.data()));
});

describe("padded sequences", () => {
  test.each(cases.padded.map((padding, i) => [i, padding] as const))("agree with PyTorch, %i", async (_i, padding) => {
    const found = nn.utils.rnn.padSequence(
      padding.sequences.map((sequence) => tensorOf(sequence)),
      padding.options,
    );
    await expectTensor(found, padding.padded, "padded");
  });

  test("have a mask of their padding, from numbers or from a tensor", async () => {
    const expected = [
      [0, 1, 1],
      [0, 0, 0],
      [1, 1, 1],
    ];
    const mask = nn.utils.rnn.paddingMask([1, 3, 0]);
    expect(mask.dtype).toBe("bool");
    expect(await mask.toArray()).toEqual(expected);
    const lengths = gd.tensor([1, 3, 0], { dtype: "int32" });
    expect(await nn.utils.rnn.paddingMask(lengths, 3).toArray()).toEqual(expected);
    expect(nn.utils.rnn.paddingMask([2], 5).shape).toEqual([1, 5]);
    expect(() => nn.utils.rnn.paddingMask(lengths)).toThrow(/Pass maxLength/);
  });

  test("that differ in more than their lengths are refused", () => {
    expect(() => nn.utils.rnn.padSequence([])).toThrow(gd.ArgumentError);
    expect(() => nn.utils.rnn.padSequence([gd.ones([2, 3]), gd.ones([2, 4])])).toThrow(/\[2, 3\] and \[2, 4\]/);
  });
});

describe("errors tell", () => {
  const lstm = new nn.LSTM(3, 4, { numLayers: 2, batchFirst: true });

  test("the shape an input must have, and that a sequence has steps", () => {
    expect(() => lstm.forward(gd.ones([2, 5, 4]))).toThrow(/must be \[N, L, 3\].*given \[2, 5, 4\].*LSTM\(4, 4\)/);
    expect(() => lstm.forward(gd.ones([3]))).toThrow(gd.ShapeError);
    expect(() => lstm.forward(gd.ones([2, 0, 3]))).toThrow(/0 steps/);
    expect(() => new nn.GRUCell(3, 4).forward(gd.ones([2, 4]))).toThrow(/must be \[N, 3\]/);
  });

  test("the shape and dtype a state must have", () => {
    const x = gd.ones([5, 7, 3]);
    expect(() => lstm.forward(x, [gd.ones([2, 5, 4]), gd.ones([1, 5, 4])])).toThrow(
      /initial c must be \[2, 5, 4\].*\[1, 5, 4\]/,
    );
    expect(() => new nn.GRU(3, 4).forward(x, gd.ones([1, 4]))).toThrow(/initial h must be \[1, 7, 4\]/);
    expect(() => new nn.RNN(3, 4).forward(x, gd.ones([1, 7, 4], { dtype: "float64" }))).toThrow(gd.DTypeError);
    expect(() => new nn.LSTMCell(3, 4).forward(gd.ones([2, 3]), [gd.ones([2, 4]), gd.ones([4])])).toThrow(
      /state must be \[2, 4\]/,
    );
  });

  test("which options are none", () => {
    expect(() => new nn.LSTM(3, 0)).toThrow(/hiddenSize is 0/);
    expect(() => new nn.LSTM(3, 4, { projSize: 4 })).toThrow(/projSize is 4, the hidden size 4/);
    expect(() => new nn.GRU(3, 4, { numLayers: 1.5 })).toThrow(/numLayers is 1.5/);
    expect(() => new nn.GRU(3, 4, { dropout: 2 })).toThrow(/2 is no probability/);
    expect(() => new nn.RNN(3, 4, { nonlinearity: "sine" as "tanh" })).toThrow(/"sine"/);
    expect(() => new nn.RNNCell(3, 4, { nonlinearity: "sine" as "tanh" })).toThrow(/"sine"/);
  });
});

test("layers print what they are made of", () => {
  const lstm = new nn.LSTM(28, 128, { numLayers: 2, batchFirst: true, bidirectional: true, projSize: 8, dropout: 0.5 });
  expect(String(lstm)).toBe("LSTM(28, 128, projSize=8, numLayers=2, batchFirst=true, dropout=0.5, bidirectional=true)");
  expect(String(new nn.GRUCell(3, 4, { bias: false }))).toBe("GRUCell(3, 4, bias=false)");
  expect(String(new nn.RNN(3, 4, { nonlinearity: "relu" }))).toBe("RNN(3, 4, nonlinearity=relu)");
  expect(String(new nn.RNNCell(3, 4, { nonlinearity: "relu" }))).toBe("RNNCell(3, 4, nonlinearity=relu)");
});
