// The safetensors format: known bytes, round trips, and files that lie.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FileFormatError } from "../../src/io/errors.ts";
import type { RawDtype, RawTensor } from "../../src/io/raw.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";

/** A file from its parts, with the header's true length in front unless another is given. */
function fileOf(header: string | Uint8Array, data: readonly number[] = [], claimedLength?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, claimedLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

function errorOf(run: () => unknown): FileFormatError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError);
    return error as FileFormatError;
  }
  throw new Error("nothing was thrown");
}

/** The error of a file whose header and data are given. */
function refusal(header: string | Uint8Array, data: readonly number[] = [], claimedLength?: bigint): FileFormatError {
  return errorOf(() => decodeSafetensors(fileOf(header, data, claimedLength), "model.safetensors"));
}

const arrays = {
  float32: fc.float32Array({ maxLength: 60 }),
  float64: fc.float64Array({ maxLength: 60 }),
  float16: fc.uint16Array({ maxLength: 60 }),
  bfloat16: fc.uint16Array({ maxLength: 60 }),
  int32: fc.int32Array({ maxLength: 60 }),
  int64: fc.bigInt64Array({ maxLength: 60 }),
  int16: fc.int16Array({ maxLength: 60 }),
  int8: fc.int8Array({ maxLength: 60 }),
  uint64: fc.bigUint64Array({ maxLength: 60 }),
  uint32: fc.uint32Array({ maxLength: 60 }),
  uint16: fc.uint16Array({ maxLength: 60 }),
  uint8: fc.uint8Array({ maxLength: 60 }),
  bool: fc.uint8Array({ maxLength: 60, max: 1 }),
} satisfies Record<RawDtype, fc.Arbitrary<RawTensor["data"]>>;

/** A tensor of any dtype, its elements laid out as [n], [1, n, 1] or, where n is even, [2, n / 2]. */
const tensors: fc.Arbitrary<RawTensor> = fc
  .constantFrom(...(Object.keys(arrays) as RawDtype[]))
  .chain((dtype) => fc.tuple(fc.constant(dtype), arrays[dtype] as fc.Arbitrary<RawTensor["data"]>, fc.nat(2)))
  .map(([dtype, data, layout]) => {
    const n = data.length;
    const shape = layout === 0 ? [n] : layout === 1 || n % 2 === 1 ? [1, n, 1] : [2, n / 2];
    return { dtype, shape, data };
  });

const names = fc
  .string({ unit: "binary", maxLength: 12 })
  .filter((name) => name !== "__metadata__" && !name.includes("__proto__"));

const files = fc.tuple(
  fc.array(fc.tuple(names, tensors), { maxLength: 6 }).map((entries) => new Map(entries)),
  fc.option(fc.dictionary(names, fc.string({ unit: "binary", maxLength: 12 }), { noNullPrototype: true }), {
    nil: undefined,
  }),
);

describe("encoding", () => {
  it("writes length, padded header and data byte for byte as the format says", () => {
    const bytes = encodeSafetensors(
      new Map<string, RawTensor>([
        ["mask", { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) }],
        ["fc.bias", { dtype: "float32", shape: [2], data: Float32Array.of(1, -2) }],
        ["step", { dtype: "int64", shape: [], data: BigInt64Array.of(258n) }],
      ]),
      { format: "pt" },
    );
    const header =
      '{"__metadata__":{"format":"pt"},"step":{"dtype":"I64","shape":[],"data_offsets":[0,8]},' +
      '"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},' +
      '"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8, " ");
    expect(padded.length).toBeGreaterThan(header.length);
    const data = [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1, 0, 1];
    expect(bytes).toEqual(fileOf(padded, data));
  });

  it("writes no tensors at all as an empty object of eight bytes", () => {
    expect(encodeSafetensors(new Map())).toEqual(fileOf("{}      "));
  });

  it("orders wide element types first, and names by code point, not by UTF-16 unit", () => {
    const one = (dtype: RawDtype, data: RawTensor["data"]): RawTensor => ({ dtype, shape: [1], data });
    const bytes = encodeSafetensors(
      new Map<string, RawTensor>([
        ["a", one("uint8", Uint8Array.of(7))],
        ["😀", one("float32", Float32Array.of(1.5))],
        ["\uff5e", one("float32", Float32Array.of(2.5))],
        ["b", one("float32", Float32Array.of(3.5))],
        ["h", one("float16", Uint16Array.of(0x3e00))],
        ["z", one("float64", Float64Array.of(4.5))],
      ]),
    );
    expect([...decodeSafetensors(bytes).tensors.keys()]).toEqual(["z", "b", "\uff5e", "😀", "h", "a"]);
  });

  it("refuses what no reader could read back", () => {
    const data = Float32Array.of(1, 2);
    const encode = (name: string, tensor: object) => () => encodeSafetensors(new Map([[name, tensor as RawTensor]]));
    const good = { dtype: "float32", shape: [2], data };
    const cases: readonly (readonly [() => unknown, RegExp])[] = [
      [encode("__metadata__", good), /format's own/],
      [encode("__proto__", good), /prototype/],
      [encode("layer.__proto__.weight", good), /prototype/],
      [encode("\ud800", good), /surrogate/],
      [encode("w", { ...good, dtype: "complex64" }), /"complex64" is not supported/],
      [encode("w", { ...good, dtype: "float64" }), /Float64Array/],
      [encode("w", { ...good, shape: [3] }), /\[3\] holds 3 elements, the array 2/],
      [encode("w", { ...good, shape: [-1, -2] }), /not a shape/],
      [encode("w", { ...good, shape: Array(65).fill(1) }), /at most 64/],
      [encode("w", { dtype: "bool", shape: [1], data: Uint8Array.of(2) }), /other than 0 and 1/],
      [() => encodeSafetensors(new Map(), { epoch: 3 as unknown as string }), /"epoch" cannot be stored as text/],
    ];
    for (const [run, message] of cases) expect(errorOf(run).message).toMatch(message);
  });
});

describe("decoding", () => {
  it("gives back every tensor and all metadata that were encoded", () => {
    fc.assert(
      fc.property(files, ([map, metadata]) => {
        const bytes = encodeSafetensors(map, metadata);
        const decoded = decodeSafetensors(bytes);
        expect(decoded.tensors).toEqual(map);
        expect(decoded.metadata).toEqual(metadata ?? {});
        expect(encodeSafetensors(decoded.tensors, metadata)).toEqual(bytes);
      }),
    );
  });

  it("copies nothing where the file is aligned, and copies where it is not", () => {
    const bytes = encodeSafetensors(
      new Map<string, RawTensor>([["w", { dtype: "float64", shape: [3], data: Float64Array.of(0.1, -2, 3e9) }]]),
    );
    expect(decodeSafetensors(bytes).tensors.get("w")!.data.buffer).toBe(bytes.buffer);

    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    const copied = decodeSafetensors(shifted).tensors.get("w")!.data;
    expect(copied).toEqual(Float64Array.of(0.1, -2, 3e9));
    expect(copied.buffer).not.toBe(shifted.buffer);
  });

  it("reads unaligned tensors out of Node's Buffer, whose slice does not copy", () => {
    const bytes = fileOf('{"w":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}', [4, 3, 2, 1]);
    expect((8 + bytes.length - 12) % 4).not.toBe(0);
    expect(decodeSafetensors(Buffer.from(bytes)).tensors.get("w")!.data).toEqual(Int32Array.of(0x01020304));
  });

  it("reads bfloat16 as its bits, scalars, empty tensors, spaces and escapes, and any order of keys", () => {
    const header =
      '{"\\u0061\\n":{"shape":[],"data_offsets":[0,2],"dtype":"BF16"},' +
      '"none": {"dtype": "F32", "shape": [2, 0], "data_offsets": [2, 2]} , "__metadata__":{"by":"hand"}}\r\n\t ';
    const { tensors, metadata } = decodeSafetensors(fileOf(header, [0x80, 0x3f]));
    expect(tensors).toEqual(
      new Map<string, RawTensor>([
        ["a\n", { dtype: "bfloat16", shape: [], data: Uint16Array.of(0x3f80) }],
        ["none", { dtype: "float32", shape: [2, 0], data: new Float32Array(0) }],
      ]),
    );
    expect(metadata).toEqual({ by: "hand" });
  });

  it("reads tensors that lie in another order than the header's", () => {
    const header =
      '{"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
    const { tensors } = decodeSafetensors(fileOf(header, [5, 6, 7]));
    expect([...tensors].map(([name, { data }]) => [name, ...(data as Uint8Array)])).toEqual([
      ["b", 6, 7],
      ["a", 5],
    ]);
  });
});

describe("hostile files", () => {
  const entry = (dtype: string, shape: string, offsets: string) =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
  const four = [1, 2, 3, 4];

  it.each([
    ["nothing", new Uint8Array(0), /0 bytes cannot hold/],
    ["seven bytes", new Uint8Array(7), /7 bytes cannot hold/],
    ["a header longer than the file", fileOf("{}", [], 3n), /claims 3 bytes, but only 2 follow/],
    ["a header over 100 MB", fileOf("{}", [], 100_000_001n), /claims 100000001 bytes, but at most 100000000/],
    ["a header of 2^64 - 1 bytes", fileOf("{}", [], 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
    ["invalid UTF-8", fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/],
    ["a byte-order mark", fileOf("\ufeff{}"), /begins with \{/],
    ["an empty header", fileOf(""), /begins with \{/],
    ["white space in front", fileOf(" {}"), /begins with \{/],
    ["an array", fileOf("[]"), /begins with \{/],
    ["something behind the object", fileOf("{}{}"), /goes on after its closing/],
    ["an object without an end", fileOf('{"w"'), /expected :, found the end of the header/],
    ["a text without an end", fileOf('{"w'), /never closed/],
    ["a backslash at the end", fileOf('{"\\'), /never closed/],
    ["an unknown escape", fileOf('{"\\x":1}'), /unknown escape/],
    ["half a surrogate pair", fileOf('{"\\ud800":1}'), /half of a surrogate pair/],
    ["a comma too many", fileOf("{,}"), /expected a name/],
  ])("%s is refused", (_, bytes, message) => {
    expect(errorOf(() => decodeSafetensors(bytes, "model.safetensors")).message).toMatch(message);
  });

  it.each([
    ["a name that occurs twice", `{"w":${entry("U8", "[0]", "[0,0]")},"w":${entry("U8", "[4]", "[0,4]")}}`, /twice/],
    ["metadata that occur twice", '{"__metadata__":{},"__metadata__":{}}', /"__metadata__" occurs twice/],
    ["a metadata key that occurs twice", '{"__metadata__":{"a":"1","a":"2"}}', /"a" occurs twice/],
    ["metadata that are not text", '{"__metadata__":{"a":1}}', /expected a text/],
    ["__proto__ as a metadata key", '{"__metadata__":{"__proto__":"x"}}', /prototype/],
    ["__proto__ as a name", `{"__proto__":${entry("U8", "[4]", "[0,4]")}}`, /prototype/],
    ["__proto__ spelled with escapes", `{"\\u005f_proto__":${entry("U8", "[4]", "[0,4]")}}`, /prototype/],
    ["__proto__ inside a name", `{"a.__proto__.b":${entry("U8", "[4]", "[0,4]")}}`, /prototype/],
    ["a constructor's prototype", `{"constructor.prototype.x":${entry("U8", "[4]", "[0,4]")}}`, /prototype/],
    ["an entry that is no object", '{"w":4}', /tensor "w", byte 13: expected \{, found "4"/],
    ["an entry without a dtype", '{"w":{"shape":[4],"data_offsets":[0,4]}}', /one is missing/],
    ["an unknown key", '{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}}', /"x" is unknown/],
    ["a key that occurs twice", '{"w":{"dtype":"U8","dtype":"I8"}}', /"dtype" is unknown or occurs twice/],
    ["an unsupported dtype", `{"w":${entry("F8_E4M3", "[4]", "[0,4]")}}`, /"F8_E4M3" is not supported/],
    ["a dtype that every object has", `{"w":${entry("toString", "[4]", "[0,4]")}}`, /"toString" is not supported/],
    ["a negative size", `{"w":${entry("U8", "[-4]", "[0,4]")}}`, /not negative, found "-4/],
    ["a fraction", `{"w":${entry("U8", "[4.0]", "[0,4]")}}`, /expected \], found "\."/],
    ["an exponent", `{"w":${entry("U8", "[4e0]", "[0,4]")}}`, /expected \], found "e"/],
    ["a leading zero", `{"w":${entry("U8", "[04]", "[0,4]")}}`, /expected \], found "4"/],
    ["a size of 2^53", `{"w":${entry("U8", "[9007199254740992]", "[0,4]")}}`, /larger than 2\^53 - 1/],
    ["a size of 2^64", `{"w":${entry("U8", "[18446744073709551616]", "[0,4]")}}`, /larger than 2\^53 - 1/],
    ["a product that overflows", `{"w":${entry("U8", "[4294967296,4294967296]", "[0,4]")}}`, /more than 2\^53 bytes/],
    ["too many dimensions", `{"w":${entry("U8", `[${Array(65).fill(1)}]`, "[0,1]")}}`, /longer than 64/],
    ["three offsets", `{"w":${entry("U8", "[4]", "[0,4,4]")}}`, /longer than 2/],
    ["one offset", `{"w":${entry("U8", "[4]", "[0]")}}`, /1 numbers instead of 2/],
    ["a size that does not match", `{"w":${entry("F32", "[2]", "[0,4]")}}`, /\[2\] of F32 takes 8 bytes.* span 4/],
    ["offsets that run backwards", `{"w":${entry("U8", "[4]", "[4,0]")}}`, /\[4, 0\] run backwards/],
    ["offsets past the end", `{"w":${entry("U8", "[5]", "[0,5]")}}`, /end past the 4 bytes/],
    [
      "offsets that overlap",
      `{"a":${entry("U8", "[3]", "[0,3]")},"b":${entry("U8", "[2]", "[2,4]")}}`,
      /tensor "b".*overlap another tensor, which ends at 3/,
    ],
    ["a hole in front", `{"w":${entry("U8", "[3]", "[1,4]")}}`, /hole: no tensor covers bytes from 0/],
    [
      "a hole between",
      `{"a":${entry("U8", "[1]", "[0,1]")},"b":${entry("U8", "[2]", "[2,4]")}}`,
      /tensor "b".*hole: no tensor covers bytes from 1/,
    ],
    ["bytes behind the last tensor", `{"w":${entry("U8", "[3]", "[0,3]")}}`, /data byte 3: 1 of the 4 bytes/],
    ["a bool that is neither 0 nor 1", `{"w":${entry("BOOL", "[4]", "[0,4]")}}`, /element 1 \(byte 64\).* is 2/],
  ])("%s is refused", (_, header, message) => {
    const error = refusal(header, four);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^model\.safetensors, /);
    expect(error.file).toBe("model.safetensors");
  });

  it("places are counted in bytes of the file, not in characters", () => {
    // 8 bytes of length, {" is 2 bytes, é 2, 😀 4, ": 2, then the entry.
    expect(refusal('{"é😀":7}').place).toBe('tensor "é😀", byte 18');
  });

  it("names in messages are shortened and cannot send control codes to a terminal", () => {
    const error = refusal(`{"\\u001b[2J${"w".repeat(1000)}":7}`);
    expect(error.message).toContain('"\\u{1b}[2Jwww');
    expect(error.message.length).toBeLessThan(300);
  });

  it("cutting a file anywhere is refused", () => {
    fc.assert(
      fc.property(files, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), ([map, metadata], part) => {
        const bytes = encodeSafetensors(map, metadata);
        errorOf(() => decodeSafetensors(bytes.subarray(0, Math.floor(bytes.length * part))));
      }),
    );
  });

  it("changing any byte of length or header is refused or still a valid file", () => {
    fc.assert(
      fc.property(files, fc.nat(), fc.integer({ min: 1, max: 255 }), ([map, metadata], where, change) => {
        const bytes = encodeSafetensors(map, metadata);
        const headerEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
        bytes[where % headerEnd]! ^= change;
        try {
          const decoded = decodeSafetensors(bytes);
          encodeSafetensors(decoded.tensors, decoded.metadata);
        } catch (error) {
          expect(error).toBeInstanceOf(FileFormatError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("any bytes at all are refused or a valid file", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (header) => {
        try {
          decodeSafetensors(fileOf(header));
        } catch (error) {
          expect(error).toBeInstanceOf(FileFormatError);
        }
      }),
    );
  });
});
