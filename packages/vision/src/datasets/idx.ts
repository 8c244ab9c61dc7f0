// Parses IDX, the file format of MNIST: a magic number that tells element type and rank, the sizes, the elements, all
// big-endian. Strict: the sizes have to account for every byte of the file, and nothing is allocated before they do.
// Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", http://yann.lecun.com/exdb/mnist

import { DatasetError } from "./errors.ts";

interface IdxArrays {
  readonly uint8: Uint8Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly float32: Float32Array;
  readonly float64: Float64Array;
}

/** The element types of IDX files. */
export type IdxDtype = keyof IdxArrays;

/** What an IDX file holds. */
export type IdxArray = {
  [D in IdxDtype]: {
    /** The element type, as the file's magic number tells it. */
    readonly dtype: D;
    /** One to 255 sizes; the last varies fastest. */
    readonly shape: readonly number[];
    /** The elements, row-major. */
    readonly data: IdxArrays[D];
  };
}[IdxDtype];

interface DtypeRow {
  readonly dtype: IdxDtype;
  readonly bytes: number;
  /** The elements from `start` on, of which there are `count`; already known to lie within the file. */
  readonly read: (bytes: Uint8Array, start: number, count: number) => IdxArray["data"];
}

/** Element types by the third byte of the magic number; 0x0A is not in use. */
const DTYPES: ReadonlyMap<number, DtypeRow> = new Map<number, DtypeRow>([
  // Not subarray: of Node's Buffer that would be another Buffer.
  [0x08, { dtype: "uint8", bytes: 1, read: (b, start, n) => new Uint8Array(b.buffer, b.byteOffset + start, n) }],
  [0x09, { dtype: "int8", bytes: 1, read: (b, start, n) => new Int8Array(b.buffer, b.byteOffset + start, n) }],
  [0x0b, { dtype: "int16", bytes: 2, read: (b, start, n) => fill(new Int16Array(n), b, start, 2, "getInt16") }],
  [0x0c, { dtype: "int32", bytes: 4, read: (b, start, n) => fill(new Int32Array(n), b, start, 4, "getInt32") }],
  [0x0d, { dtype: "float32", bytes: 4, read: (b, start, n) => fill(new Float32Array(n), b, start, 4, "getFloat32") }],
  [0x0e, { dtype: "float64", bytes: 8, read: (b, start, n) => fill(new Float64Array(n), b, start, 8, "getFloat64") }],
]);

const MAGIC_BYTES = 4;
const SIZE_BYTES = 4;

/**
 * Parses an IDX file.
 *
 * @param bytes the whole file, uncompressed
 * @param file its name, for errors
 * @returns the elements; for bytes a view of `bytes`, for wider types a copy in the host's byte order
 * @throws DatasetError for a wrong magic number, or sizes that do not account for exactly the bytes that are there
 */
export function parseIdx(bytes: Uint8Array, file: string): IdxArray {
  const fail = (at: number, problem: string, remedy = "The file is cut short or damaged: get it again."): never => {
    throw new DatasetError(file, `byte ${at}`, problem, remedy);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < MAGIC_BYTES) fail(0, `${bytes.length} bytes cannot hold the magic number of ${MAGIC_BYTES}`);
  const row = DTYPES.get(view.getUint16(0) === 0 ? bytes[2]! : -1);
  const rank = bytes[3]!;
  if (row === undefined || rank === 0) {
    const magic = view.getUint32(0).toString(16).padStart(8, "0");
    const known = "zero, zero, a type of 08, 09, 0b, 0c, 0d or 0e, and a rank of at least 1";
    return fail(0, `the magic number 0x${magic} is not ${known}`, "Make sure that this is an uncompressed IDX file.");
  }
  const start = MAGIC_BYTES + rank * SIZE_BYTES;
  if (bytes.length < start) fail(MAGIC_BYTES, `${rank} sizes end at byte ${start}, but the file at ${bytes.length}`);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(MAGIC_BYTES + i * SIZE_BYTES));
  const count = shape.reduce((product, size) => product * size, 1);
  // A product beyond 2^53 is rounded, but it can never be rounded to the length of a file.
  if (count * row.bytes !== bytes.length - start) {
    const needed = Number.isSafeInteger(count * row.bytes) ? `${count * row.bytes}` : "more than 2^53";
    const there = `${bytes.length - start} follow byte ${start}`;
    fail(MAGIC_BYTES, `[${shape.join(", ")}] elements of ${row.dtype} take ${needed} bytes, but ${there}`);
  }
  return { dtype: row.dtype, shape, data: row.read(bytes, start, count) } as IdxArray;
}

type Getter = "getInt16" | "getInt32" | "getFloat32" | "getFloat64";

function fill<A extends IdxArray["data"]>(target: A, bytes: Uint8Array, start: number, width: number, get: Getter): A {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, target.length * width);
  for (let i = 0; i < target.length; i += 1) target[i] = view[get](i * width);
  return target;
}
