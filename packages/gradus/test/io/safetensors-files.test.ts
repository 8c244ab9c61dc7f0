// Safetensors files on disk: halves, parts, several files with an index, and indices that lie.

import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as gd from "gradus";
import { inspectSafetensors, loadSafetensors, saveSafetensors } from "gradus/node";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dealtToShards } from "../../src/io/safetensors-index.ts";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

const { decodeSafetensors, decodeState, encodeState, FileFormatError } = gd.io;

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-safetensors-"));
});
afterEach(async () => rm(folder, { recursive: true }));
const inFolder = (name: string): string => join(folder, name);

async function expectSame(loaded: ReadonlyMap<string, gd.Tensor>, state: ReadonlyMap<string, gd.Tensor>) {
  expect([...loaded.keys()].sort()).toEqual([...state.keys()].sort());
  for (const [name, tensor] of state) {
    const other = loaded.get(name)!;
    expect([name, other.dtype, other.shape]).toEqual([name, tensor.dtype, tensor.shape]);
    expect(await other.data()).toEqual(await tensor.data());
  }
}

const stateOf = () =>
  new Map<string, gd.Tensor>([
    ["body.weight", gd.randn([8, 4])],
    ["body.bias", gd.randn([8])],
    ["body.count", gd.tensor(3, { dtype: "int32" })],
    ["head.weight", gd.randn([2, 8])],
    ["head.bias", gd.randn([2], { dtype: "float64" })],
    ["empty", gd.zeros([0, 3])],
  ]);

describe("half of the space", () => {
  test.each(["float16", "bfloat16"] as const)("%s stores float32 in two bytes, and nothing else", async (dtype) => {
    const state = stateOf();
    const { tensors } = decodeSafetensors(await encodeState(state, { dtype }));
    for (const [name, tensor] of state) {
      expect([name, tensors.get(name)!.dtype]).toEqual([name, tensor.dtype === "float32" ? dtype : tensor.dtype]);
    }
    const loaded = decodeState(await encodeState(state, { dtype }));
    // Half a unit in the last of 11 or 8 binary digits.
    const precision = dtype === "float16" ? 2 ** -11 : 2 ** -8;
    const [before, after] = [await state.get("body.weight")!.data(), await loaded.get("body.weight")!.data()];
    before.forEach(
      (value, i) => void expect(Math.abs(after[i] - value)).toBeLessThanOrEqual(precision * Math.abs(value)),
    );
    expect(await loaded.get("head.bias")!.data()).toEqual(await state.get("head.bias")!.data());
    // What is stored once is stored again without a loss.
    await expectSame(decodeState(await encodeState(loaded, { dtype })), loaded);
  });

  test("numbers that are too large are refused by name, or stored as infinite if that is wanted", async () => {
    const state = new Map([["w", gd.tensor([1, Number.POSITIVE_INFINITY, -70000])]]);
    await expect(encodeState(state, { dtype: "float16" })).rejects.toThrow(
      'safetensors to be written, tensor "w": element 2 is -70000, and float16 ends at 65504. Store it as bfloat16 or ' +
        'float32, or pass { overflow: "infinity" }.',
    );
    const loaded = decodeState(await encodeState(state, { dtype: "float16", overflow: "infinity" }));
    expect([...(await loaded.get("w")!.data())]).toEqual([1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect(decodeState(await encodeState(state, { dtype: "bfloat16" })).size).toBe(1);
  });
});

describe("one file", () => {
  test("says what it holds without its tensors being read", async () => {
    const path = inFolder("model.safetensors");
    expect(await saveSafetensors(path, stateOf(), { metadata: { author: "é" }, dtype: "bfloat16" })).toBe(path);
    const { metadata, tensors } = await inspectSafetensors(path);
    expect(metadata).toEqual({ author: "é" });
    expect(tensors.get("body.weight")).toEqual({ dtype: "bfloat16", shape: [8, 4] });
    expect(tensors.get("head.bias")).toEqual({ dtype: "float64", shape: [2] });
    expect(tensors.size).toBe(6);
    await saveSafetensors(path, stateOf());
    expect((await inspectSafetensors(path)).metadata).toEqual({ format: "pt" });
  });

  test("is read in part by prefix and by filter, from disk and from bytes", async () => {
    const [path, state] = [inFolder("model.safetensors"), stateOf()];
    await saveSafetensors(path, state);
    const filter = { prefix: "body.", filter: (name: string) => !name.endsWith("count") };
    const part = new Map([...state].filter(([name]) => name === "body.weight" || name === "body.bias"));
    await expectSame(await loadSafetensors(path, filter), part);
    await expectSame(decodeState(await readFile(path), path, filter), part);
    await expectSame(await loadSafetensors(path), state);
  });

  test("with a part that is wrong is read where that part is not wanted", async () => {
    const path = inFolder("wide.safetensors");
    const tensors = new Map<string, gd.io.RawTensor>([
      ["wide", { dtype: "int64", shape: [1], data: BigInt64Array.of(2n ** 40n) }],
      ["w", { dtype: "int8", shape: [2], data: Int8Array.of(-128, 127) }],
    ]);
    await writeFile(path, gd.io.encodeSafetensors(tensors));
    await expect(loadSafetensors(path)).rejects.toThrow(/tensor "wide": element 0 is 1099511627776/);
    const { w } = Object.fromEntries(await loadSafetensors(path, { prefix: "w", filter: (name) => name !== "wide" }));
    expect([w.dtype, ...(await w.data())]).toEqual(["int32", -128, 127]);
  });

  test("that is cut is refused at whatever length", async () => {
    const path = inFolder("model.safetensors");
    await saveSafetensors(path, stateOf());
    for (let length = (await readFile(path)).length - 1; length >= 0; length -= 10) {
      await truncate(path, length);
      await expect(loadSafetensors(path)).rejects.toThrow(FileFormatError);
      await expect(inspectSafetensors(path)).rejects.toThrow(FileFormatError);
    }
  });
});

describe("several files", () => {
  test("hold what fits, in order, and are read through their index, their directory, or in part", async () => {
    const state = stateOf();
    const index = await saveSafetensors(inFolder("model.safetensors"), state, { maxShardSize: 164 });
    expect(index).toBe(inFolder("model.safetensors.index.json"));
    expect((await readdir(folder)).sort()).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
    ]);
    const { metadata, weight_map } = JSON.parse(await readFile(index, "utf8"));
    expect(metadata).toEqual({ total_size: 128 + 32 + 4 + 64 + 16 });
    expect(weight_map["body.count"]).toBe("model-00001-of-00002.safetensors");
    expect(weight_map["head.weight"]).toBe("model-00002-of-00002.safetensors");
    await expectSame(await loadSafetensors(index), state);
    await expectSame(await loadSafetensors(folder), state);
    // What is not wanted need not even be there.
    await rm(inFolder("model-00002-of-00002.safetensors"));
    const body = new Map([...state].filter(([name]) => name.startsWith("body.")));
    await expectSame(await loadSafetensors(index, { prefix: "body." }), body);
    await expect(loadSafetensors(index)).rejects.toThrow(/ENOENT/);
  });

  test("are one where everything fits, and as many as tensors where nothing does", () => {
    const tensors = [5, 3, 2, 9, 1].map((bytes, i) => ({ name: String(i), bytes }));
    expect(dealtToShards(tensors, 20)).toEqual([["0", "1", "2", "3", "4"]]);
    expect(dealtToShards(tensors, 10)).toEqual([
      ["0", "1", "2"],
      ["3", "4"],
    ]);
    expect(dealtToShards(tensors, 1)).toEqual([["0"], ["1"], ["2"], ["3"], ["4"]]);
    expect(dealtToShards([], 1)).toEqual([]);
  });

  test("count half of the bytes where halves are stored", async () => {
    const state = new Map([["w", gd.randn([100])]]);
    const options = { maxShardSize: 200, dtype: "float16" } as const;
    expect(await saveSafetensors(inFolder("w.safetensors"), state, options)).toBe(inFolder("w.safetensors"));
  });

  test("and a single model beside them leave a directory without a meaning", async () => {
    const state = stateOf();
    await saveSafetensors(inFolder("model.safetensors"), state);
    await expectSame(await loadSafetensors(folder), state);
    await saveSafetensors(inFolder("model.safetensors"), state, { maxShardSize: 100 });
    await expect(loadSafetensors(folder)).rejects.toThrow(
      /holds several: model\.safetensors, model\.safetensors\.index\.json\. Name the file to read/,
    );
    await rm(inFolder("model.safetensors"));
    await expectSame(await loadSafetensors(folder), state);
  });

  test("need a name to be named after, and a size", async () => {
    const state = stateOf();
    await expect(saveSafetensors(inFolder("model.bin"), state, { maxShardSize: 100 })).rejects.toThrow(
      gd.ArgumentError,
    );
    await expect(saveSafetensors(inFolder("model.safetensors"), state, { maxShardSize: 0 })).rejects.toThrow(
      /maxShardSize is 0/,
    );
    await expect(loadSafetensors(folder)).rejects.toThrow(/holds no model in safetensors/);
  });

  test.each<readonly [string, string, RegExp]>([
    ["no JSON", "{", /the index: it is no JSON/],
    ["what acts on a terminal", "\u001b[31m", /the index: it is no JSON: "[^\p{Cc}]*$/u],
    ["a number", "7", /it has no weight_map/],
    ["no map", '{"weight_map": []}', /it has no weight_map/],
    ["a file above", '{"weight_map": {"w": "../secret.safetensors"}}', /not one beside or below the index/],
    ["a file above, in the middle", '{"weight_map": {"w": "a/../../b.safetensors"}}', /not one beside or below/],
    ["an absolute path", '{"weight_map": {"w": "/etc/b.safetensors"}}', /not one beside or below/],
    ["a drive", '{"weight_map": {"w": "C:b.safetensors"}}', /not one beside or below/],
    ["backslashes", '{"weight_map": {"w": "..\\\\b.safetensors"}}', /not one beside or below/],
    ["a NUL", '{"weight_map": {"w": "b\\u0000.safetensors"}}', /not one beside or below/],
    ["another kind of file", '{"weight_map": {"w": "b.pt"}}', /not one beside or below/],
    ["a file that is a number", '{"weight_map": {"w": 7}}', /tensor "w": its file is not named by a text/],
    ["__proto__", '{"weight_map": {"__proto__": "b.safetensors"}}', /would reach the prototype/],
    [
      "a tensor that is not there",
      '{"weight_map": {"x": "b.safetensors"}}',
      /does not hold it, though the index says so/,
    ],
  ])("an index with %s is refused", async (_, index, message) => {
    await saveSafetensors(inFolder("b.safetensors"), new Map([["w", gd.randn([2])]]));
    const path = inFolder("model.safetensors.index.json");
    await writeFile(path, index);
    await expect(loadSafetensors(path)).rejects.toThrow(FileFormatError);
    await expect(loadSafetensors(path)).rejects.toThrow(message);
  });
});
