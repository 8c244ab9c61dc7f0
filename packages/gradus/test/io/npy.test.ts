// NumPy's files: every element type and layout that NumPy wrote, both ways, and what is refused.

import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { zipSync } from "fflate";
import * as gd from "gradus";
import { loadNpy, loadNpz, saveNpy, saveNpz } from "gradus/node";
import { beforeAll, describe, expect, test } from "vitest";
import { useDevice } from "../support/device.ts";
import { bytesOf, errorOf, expected, expectTensors, floats, goldenFile, goldenFolder } from "./files.ts";

beforeAll(useDevice);

const { decodeNpy, decodeNpz, encodeNpy, encodeNpz } = gd.io;

/** A file of version 1.0 whose header is this text. */
const npy = (header: string, data: Uint8Array = new Uint8Array(0), version = 1): Uint8Array =>
  bytesOf(0x93, "NUMPY", version, 0, header.length & 0xff, header.length >> 8, version > 1 ? [0, 0] : [], header, data);

const header = (descr: string, shape: string, order = "False"): string =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

describe("what numpy.save wrote", () => {
  const files = readdirSync(goldenFolder).filter((name) => name.endsWith(".npy"));

  test.each(files)("%s is read to the last bit", async (name) => {
    await expectTensors(new Map([["array", decodeNpy(goldenFile(name), name)]]), expected[name]);
  });

  test.each(["f4", "f8", "i4", "u1", "b1", "scalar", "empty", "vector", "long-shape"])(
    "%s is written with the very same bytes",
    async (name) => {
      const file = goldenFile(`${name}.npy`);
      expect(await encodeNpy(decodeNpy(file))).toEqual(file);
    },
  );

  test.each(["stored.npz", "compressed.npz"])("%s is read, all of it or what is wanted", async (name) => {
    await expectTensors(decodeNpz(goldenFile(name), name), expected[name]);
    const { f2, f4 } = expected[name];
    await expectTensors(decodeNpz(goldenFile(name), name, { prefix: "f", filter: (key) => key !== "fortran" }), {
      f2,
      f4,
    });
  });
});

describe("files by their paths", () => {
  test("come back as they were saved: one array, several, several compressed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gradus-numpy-"));
    try {
      const arrays = new Map<string, gd.Tensor>([
        ["w", gd.randn([3, 4])],
        ["layer.bias", gd.randn([5], { dtype: "float64" })],
        ["mask", gd.tensor([true, false])],
        ["count", gd.tensor(7, { dtype: "int32" })],
      ]);
      await saveNpy(join(folder, "w.npy"), arrays.get("w")!);
      const w = await loadNpy(join(folder, "w.npy"));
      expect([w.dtype, w.shape, await w.data()]).toEqual(["float32", [3, 4], await arrays.get("w")!.data()]);
      for (const compress of [false, true]) {
        const path = join(folder, "arrays.npz");
        await saveNpz(path, arrays, { compress });
        const loaded = await loadNpz(path);
        expect([...loaded.keys()]).toEqual([...arrays.keys()]);
        for (const [name, tensor] of arrays) {
          const other = loaded.get(name)!;
          expect([other.dtype, other.shape]).toEqual([tensor.dtype, tensor.shape]);
          expect(await other.data()).toEqual(await tensor.data());
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("are the same bytes for the same arrays, and smaller where they are compressed", async () => {
    const arrays = new Map([["zeros", gd.zeros([1000])]]);
    const [stored, again, compressed] = [
      await encodeNpz(arrays),
      await encodeNpz(arrays),
      await encodeNpz(arrays, { compress: true }),
    ];
    expect(again).toEqual(stored);
    expect(compressed.length).toBeLessThan(stored.length / 10);
  });
});

describe("headers", () => {
  test("keys come in any order, in either quotation marks, with Python 2's long numbers", async () => {
    const text = `{ "shape" :(2L , 1),"fortran_order": False ,  'descr':'<f4'}  \n`;
    const tensor = decodeNpy(npy(text, floats(1, 2)));
    expect([tensor.shape, [...(await tensor.data())]]).toEqual([
      [2, 1],
      [1, 2],
    ]);
  });

  test("of versions 2.0 and 3.0 have longer lengths", async () => {
    for (const version of [2, 3]) {
      expect([...(await decodeNpy(npy(header("<f4", "(2,)"), floats(1, 2), version)).data())]).toEqual([1, 2]);
    }
  });

  test("Fortran's order of any shape is turned into rows", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }), async (shape) => {
        const count = shape.reduce((product, size) => product * size, 1);
        const rows = gd.arange(count).reshape(shape);
        // The columns' order of a tensor is the rows' order of its transpose.
        const columns = rows.permute(shape.map((_, axis) => shape.length - 1 - axis));
        const data = Float32Array.from(await columns.data());
        const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
        const file = npy(header("<f4", tuple, "True"), new Uint8Array(data.buffer));
        expect([...(await decodeNpy(file).data())]).toEqual([...(await rows.data())]);
      }),
      { numRuns: 50 },
    );
  });
});

describe("what is refused", () => {
  test.each([
    ["objects", /Python objects, which only running a pickle could make/],
    ["text", /"<U2" is text/],
    ["bytes", /"\|S2" is text/],
    ["complex", /complex numbers\. Save numpy\.stack/],
    ["times", /times\. Save array\.astype\('i8'\)/],
    ["records", /structured records/],
    ["half-complex", /"<f16" is not supported/],
    ["wide-integer", /element 0 is 1099511627776, and int32/],
  ])("%s, by what to do about it", (name, message) => {
    const file = `${name}.npy`;
    const error = errorOf(() => decodeNpy(goldenFile(join("refused", file)), file));
    expect(error.message).toMatch(message);
    expect(error.file).toBe(file);
  });

  test.each<readonly [string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(0), /does not begin as \.npy files do/],
    ["version 4.0", npy(header("<f4", "()"), floats(1), 4), /version 4\.0 is not supported/],
    ["no length", bytesOf(0x93, "NUMPY", 1, 0, 5), /length of its header is missing/],
    ["a header past the end", bytesOf(0x93, "NUMPY", 1, 0, 255, 255), /claims 65535 bytes, and 0 follow/],
    [
      "a header of 4 GB",
      bytesOf(0x93, "NUMPY", 2, 0, Array(4).fill(255)),
      /claims 4294967295 bytes, and at most 65536/,
    ],
    ["a header that is not UTF-8", npy("\xff", new Uint8Array(0), 3), /not UTF-8/],
    ["no dict", npy("(1,)"), /expected \{/],
    ["no shape", npy("{'descr': '<f4', 'fortran_order': False}"), /one is missing/],
    ["a key twice", npy("{'descr': '<f4', 'descr': '<f4'}"), /the key "descr" occurs twice/],
    ["an unknown key", npy("{'__proto__': 1}"), /the key "__proto__" is unknown/],
    ["something behind", npy(`${header("<f4", "()").trimEnd()} 1`), /goes on after its closing/],
    ["an order that is 0", npy(header("<f4", "()", "0")), /expected True or False/],
    ["an element type that is a number", npy("{'descr': 4}"), /expected an element type in quotation marks/],
    ["an element type that every object has", npy(header("toString", "()")), /"toString" is not supported/],
    ["a negative size", npy(header("<f4", "(-1,)")), /expected a whole number that is not negative/],
    ["a size of 2^53", npy(header("<f4", "(9007199254740992,)")), /larger than 2\^53 - 1/],
    ["a size of twenty digits", npy(header("<f4", "(99999999999999999999,)")), /the size 9+ is larger than 2\^53 - 1/],
    ["a product that overflows", npy(header("<f4", "(4294967296, 4294967296)")), /takes more than 2\^53 bytes/],
    ["65 axes", npy(header("<f4", `(${"1, ".repeat(65)})`), floats(1)), /a shape is longer than 64/],
    ["a shape without an end", npy("{'descr': '<f4', 'shape': (1, 2"), /expected , or \)/],
    ["too few elements", npy(header("<f4", "(3,)"), floats(1, 2)), /\[3\] of "<f4" takes 12 bytes, and 8 follow/],
    ["a second array", npy(header("<f4", "(1,)"), floats(1, 2)), /takes 4 bytes, and 8 follow.*more than one array/],
    ["a bool that is 2", npy(header("|b1", "(2,)"), Uint8Array.of(1, 2)), /element 1 of a bool array is 2/],
  ])("%s", (_, bytes, message) => {
    expect(errorOf(() => decodeNpy(bytes, "x.npy")).message).toMatch(message);
  });

  test.each(readdirSync(goldenFolder).filter((name) => /\.np[yz]$/.test(name)))(
    "%s, cut at every tenth byte",
    (name) => {
      const bytes = goldenFile(name);
      const decode = name.endsWith("z") ? decodeNpz : decodeNpy;
      for (let length = 0; length < bytes.length; length += 10) errorOf(() => decode(bytes.subarray(0, length), name));
    },
  );

  test("archives that are none, or hold something else", () => {
    expect(errorOf(() => decodeNpz(goldenFile("f4.npy"))).message).toMatch(/a single array. Read it with decodeNpy/);
    expect(errorOf(() => decodeNpz(bytesOf("text"))).message).toMatch(/no end of a ZIP archive/);
    const archive = zipSync({ "readme.txt": bytesOf("x"), "w.npy": goldenFile("f4.npy") });
    expect(errorOf(() => decodeNpz(archive, "a.npz")).message).toMatch(
      /a\.npz, entry "readme\.txt": it is no \.npy file/,
    );
    expect(decodeNpz(archive, "a.npz", { filter: (name) => name === "w" }).size).toBe(1);
    const inside = zipSync({ "w.npy": bytesOf("text") });
    expect(errorOf(() => decodeNpz(inside, "a.npz")).message).toMatch(
      /^a\.npz, entry "w\.npy", byte 0: it does not begin/,
    );
    const polluting = zipSync({ "a.__proto__.b.npy": goldenFile("f4.npy") });
    expect(errorOf(() => decodeNpz(polluting)).message).toMatch(/would reach the prototype/);
  });

  test("archives that become larger than is allowed", async () => {
    const bytes = await encodeNpz(new Map([["zeros", gd.zeros([100_000])]]), { compress: true });
    const error = errorOf(() => decodeNpz(bytes, "zeros.npz", { maxBytes: 100_000 }));
    expect(error).toBeInstanceOf(gd.io.MemoryLimitError);
    expect(decodeNpz(bytes, "zeros.npz", { maxBytes: 500_000 }).size).toBe(1);
  });

  test("names that no archive can hold", async () => {
    for (const name of ["", "__proto__", "\ud800", "é".repeat(32_766)]) {
      await expect(encodeNpz(new Map([[name, gd.tensor(1)]]))).rejects.toThrow(gd.io.FileFormatError);
    }
    const long = "é".repeat(32_765);
    expect([...decodeNpz(await encodeNpz(new Map([[long, gd.tensor(1)]]))).keys()]).toEqual([long]);
  });

  test("as many arrays as only an archive with ZIP64 records holds", async () => {
    const one = gd.tensor(1);
    const many = new Map(Array.from({ length: 2 ** 16 - 1 }, (_, i) => [String(i), one]));
    await expect(encodeNpz(many)).rejects.toThrow(/at most 65534 arrays, not 65535/);
  });
});
