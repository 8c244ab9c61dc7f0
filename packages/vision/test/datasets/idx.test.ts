// IDX files: every element type, and files whose sizes lie.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DatasetError, parseIdx } from "../../src/index.ts";

function idx(type: number, shape: readonly number[], data: Iterable<number>): Uint8Array {
  const bytes = [...data];
  const file = new Uint8Array(4 + 4 * shape.length + bytes.length);
  file.set([0, 0, type, shape.length]);
  const view = new DataView(file.buffer);
  for (const [i, size] of shape.entries()) view.setUint32(4 + 4 * i, size);
  file.set(bytes, 4 + 4 * shape.length);
  return file;
}

/** The big-endian bytes of numbers, through the DataView setter of their type. */
function bigEndian(
  set: "setInt16" | "setInt32" | "setFloat32" | "setFloat64",
  width: number,
  values: readonly number[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * width));
  for (const [i, value] of values.entries()) view[set](i * width, value);
  return new Uint8Array(view.buffer);
}

describe("IDX", () => {
  it.each([
    ["uint8", 0x08, [200, 1, 255, 7, 0, 9], Uint8Array.of(200, 1, 255, 7, 0, 9)],
    ["int8", 0x09, [200, 1, 255, 7, 0, 9], Int8Array.of(-56, 1, -1, 7, 0, 9)],
    ["int16", 0x0b, bigEndian("setInt16", 2, [-2, 258, 7, 1, 0, 9]), Int16Array.of(-2, 258, 7, 1, 0, 9)],
    ["int32", 0x0c, bigEndian("setInt32", 4, [-2, 1 << 20, 7, 1, 0, 9]), Int32Array.of(-2, 1 << 20, 7, 1, 0, 9)],
    ["float32", 0x0d, bigEndian("setFloat32", 4, [-2.5, 0.1, 7, 1, 0, 9]), Float32Array.of(-2.5, 0.1, 7, 1, 0, 9)],
    ["float64", 0x0e, bigEndian("setFloat64", 8, [-2.5, 0.1, 7, 1, 0, 9]), Float64Array.of(-2.5, 0.1, 7, 1, 0, 9)],
  ])("reads %s, wherever in memory the file begins", (dtype, type, raw, data) => {
    const file = idx(type, [2, 1, 3], raw);
    expect(parseIdx(file, "x")).toEqual({ dtype, shape: [2, 1, 3], data });
    const shifted = new Uint8Array(file.length + 3).subarray(3);
    shifted.set(file);
    expect(parseIdx(shifted, "x")).toEqual({ dtype, shape: [2, 1, 3], data });
  });

  it("reads a dimension of size 0 as no elements", () => {
    expect(parseIdx(idx(0x0e, [3, 0], []), "x")).toEqual({
      dtype: "float64",
      shape: [3, 0],
      data: new Float64Array(0),
    });
  });

  it.each([
    ["an empty file", Uint8Array.of(), /byte 0: 0 bytes cannot hold the magic number/],
    ["a first byte that is not zero", Uint8Array.of(1, 0, 8, 1, 0, 0, 0, 0), /magic number 0x01000801/],
    ["a packed file", Uint8Array.of(0x1f, 0x8b, 8, 0), /magic number 0x1f8b0800.*uncompressed/],
    ["the unused type 0x0A", idx(0x0a, [1], [1]), /magic number 0x00000a01/],
    ["a rank of 0", idx(0x08, [], [1]), /rank of at least 1/],
    ["sizes that are cut short", idx(0x08, [2, 2], []).subarray(0, 11), /2 sizes end at byte 12, but the file at 11/],
    ["one byte too few", idx(0x08, [2, 2], [1, 2, 3]), /byte 4: \[2, 2\] elements of uint8 take 4 bytes, but 3 follow/],
    ["one byte too many", idx(0x0b, [2], [1, 2, 3, 4, 5]), /take 4 bytes, but 5 follow byte 8/],
    ["sizes of 4 GB", idx(0x08, [0xffffffff], [1]), /take 4294967295 bytes, but 1/],
    ["sizes beyond 2^53", idx(0x0e, [0xffffffff, 0xffffffff, 0xffffffff], [1]), /more than 2\^53 bytes, but 1/],
    ["255 sizes that overflow a double", idx(0x08, Array(255).fill(0xffffffff), [1]), /more than 2\^53 bytes, but 1/],
  ])("%s is refused, with file and place", (_, bytes, message) => {
    const parse = () => parseIdx(bytes, "train.idx");
    expect(parse).toThrow(DatasetError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^train\.idx, byte \d+: /);
  });

  it("any bytes at all are refused or a valid file", () => {
    const header = fc.tuple(fc.constant(0), fc.constant(0), fc.integer({ min: 7, max: 15 }), fc.nat(3));
    fc.assert(
      fc.property(header, fc.array(fc.nat(4), { maxLength: 24 }), (magic, rest) => {
        try {
          const { shape, data } = parseIdx(Uint8Array.of(...magic, ...rest), "x");
          expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(DatasetError);
        }
      }),
    );
  });
});
