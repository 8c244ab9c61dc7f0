// What the tests of file formats share: golden files, comparing tensors with what is expected, and PyTorch archives made by
// hand from opcodes of a pickle.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import type * as gd from "gradus";
import { expect } from "vitest";
import { FileFormatError } from "../../src/io/errors.ts";

export const goldenFolder = join(import.meta.dirname, "../golden/io");

export const goldenFile = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(join(goldenFolder, name)));

interface Stored {
  readonly shape: readonly number[];
  readonly dtype: gd.DType;
  readonly data: readonly (number | string | boolean)[];
}

/** What tools/golden_io.py says of its files: tensors by name. */
export const expected = JSON.parse(readFileSync(join(goldenFolder, "expected.json"), "utf8")) as Readonly<
  Record<string, Readonly<Record<string, Stored>>>
>;

const numberOf = (value: number | string | boolean): number =>
  value === "inf" ? Number.POSITIVE_INFINITY : value === "-inf" ? Number.NEGATIVE_INFINITY : Number(value);

/** Numbers of a stored tensor. */
export const storedNumbers = (stored: Stored): number[] => stored.data.map(numberOf);

/** Exactly these tensors, element by element: reading a file rounds nothing. */
export async function expectTensors(
  tensors: ReadonlyMap<string, gd.Tensor>,
  table: Readonly<Record<string, Stored>>,
): Promise<void> {
  expect([...tensors.keys()].sort()).toEqual(Object.keys(table).sort());
  for (const [name, stored] of Object.entries(table)) {
    const tensor = tensors.get(name)!;
    expect([name, tensor.dtype, tensor.shape]).toEqual([name, stored.dtype, stored.shape]);
    expect([name, [...(await tensor.data())]]).toEqual([name, storedNumbers(stored)]);
  }
}

/** The error of what has to fail with a FileFormatError. */
export function errorOf(run: () => unknown): FileFormatError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError);
    return error as FileFormatError;
  }
  throw new Error("nothing was thrown");
}

/** Pieces of a pickle: texts stand for their bytes, one each character, and lists for their pieces. */
export type Piece = string | number | Uint8Array | readonly Piece[];

export function bytesOf(...pieces: readonly Piece[]): Uint8Array<ArrayBuffer> {
  const flat = (piece: Piece): readonly Uint8Array[] => {
    if (typeof piece === "number") return [Uint8Array.of(piece)];
    if (typeof piece === "string") return [Uint8Array.from(piece, (character) => character.charCodeAt(0))];
    return piece instanceof Uint8Array ? [piece] : piece.flatMap(flat);
  };
  return new Uint8Array(Buffer.concat(pieces.flatMap(flat)));
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

// Pieces that push one value each.

/** A text. */
export const text = (value: string): Piece => {
  const bytes = new TextEncoder().encode(value);
  return ["X", u32(bytes.length), bytes];
};
export const int = (value: number): Piece => ["J", u32(value)];
export const long = (value: bigint): Piece => [0x8a, 8, u64(value)];
export const global = (module: string, name: string): Piece => `c${module}\n${name}\n`;
export const tuple = (...items: readonly Piece[]): Piece => ["(", items, "t"];
export const dict = (...entries: readonly (readonly [Piece, Piece])[]): Piece => ["}(", entries, "u"];
export const call = (callee: Piece, ...args: readonly Piece[]): Piece => [callee, tuple(...args), "R"];

export const storage = (kind: string, key: string, elements: Piece): Piece => [
  tuple(text("storage"), global("torch", kind), text(key), text("cpu"), elements),
  "Q",
];
export const tensor = (from: Piece, offset: Piece, shape: readonly Piece[], strides: readonly Piece[]): Piece =>
  call(global("torch._utils", "_rebuild_tensor_v2"), from, offset, tuple(...shape), tuple(...strides), 0x89, [
    global("collections", "OrderedDict"),
    ")R",
  ]);

/** A pickle of protocol 2. */
export const pickle = (...pieces: readonly Piece[]): Uint8Array<ArrayBuffer> => bytesOf(0x80, 2, pieces, ".");

export interface TorchFileOptions {
  /** Entries beside data.pkl and storages. */
  readonly entries?: Readonly<Record<string, Uint8Array | string>>;
  /** From 1 to 9; default 0, which stores. */
  readonly level?: 0 | 6 | 9;
}

/** An archive of torch.save with this pickle and these storages. */
export function torchFile(
  data: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
  { entries = {}, level = 0 }: TorchFileOptions = {},
): Uint8Array<ArrayBuffer> {
  const named = [
    ["data.pkl", data],
    ...Object.entries(storages).map(([key, bytes]) => [`data/${key}`, bytes]),
    ...Object.entries({ version: "3\n", ...entries }),
  ] as [string, Uint8Array | string][];
  return zipSync(
    Object.fromEntries(
      named.map(([name, content]) => [
        `archive/${name}`,
        [typeof content === "string" ? new TextEncoder().encode(content) : content, { level }],
      ]),
    ),
  );
}

/** The bytes of numbers. */
export const floats = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
