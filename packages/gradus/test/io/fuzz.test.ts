// Ten thousand damaged files: each is read or refused by an error of this library's own, and none takes more memory than a
// small multiple of its size. The mutations are seeded: a failure names the one that made it.

import { unzipSync, zipSync } from "fflate";
import * as gd from "gradus";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { goldenFile } from "./files.ts";

beforeAll(useDevice);

const { decodeNpy, decodeNpz, decodePt, decodePtState, decodeSafetensors, decodeState, encodeSafetensors } = gd.io;

const SEED = 20240229;
const MUTATIONS_OF_EACH = 2_500;

/** What may be made of a file here. */
const limitFor = (bytes: Uint8Array): number => 16 * bytes.length + 2 ** 16;

/**
 * What reading a file may take: elements once from the archive and once converted, beside what was made of it before it was
 * refused; and objects, of which an error, its stack and the decoders of texts take most for a file this small.
 */
const memoryFor = (bytes: Uint8Array) => ({
  buffers: 2 * limitFor(bytes),
  objects: 64 * bytes.length + 2 ** 21,
});

/** Numbers from 0 up to but excluding `end`: mulberry32. */
function generator(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % end;
  };
}

type Random = ReturnType<typeof generator>;

/** Numbers at which programs stumble, in 8 bytes, little-endian. */
const edges = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

const mutations: Readonly<Record<string, Mutation>> = {
  "a bit flipped": (bytes, random) => {
    const copy = Uint8Array.from(bytes);
    copy[random(copy.length)] ^= 1 << random(8);
    return copy;
  },
  "several bits flipped": (bytes, random) => {
    const copy = Uint8Array.from(bytes);
    for (let i = 2 + random(20); i > 0; i--) copy[random(copy.length)] ^= 1 << random(8);
    return copy;
  },
  "a byte replaced": (bytes, random) => {
    const copy = Uint8Array.from(bytes);
    copy[random(copy.length)] = random(256);
    return copy;
  },
  "a number replaced": (bytes, random) => {
    const copy = Uint8Array.from(bytes);
    const width = [1, 2, 4, 8][random(4)];
    const number = new Uint8Array(BigUint64Array.of(edges[random(edges.length)]).buffer, 0, width);
    copy.set(number.subarray(0, copy.length), random(Math.max(1, copy.length - width)));
    return copy;
  },
  "its end cut off": (bytes, random) => bytes.slice(0, random(bytes.length)),
  "bytes put in": (bytes, random) => {
    const at = random(bytes.length);
    const inserted = Uint8Array.from({ length: 1 + random(16) }, () => random(256));
    return joined(bytes.subarray(0, at), inserted, bytes.subarray(at));
  },
  "bytes taken out": (bytes, random) => {
    const at = random(bytes.length);
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random(16)));
  },
  "a part of it repeated": (bytes, random) => {
    const [begin, at] = [random(bytes.length), random(bytes.length)];
    const part = bytes.subarray(begin, begin + 1 + random(64));
    return joined(bytes.subarray(0, at), part, bytes.subarray(at));
  },
  "the end of another file": (bytes, random, other) =>
    joined(bytes.subarray(0, random(bytes.length)), other.subarray(random(other.length))),
  "a part of another file": (bytes, random, other) => {
    const copy = Uint8Array.from(bytes);
    const begin = random(other.length);
    const part = other.subarray(begin, begin + 1 + random(64));
    copy.set(part.subarray(0, copy.length), random(Math.max(1, copy.length - part.length)));
    return copy;
  },
};
const kinds = Object.keys(mutations);

/** Damages the contents of an archive instead of the archive: its checksums are right, so what reads the contents is met. */
function insideArchive(mutate: (bytes: Uint8Array) => Uint8Array, archive: Uint8Array, random: Random): Uint8Array {
  const entries = Object.entries(unzipSync(archive));
  // The largest share for what describes the rest.
  const described = entries.findIndex(([name]) => name.endsWith("data.pkl"));
  const chosen = described >= 0 && random(4) > 0 ? described : random(entries.length);
  const damaged = entries.map(([name, content], i) => [
    name,
    i === chosen && content.length > 0 ? mutate(content) : content,
  ]);
  return zipSync(Object.fromEntries(damaged), { level: random(4) === 0 ? 6 : 0 });
}

const raw = (dtype: gd.io.RawDtype, shape: readonly number[], data: gd.io.RawData): gd.io.RawTensor => ({
  dtype,
  shape,
  data,
});

const safetensors = encodeSafetensors(
  new Map([
    [
      "layer.weight",
      raw(
        "float32",
        [4, 3],
        Float32Array.from({ length: 12 }, (_, i) => i / 7),
      ),
    ],
    ["layer.bias", raw("float16", [4], Uint16Array.of(1, 0x3c00, 0x7c00, 0x8001))],
    ["count", raw("int64", [], BigInt64Array.of(7n))],
    ["mask", raw("bool", [3], Uint8Array.of(1, 0, 1))],
  ]),
  { format: "pt" },
);

interface Format {
  readonly files: readonly Uint8Array[];
  readonly decode: (bytes: Uint8Array) => unknown;
}

const formats: Readonly<Record<string, Format>> = {
  "torch.save": {
    files: ["lstm.pt", "lstm-protocol-4.pt", "half.pt", "dtypes.pt", "views.pt", "checkpoint.pt"].map(goldenFile),
    decode: (bytes) => {
      const limits = { maxBytes: limitFor(bytes) };
      const value = decodePt(bytes, "fuzz.pt", limits);
      try {
        decodePtState(bytes, "fuzz.pt", limits);
      } catch (error) {
        if (!(error instanceof gd.io.FileFormatError)) throw error;
      }
      return value;
    },
  },
  "numpy.save": {
    files: ["f2", "f4", "i8", "b1", "big-f8", "fortran", "scalar", "empty", "long-shape", "version-2", "version-3"].map(
      (name) => goldenFile(`${name}.npy`),
    ),
    decode: (bytes) => decodeNpy(bytes, "fuzz.npy"),
  },
  "numpy.savez": {
    files: ["stored.npz", "compressed.npz"].map(goldenFile),
    decode: (bytes) => decodeNpz(bytes, "fuzz.npz", { maxBytes: limitFor(bytes) }),
  },
  safetensors: {
    files: [safetensors],
    decode: (bytes) => {
      decodeSafetensors(bytes, "fuzz.safetensors");
      return decodeState(bytes, "fuzz.safetensors");
    },
  },
};

/**
 * Fails if a file takes more memory than it may. The engine takes some of its own, now and then: only what takes too much
 * each of several times counts. A collection makes what is counted smaller, and there are few.
 */
function expectLittleMemory(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): void {
  const allowed = memoryFor(bytes);
  let taken = "";
  for (let attempt = 0; attempt < 4; attempt++) {
    const before = process.memoryUsage();
    let error: unknown;
    try {
      decode(bytes);
    } catch (thrown) {
      error = thrown;
    }
    const after = process.memoryUsage();
    const [buffers, objects] = [after.arrayBuffers - before.arrayBuffers, after.heapUsed - before.heapUsed];
    if (buffers <= allowed.buffers && objects <= allowed.objects) {
      if (error !== undefined) throw error;
      return;
    }
    taken = `${buffers} bytes of buffers (${allowed.buffers} allowed), ${objects} of objects (${allowed.objects})`;
  }
  throw new Error(`${bytes.length} bytes took ${taken}`);
}

describe("ten thousand damaged files", () => {
  test.each(Object.entries(formats))(
    "of %s are read or refused, within a small multiple of their size",
    async (_, format) => {
      const random = generator(SEED);
      const others = Object.values(formats).flatMap(({ files }) => files);
      const outcomes = { read: 0, refused: 0 };
      for (let i = 0; i < MUTATIONS_OF_EACH; i++) {
        // Finalizers of dropped tensors run between turns of the event loop.
        if (i % 250 === 0) await new Promise((resolve) => setImmediate(resolve));
        const file = format.files[random(format.files.length)];
        const other = others[random(others.length)];
        const kind = kinds[random(kinds.length)];
        const mutate = (bytes: Uint8Array): Uint8Array => mutations[kind](bytes, random, other);
        const isArchive = file[0] === 0x50 && random(3) > 0;
        const damaged = isArchive ? insideArchive(mutate, file, random) : mutate(file);
        try {
          expectLittleMemory(damaged, format.decode);
          outcomes.read += 1;
        } catch (error) {
          if (!(error instanceof gd.io.FileFormatError)) {
            throw new Error(`mutation ${i}, ${kind}: ${String(error)}`, { cause: error });
          }
          expect(error.message.length).toBeLessThan(1000);
          outcomes.refused += 1;
        }
      }
      expect(outcomes.read).toBeGreaterThan(MUTATIONS_OF_EACH / 50);
      expect(outcomes.refused).toBeGreaterThan(MUTATIONS_OF_EACH / 4);
    },
  );
});
