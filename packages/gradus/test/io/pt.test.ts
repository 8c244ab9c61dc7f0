// Files of torch.save: what PyTorch wrote is read to the last bit, whatever the layout of its tensors.

import * as gd from "gradus";
import { loadPt, loadPtState } from "gradus/node";
import { beforeAll, describe, expect, test } from "vitest";
import { expectClose } from "../support/compare.ts";
import { useDevice } from "../support/device.ts";
import {
  bytesOf,
  call,
  dict,
  errorOf,
  expected,
  expectTensors,
  floats,
  global,
  goldenFile,
  goldenFolder,
  int,
  long,
  type Piece,
  pickle,
  storage,
  storedNumbers,
  tensor,
  text,
  torchFile,
  tuple,
} from "./files.ts";

beforeAll(useDevice);

const { nn, optim } = gd;
const { decodePt, decodePtState } = gd.io;
const states = [
  "lstm.pt",
  "lstm-protocol-3.pt",
  "lstm-protocol-4.pt",
  "lstm-protocol-5.pt",
  "half.pt",
  "dtypes.pt",
  "views.pt",
  "checkpoint.pt",
  "parallel.pt",
];

describe("what torch.save wrote", () => {
  // In a checkpoint the model's part is found by itself; its optimizer's tensors are not among the names then.
  const namesOf = (file: string): string => ({ "checkpoint.pt": "model.", "parallel.pt": "" })[file] ?? "";

  test.each(states)("%s is read to the last bit", async (file) => {
    const prefix = namesOf(file);
    const table = Object.entries(expected[file])
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, stored]) => [name.slice(prefix.length), stored] as const);
    await expectTensors(decodePtState(goldenFile(file), file), Object.fromEntries(table));
  });

  test("fits an LSTM of the same sizes", async () => {
    const lstm = new nn.LSTM(3, 4, { numLayers: 2 });
    const report = lstm.loadStateDict(decodePtState(goldenFile("lstm.pt")));
    expect(report).toEqual({ missingKeys: [], unexpectedKeys: [] });
    await expectTensors(lstm.stateDict(), expected["lstm.pt"]);
  });

  test("is read from a file by its path, in part if that is wanted", async () => {
    const state = await loadPtState(`${goldenFolder}/lstm.pt`, {
      prefix: "weight_",
      filter: (name) => name.endsWith("l1"),
    });
    const { weight_ih_l1, weight_hh_l1 } = expected["lstm.pt"];
    await expectTensors(state, { weight_ih_l1, weight_hh_l1 });
  });

  test("fits without the prefix of DataParallel, and says what is missing and unexpected with it", async () => {
    const model = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 2));
    const state = decodePtState(goldenFile("parallel.pt"));
    expect(() => model.loadStateDict(state)).toThrow(/Missing: 0\.weight.*Unexpected: module\.0\.weight/);
    const keys = ["0.weight", "0.bias", "2.weight", "2.bias"];
    expect(model.loadStateDict(state, { strict: false })).toEqual({
      missingKeys: keys,
      unexpectedKeys: keys.map((key) => `module.${key}`),
    });
    model.loadStateDict(gd.io.stripPrefix(state, "module."));
    expect([...(await model.stateDict().get("2.bias")!.data())]).toEqual(
      storedNumbers(expected["parallel.pt"]["module.2.bias"]),
    );
  });

  test("comes as plain values: numbers, texts, lists, sets, dicts of every kind of key", async () => {
    const { model, optimizer, scheduler, ...rest } = (await loadPt(`${goldenFolder}/checkpoint.pt`)) as gd.io.PtRecord;
    const record = (entries: object): object => Object.assign(Object.create(null), entries);
    expect(rest).toEqual({
      epoch: 3,
      best: 0.1 + 0.2,
      done: false,
      nothing: null,
      big: 2n ** 70n,
      negative: -(2 ** 40),
      bytes: Uint8Array.of(0, 255, 97, 98),
      device: "cuda:1",
      dtype: "torch.bfloat16",
      size: [2, 3],
      names: ["é", "日本", ""],
      pair: [1, "two"],
      set: new Set([3]),
      by_number: record({ 1: "one", 20: "twenty" }),
      by_pair: new Map<unknown, string>([
        [[1, 2], "tuple"],
        [null, "none"],
        [0.5, "half"],
      ]),
      counts: record({ a: [1, 2] }),
    });
    expect((scheduler as gd.io.PtRecord).milestones).toEqual(record({ 1: 1, 5: 1 }));
    expect(Object.getPrototypeOf(model)).toBe(null);
    await expectTensors(
      new Map(Object.entries(model as Record<string, gd.Tensor>)),
      Object.fromEntries(
        Object.entries(expected["checkpoint.pt"])
          .filter(([name]) => name.startsWith("model."))
          .map(([name, stored]) => [name.slice("model.".length), stored]),
      ),
    );
    expect((optimizer as gd.io.PtRecord).param_groups).toHaveLength(2);
  });

  test("lets Adam go on where PyTorch's stood", async () => {
    const checkpoint = decodePt(goldenFile("checkpoint.pt")) as gd.io.PtRecord;
    const layers = [new nn.Linear(3, 4), new nn.Linear(4, 2)];
    const model = new nn.Sequential(layers[0], new nn.Tanh(), layers[1]);
    model.loadStateDict(checkpoint.model as Record<string, gd.Tensor>);
    const optimizer = new optim.Adam(layers.map((layer) => ({ params: layer.parameters() })));
    optimizer.loadStateDict(checkpoint.optimizer as unknown as gd.optim.OptimizerStateDict);
    const [inputs, targets] = ["inputs", "targets"].map((name) => {
      const stored = expected.training[name];
      return gd.tensor(storedNumbers(stored)).reshape([...stored.shape]);
    });
    for (const i of [2, 3]) {
      optimizer.zeroGrad();
      model.forward(inputs.select(0, i)).sub(targets.select(0, i)).square().mean().backward();
      await optimizer.step();
    }
    for (const [name, stored] of Object.entries(expected.trained)) {
      // Four steps in float32 on both sides: their roundings differ by a few units in the last place.
      const options = { rtol: 2e-6, atol: 1e-7 };
      expectClose(await model.stateDict().get(name)!.data(), storedNumbers(stored), options, name);
    }
  });

  test("holds an integer that no int32 holds: refused by the tensor's name, read where it is left out", () => {
    const file = goldenFile("wide-integer.pt");
    expect(() => decodePt(file, "run.pt")).toThrow(/run\.pt, tensor "step": element 1 is 1099511627776/);
    expect(decodePtState(file, "run.pt", { filter: (name) => name !== "step" }).size).toBe(0);
  });
});

describe("ResNet-18 of torchvision", () => {
  interface View {
    readonly shape: readonly number[];
    readonly stride: readonly number[];
    readonly offset: number;
  }
  const views = Object.entries(expected.resnet18 as unknown as Readonly<Record<string, View>>);
  const last = ({ shape, stride, offset }: View): number =>
    shape.reduce((sum, size, axis) => sum + (size - 1) * stride[axis], offset);

  /** The storage that tools/golden_io.py made, in float32. */
  function elementAt(i: number): number {
    const value = Math.fround(Math.fround(((i * 37) % 1009) - 504) / 5040);
    return i < 1024 ? Math.fround(0.5 + Math.abs(value)) : value;
  }

  test("keeps its 122 keys, its shapes and every element, though all are views of one small storage", async () => {
    const bytes = goldenFile("resnet18.pt");
    expect(bytes.length).toBeLessThan(60_000);
    const state = decodePtState(bytes);
    expect([...state.keys()]).toEqual(views.map(([name]) => name));
    const elements = Float32Array.from({ length: 11_000 }, (_, i) => elementAt(i));
    let count = 0;
    for (const [name, view] of views) {
      const tensor = state.get(name)!;
      expect([name, tensor.shape]).toEqual([name, view.shape]);
      const data = await tensor.data();
      if (name.endsWith("num_batches_tracked")) {
        expect([tensor.dtype, data[0]]).toEqual(["int32", 100 + view.offset]);
        continue;
      }
      count += data.length;
      // The formula of a strided view, its axes filled up to four.
      const [d0, d1, d2, d3] = [...view.shape, 1, 1, 1];
      const [s0, s1, s2, s3] = [...view.stride, 0, 0, 0];
      let wrong = 0;
      let at = 0;
      for (let i = 0; i < d0; i++)
        for (let j = 0; j < d1; j++)
          for (let k = 0; k < d2; k++)
            for (let l = 0; l < d3; l++)
              if (data[at++] !== elements[view.offset + i * s0 + j * s1 + k * s2 + l * s3]) wrong++;
      expect([name, wrong, at]).toEqual([name, 0, data.length]);
      expect(last(view)).toBeLessThan(11_000);
    }
    // 11,689,512 parameters, and two running statistics for each of 4,800 channels.
    expect(count).toBe(11_689_512 + 2 * 4_800);
  });

  test("takes the memory that its elements need, which a limit can refuse", () => {
    const bytes = goldenFile("resnet18.pt");
    const error = errorOf(() => decodePt(bytes, "resnet18.pt", { maxBytes: 10_000_000 }));
    expect(error).toBeInstanceOf(gd.io.MemoryLimitError);
    expect(error.message).toMatch(
      /^resnet18\.pt, tensor "layer\d.*bytes are needed and \d+ of the allowed 10000000 are left/,
    );
    expect(() => decodePt(bytes, "resnet18.pt", { maxBytes: -1 })).toThrow(gd.ArgumentError);
  });
});

describe("layouts that torch.save has too", () => {
  const weight = tensor(storage("FloatStorage", "0", int(6)), int(0), [int(2), int(3)], [int(3), int(1)]);
  const six = floats(1, 2, 3, 4, 5, 6);

  test("big-endian archives are turned round, element by element", async () => {
    const swapped = (bytes: Uint8Array, width: number): Uint8Array =>
      bytesOf(
        ...Array.from({ length: bytes.length / width }, (_, i) => bytes.slice(i * width, (i + 1) * width).reverse()),
      );
    const storages = [
      ["FloatStorage", six, 4, [1, 2, 3, 4, 5, 6]],
      ["DoubleStorage", new Uint8Array(Float64Array.of(0.1, -2).buffer), 8, [0.1, -2]],
      ["HalfStorage", new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer), 2, [1, -2]],
      ["BFloat16Storage", new Uint8Array(Uint16Array.of(0x3f80, 0xc000).buffer), 2, [1, -2]],
      ["LongStorage", new Uint8Array(BigInt64Array.of(258n, -1n).buffer), 8, [258, -1]],
      ["IntStorage", new Uint8Array(Int32Array.of(258, -1).buffer), 4, [258, -1]],
      ["ShortStorage", new Uint8Array(Int16Array.of(258, -1).buffer), 2, [258, -1]],
      ["ByteStorage", Uint8Array.of(1, 2), 1, [1, 2]],
    ] as const;
    const data = pickle(
      dict(
        ...storages.map(
          ([kind, , , values]) =>
            [
              text(kind),
              tensor(storage(kind, kind, int(values.length)), int(0), [int(values.length)], [int(1)]),
            ] as const,
        ),
      ),
    );
    const bytes = Object.fromEntries(storages.map(([kind, elements, width]) => [kind, swapped(elements, width)]));
    const state = decodePtState(torchFile(data, bytes, { entries: { byteorder: "big" } }));
    for (const [kind, , , values] of storages)
      expect([kind, ...(await state.get(kind)!.data())]).toEqual([kind, ...values]);
    const order = torchFile(data, bytes, { entries: { byteorder: "middle" } });
    expect(errorOf(() => decodePt(order)).message).toMatch(/order of bytes is "middle"/);
  });

  test("compressed archives are decompressed", async () => {
    const elements = Float32Array.from({ length: 6 }, (_, i) => i % 3);
    const file = torchFile(pickle(dict([text("w"), weight])), { 0: new Uint8Array(elements.buffer) }, { level: 9 });
    expect([...(await decodePtState(file).get("w")!.data())]).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test("files at any offset in memory are read, aligned or not, and Node's Buffers", async () => {
    const file = torchFile(pickle(dict([text("w"), weight])), { 0: six });
    for (let offset = 0; offset < 8; offset++) {
      const shifted = new Uint8Array(file.length + 8).subarray(offset, offset + file.length);
      shifted.set(file);
      expect([...(await decodePtState(shifted).get("w")!.data())]).toEqual([1, 2, 3, 4, 5, 6]);
    }
    expect(decodePtState(Buffer.from(file)).size).toBe(1);
  });

  test("untyped storages are seen as the dtype that the tensor has (_rebuild_tensor_v3)", async () => {
    const untyped = [
      tuple(text("storage"), global("torch.storage", "UntypedStorage"), text("0"), text("cpu"), int(24)),
      "Q",
    ];
    const of = (dtype: string) =>
      call(global("torch._utils", "_rebuild_tensor_v3"), untyped, int(1), tuple(int(2)), tuple(int(1)), 0x89, "}", [
        global("torch", dtype),
      ]);
    const entries = ["float32", "uint16", "uint32"].map((dtype) => [text(dtype), of(dtype)] as const);
    const state = decodePtState(torchFile(pickle(dict(...entries)), { 0: six }));
    expect([...(await state.get("float32")!.data())]).toEqual([2, 3]);
    expect([...(await state.get("uint16")!.data())]).toEqual([0x3f80, 0]);
    expect([...(await state.get("uint32")!.data())]).toEqual([0x40000000, 0x40400000]);
    const complex = torchFile(pickle(dict([text("w"), of("complex64")])), { 0: six });
    expect(errorOf(() => decodePt(complex)).message).toMatch(/torch\.complex64, which is not supported/);
  });

  test("a storage that is saved itself is a tensor of one axis", async () => {
    const value = decodePt(torchFile(pickle(storage("FloatStorage", "0", int(6))), { 0: six }));
    expect([...(await (value as gd.Tensor).data())]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("the same view of the same storage is one tensor, and one list one array, wherever they occur", () => {
    const file = torchFile(
      pickle(dict([text("a"), weight], [text("b"), weight], [text("c"), ["]q", 0]], [text("d"), ["h", 0]])),
      { 0: six },
    );
    const { a, b, c, d } = decodePt(file) as gd.io.PtRecord;
    expect(a).toBe(b);
    expect(c).toBe(d);
  });

  test("integers beyond 2^53 are bigints; keys that would be one name stay apart in a Map", () => {
    const file = torchFile(
      pickle(
        tuple(long(2n ** 53n - 1n), long(2n ** 53n), long(-(2n ** 62n)), dict([text("1"), int(1)], [int(1), int(2)])),
      ),
    );
    expect(decodePt(file)).toEqual([
      2 ** 53 - 1,
      2n ** 53n,
      -(2n ** 62n),
      new Map<unknown, number>([
        ["1", 1],
        [1, 2],
      ]),
    ]);
  });
});

describe("the state dict of a checkpoint", () => {
  const one = tensor(storage("FloatStorage", "0", int(1)), int(0), [], []);
  const archive = (value: Piece) => torchFile(pickle(value), { 0: floats(5) });
  const keysOf = (value: Piece, options?: gd.io.PtStateOptions): string[] => [
    ...decodePtState(archive(value), "run.pt", options).keys(),
  ];
  const inner = dict([text("w"), one], [text("note"), text("no tensor")]);

  test("is found under the usual keys, and else is all that holds tensors", () => {
    const extra = [text("random"), one] as const;
    for (const key of ["state_dict", "model_state_dict", "model"]) {
      expect(keysOf(dict(extra, [text(key), inner]))).toEqual(["w"]);
    }
    expect(keysOf(dict([text("g"), inner], [text("d"), dict([int(0), inner])]))).toEqual(["g.w", "d.0.w"]);
    expect(keysOf(inner)).toEqual(["w"]);
    expect(keysOf(tuple(one, inner))).toEqual(["0", "1.w"]);
  });

  test("is taken from the entry that is named, in part if that is wanted", () => {
    const value = dict([text("ema"), dict([text("a.w"), one], [text("b.w"), one])], [text("model"), inner]);
    expect(keysOf(value, { key: "ema" })).toEqual(["a.w", "b.w"]);
    expect(keysOf(value, { key: "ema", prefix: "b." })).toEqual(["b.w"]);
    expect(errorOf(() => keysOf(value, { key: "net" })).message).toBe(
      'run.pt, data.pkl: there is no entry "net". Use one of its entries: "ema", "model".',
    );
  });

  test("has to hold tensors", () => {
    expect(errorOf(() => keysOf(dict([text("epoch"), int(3)]))).message).toMatch(
      /a dict of 2 keys and values holds no tensors/,
    );
  });
});
