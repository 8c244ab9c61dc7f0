// State dicts as safetensors: what comes back of every dtype, and files of other frameworks.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as gd from "gradus";
import { loadSafetensors, saveSafetensors } from "gradus/node";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

const { encodeSafetensors, encodeState, decodeState } = gd.io;

describe("state dicts", () => {
  test("tensors of every dtype come back as they were", async () => {
    const state = new Map([
      ["weight", gd.randn([3, 4])],
      ["double", gd.randn([2], { dtype: "float64" })],
      ["count", gd.tensor([7, -3], { dtype: "int32" })],
      ["bytes", gd.tensor([0, 255], { dtype: "uint8" })],
      ["mask", gd.tensor([true, false, true])],
      ["scalar", gd.tensor(2.5)],
    ]);
    const loaded = decodeState(await encodeState(state));
    expect([...loaded.keys()].sort()).toEqual([...state.keys()].sort());
    for (const [name, tensor] of state) {
      const other = loaded.get(name)!;
      expect([other.dtype, other.shape]).toEqual([tensor.dtype, tensor.shape]);
      expect(await other.data()).toEqual(await tensor.data());
    }
  });

  test("a model saved to a file is the same model when another loads it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gradus-state-"));
    try {
      const path = join(folder, "model.safetensors");
      const [saved, other] = [new gd.nn.Linear(5, 3), new gd.nn.Linear(5, 3)];
      await saveSafetensors(path, saved.stateDict());
      other.loadStateDict(await loadSafetensors(path));
      const x = gd.randn([4, 5]);
      expect(await other.forward(x).data()).toEqual(await saved.forward(x).data());
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("float16 is widened exactly: normal, subnormal, zero and infinite numbers", async () => {
    // Bits and values of IEEE 754's binary16.
    const halves = new Map([
      [0x3c00, 1],
      [0xc000, -2],
      [0x7bff, 65504],
      [0x3555, 0.333251953125],
      [0x0400, 2 ** -14],
      [0x03ff, 1023 * 2 ** -24],
      [0x0001, 2 ** -24],
      [0x8001, -(2 ** -24)],
      [0x0000, 0],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xfc00, Number.NEGATIVE_INFINITY],
      [0x7e00, Number.NaN],
    ]);
    const data = Uint16Array.from(halves.keys());
    const bytes = encodeSafetensors(new Map([["half", { dtype: "float16", shape: [halves.size], data }]]));
    const tensor = decodeState(bytes).get("half")!;
    expect(tensor.dtype).toBe("float32");
    expect([...(await tensor.data())]).toEqual([...halves.values()]);
  });

  test("bfloat16 is widened exactly", async () => {
    const data = Uint16Array.of(0x3f80, 0xc040, 0x0001);
    const bytes = encodeSafetensors(new Map([["brain", { dtype: "bfloat16", shape: [3], data }]]));
    expect([...(await decodeState(bytes).get("brain")!.data())]).toEqual([1, -3, 2 ** -133]);
  });

  test("int64 becomes int32 where it fits, and is refused by name where it does not", async () => {
    const file = (...values: bigint[]): Uint8Array =>
      encodeSafetensors(
        new Map([["steps", { dtype: "int64", shape: [values.length], data: BigInt64Array.from(values) }]]),
      );
    const tensor = decodeState(file(5n, -(2n ** 31n), 2n ** 31n - 1n)).get("steps")!;
    expect(tensor.dtype).toBe("int32");
    expect([...(await tensor.data())]).toEqual([5, -(2 ** 31), 2 ** 31 - 1]);
    expect(() => decodeState(file(1n, 2n ** 31n), "model.safetensors")).toThrow(
      /model\.safetensors, tensor "steps": element 1 is 2147483648/,
    );
  });
});
