// Checkpoints: what comes back, what is refused, and what survives of a directory in which the newest one is damaged.

import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as gd from "gradus";
import { CheckpointStore } from "gradus/node";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";

beforeAll(useDevice);

const { CheckpointError, decodeCheckpoint, encodeCheckpoint, FileFormatError } = gd.io;

const facts = {
  step: 12,
  epoch: 1,
  generator: { seed: 3, drawn: 8 },
  loader: { epoch: 1, position: 2, generator: { seed: 5, drawn: 1 } },
  scheduler: { lastEpoch: 12, baseLrs: [0.1], lastLr: [0.05] },
  history: { points: [{ step: 1, loss: 0.1 + 0.2, worst: Number.POSITIVE_INFINITY, unknown: Number.NaN }] },
  options: { model: "tiny", lr: 1e-300 },
};

function checkpointAt(step: number, model = new gd.nn.BatchNorm1d(4).stateDict()): gd.io.Checkpoint {
  return {
    facts: { ...facts, step },
    model,
    optimizer: {
      state: { 0: { step: 12, exp_avg: gd.randn([4]) }, 3: { momentum_buffer: gd.randn([2, 2]) } },
      param_groups: [{ lr: 0.1, betas: [0.9, 0.999], params: [0, 3] }],
    },
  };
}

describe("the bytes of a checkpoint", () => {
  test("hold every number, tensors and facts alike, NaN and infinities included", async () => {
    const checkpoint = checkpointAt(12);
    const { facts: loaded, model, optimizer } = decodeCheckpoint(await encodeCheckpoint(checkpoint));
    expect(loaded).toEqual(facts);
    expect(optimizer.param_groups).toEqual(checkpoint.optimizer.param_groups);
    expect(optimizer.state[0].step).toBe(12);
    const pairs = [
      ...[...checkpoint.model].map(([name, tensor]) => [tensor, model.get(name)!] as const),
      [checkpoint.optimizer.state[0].exp_avg, optimizer.state[0].exp_avg] as const,
      [checkpoint.optimizer.state[3].momentum_buffer, optimizer.state[3].momentum_buffer] as const,
    ];
    for (const [before, after] of pairs) {
      expect(await (after as gd.Tensor).data()).toEqual(await (before as gd.Tensor).data());
    }
  });

  test("are refused at whatever length they are cut", async () => {
    const bytes = await encodeCheckpoint(checkpointAt(12));
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => decodeCheckpoint(bytes.subarray(0, length), "cut.safetensors")).toThrow(FileFormatError);
    }
  });

  test("are refused where they are a state dict, of a later version, or without a fact", async () => {
    const fileWith = (text: string): Uint8Array => gd.io.encodeSafetensors(new Map(), { "gradus.checkpoint": text });
    const optimizer = { numbers: {}, param_groups: [] };
    expect(() => decodeCheckpoint(gd.io.encodeSafetensors(new Map()))).toThrow(/no checkpoint/);
    expect(() => decodeCheckpoint(fileWith("{"))).toThrow(/no JSON/);
    expect(() => decodeCheckpoint(fileWith("[]"))).toThrow(/no JSON object/);
    expect(() => decodeCheckpoint(fileWith(JSON.stringify({ version: 99 })))).toThrow(/is 99, this one reads 1/);
    for (const name of Object.keys(facts)) {
      const stored = { version: 1, ...facts, optimizer, [name]: undefined };
      expect(() => decodeCheckpoint(fileWith(JSON.stringify(stored)))).toThrow(`"${name}"`);
    }
  });

  test("are not made of a model that holds a NaN, which is named", async () => {
    const state = new Map([["layer.weight", gd.tensor([1, Number.NaN])]]);
    await expect(encodeCheckpoint(checkpointAt(12, state))).rejects.toThrow(CheckpointError);
    await expect(encodeCheckpoint(checkpointAt(12, state))).rejects.toThrow(
      /step 12: element 1 of model\.layer\.weight/,
    );
  });
});

describe("the checkpoints of a directory", () => {
  let folder: string;
  let store: CheckpointStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gradus-checkpoints-"));
    store = new CheckpointStore(folder);
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("are the newest and the one before it", async () => {
    for (const step of [1, 2, 3]) await store.save(checkpointAt(step));
    const { checkpoint, warning } = await new CheckpointStore(folder).load();
    expect([checkpoint.facts.step, warning]).toEqual([3, null]);
    expect(decodeCheckpoint(await readFile(store.previousPath)).facts.step).toBe(2);
  });

  test("give the one before where the newest was cut short, and say so in one line", async () => {
    for (const step of [1, 2]) await store.save(checkpointAt(step));
    await truncate(store.path, 300);
    const { checkpoint, path, warning } = await new CheckpointStore(folder).load();
    expect([checkpoint.facts.step, path]).toEqual([1, store.previousPath]);
    expect(warning).toMatch(/checkpoint\.safetensors.*cut short.*before it, of step 1\.$/);
    expect(warning).not.toContain("\n");
  });

  test("keep the whole one when a damaged one is replaced", async () => {
    for (const step of [1, 2]) await store.save(checkpointAt(step));
    await truncate(store.path, 300);
    const later = new CheckpointStore(folder);
    await later.load();
    await later.save(checkpointAt(5));
    expect(decodeCheckpoint(await readFile(store.previousPath)).facts.step).toBe(1);
    expect((await new CheckpointStore(folder).load()).checkpoint.facts.step).toBe(5);
  });

  test("are refused where none is whole, or none is there", async () => {
    await expect(store.load()).rejects.toThrow(/no checkpoint in/);
    await store.save(checkpointAt(1));
    await truncate(store.path, 20);
    await copyFile(store.path, store.previousPath);
    await expect(new CheckpointStore(folder).load()).rejects.toThrow(CheckpointError);
  });

  test("are untouched by one that cannot be written", async () => {
    await store.save(checkpointAt(1));
    const before = await readFile(store.path);
    await expect(store.save(checkpointAt(2, new Map([["w", gd.tensor([Number.NaN])]])))).rejects.toThrow(/NaN/);
    expect(await readFile(store.path)).toEqual(before);
    expect(existsSync(store.previousPath)).toBe(false);
  });

  test("are whole in a directory where a killed process left its temporary file", async () => {
    await store.save(checkpointAt(1));
    await writeFile(`${store.previousPath}.tmp`, "half");
    await store.save(checkpointAt(2));
    expect(decodeCheckpoint(await readFile(store.previousPath)).facts.step).toBe(1);
  });
});
