// Tensors as files know them: an element type, a shape and the elements. What every format here reads into and writes from;
// state.ts makes tensors of them. One table says how each element type is held.

/**
 * Element types that occur in files. Gradus computes with `float32`, `float64`, `int32`, `uint8` and `bool`; the others
 * become one of these in memory. `float16` and `bfloat16` are kept as their 16 bits.
 */
export type RawDtype =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool";

/** The arrays that elements of files come in. */
export type RawData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** A tensor as a file knows it. */
export interface RawTensor {
  /** The element type, as the file has it. */
  readonly dtype: RawDtype;
  /** Row-major; `[]` is a scalar of one element. */
  readonly shape: readonly number[];
  /** The elements: a Uint16Array for `float16` and `bfloat16`, a Uint8Array of 0 and 1 for `bool`. */
  readonly data: RawData;
}

interface RawArray {
  new (length: number): RawData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): RawData;
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
}

/** The array that holds each element type. */
export const rawArrays: Readonly<Record<RawDtype, RawArray>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

/** PyTorch and NumPy stop at 64 dimensions. */
export const MOST_DIMENSIONS = 64;

/** Bytes of a tensor, or undefined where they are too many to count exactly. */
export function byteSize(shape: readonly number[], bytesPerElement: number): number | undefined {
  let size = bytesPerElement;
  for (const length of shape) {
    size *= length;
    if (!Number.isSafeInteger(size)) return undefined;
  }
  return size;
}

/** A copy in memory of its own; not `slice`, which for Node's Buffer is a view into shared memory. */
export function copyOf(bytes: Uint8Array, begin: number, end: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(begin, end));
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text, or undefined if they are not UTF-8. A byte-order mark is kept, so that it is refused as it should be. */
export function textOf(bytes: Uint8Array, begin: number, end: number): string | undefined {
  try {
    // A copy, since decoders refuse shared memory.
    return utf8.decode(copyOf(bytes, begin, end));
  } catch {
    return undefined;
  }
}

/** Little-endian bytes as elements: a view where their alignment allows, else a copy. */
export function elementsOf(bytes: Uint8Array, dtype: RawDtype): RawData {
  const array = rawArrays[dtype];
  const length = Math.floor(bytes.length / array.BYTES_PER_ELEMENT);
  if (bytes.byteOffset % array.BYTES_PER_ELEMENT === 0) return new array(bytes.buffer, bytes.byteOffset, length);
  return new array(copyOf(bytes, 0, bytes.length).buffer, 0, length);
}

/** A copy with the bytes of each element in reverse: big-endian becomes little-endian. */
export function withBytesSwapped(bytes: Uint8Array, bytesPerElement: number): Uint8Array<ArrayBuffer> {
  const swapped = new Uint8Array(bytes.length - (bytes.length % bytesPerElement));
  for (let element = 0; element < swapped.length; element += bytesPerElement) {
    const last = element + bytesPerElement - 1;
    for (let i = 0; i < bytesPerElement; i++) swapped[element + i] = bytes[last - i];
  }
  return swapped;
}

/** Strides, in elements, of a tensor whose elements lie one after the other: the last axis fastest. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/**
 * The elements of a strided view, row-major: a view of `source` where they already lie so, else a copy.
 * The caller has checked that every index is within `source`.
 */
export function gathered(
  source: RawData,
  dtype: RawDtype,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): RawData {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements === 0) return new rawArrays[dtype](0);
  // Where an axis has one element, its stride means nothing; passing by sixty such axes would be sixty times the work.
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  const [sizes, steps] = [shape, strides].map((all) => axes.map((axis) => all[axis]));
  const plain = rowMajorStrides(sizes);
  if (steps.every((step, axis) => step === plain[axis])) return source.subarray(offset, offset + elements);
  const result = new rawArrays[dtype](elements);
  const [from, to] = [source as Float64Array, result as Float64Array]; // one of many types, the same one twice
  const last = sizes.length - 1;
  const index = new Array<number>(sizes.length).fill(0);
  let at = offset;
  for (let written = 0; written < elements; ) {
    for (let i = 0; i < sizes[last]; i++) to[written++] = from[at + i * steps[last]];
    for (let axis = last - 1; axis >= 0; axis--) {
      at += steps[axis];
      if (++index[axis] < sizes[axis]) break;
      at -= steps[axis] * sizes[axis];
      index[axis] = 0;
    }
  }
  return result;
}
