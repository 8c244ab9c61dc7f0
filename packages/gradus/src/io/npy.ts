// NumPy's .npy files: one array each. Works on bytes, in Node and in browsers; numpy-file.ts adds the files. Arrays of
// Python objects are pickles and are refused.
// Format: numpy/lib/format.py.

import type { DType, Tensor } from "../tensor/index.ts";
import { FileFormatError } from "./errors.ts";
import { NPY_MAGIC, NUMPY_CODES, readNpyHeader } from "./npy-header.ts";
import { elementsOf, gathered, type RawTensor, rawArrays, rowMajorStrides, withBytesSwapped } from "./raw.ts";
import { toTensor } from "./state.ts";

const DEFAULT_NAME = "npy data";

/** The data begin at a multiple of this many bytes. */
const ALIGNMENT = 64;
/** Digits of the largest size, for NumPy. */
const LONGEST_SIZE = 21;
/** Magic, version 1.0 and two bytes of length. */
const HEADER_START = NPY_MAGIC.length + 4;

/**
 * Reads a .npy file (`numpy.load`).
 *
 * @param bytes the whole file, of version 1.0, 2.0 or 3.0
 * @param file its name, for errors
 * @returns float16 as float32, integers but uint8 as int32, all else as it is; arrays in Fortran's order row-major
 * @throws FileFormatError for other element types, an integer that no int32 holds, and anything malformed
 */
export function decodeNpy(bytes: Uint8Array, file = DEFAULT_NAME): Tensor {
  return toTensor(readNpy(bytes, file), { file, name: "the array" });
}

/** The array of a .npy file: a view of its bytes where alignment and order allow. */
export function readNpy(bytes: Uint8Array, file: string): RawTensor {
  const { dtype, isBigEndian, fortranOrder, shape, dataStart } = readNpyHeader(bytes, file);
  const stored = bytes.subarray(dataStart);
  const data = elementsOf(isBigEndian ? withBytesSwapped(stored, rawArrays[dtype].BYTES_PER_ELEMENT) : stored, dtype);
  if (dtype === "bool") {
    const wrong = stored.findIndex((value) => value > 1);
    if (wrong >= 0) {
      const problem = `element ${wrong} of a bool array is ${stored[wrong]}`;
      throw new FileFormatError(file, `byte ${dataStart + wrong}`, problem, "The file is damaged: get it again.");
    }
  }
  if (!fortranOrder) return { dtype, shape, data };
  // Row-major strides of the reversed shape are those of the columns.
  const strides = rowMajorStrides([...shape].reverse()).reverse();
  return { dtype, shape, data: gathered(data, dtype, 0, shape, strides) };
}

/**
 * Writes a tensor as a .npy file (`numpy.save`): version 1.0, little-endian, row-major.
 *
 * @param tensor its values are read
 */
export async function encodeNpy(tensor: Tensor): Promise<Uint8Array> {
  return npyOf(tensor.dtype, tensor.shape, await tensor.data());
}

function npyOf(dtype: DType, shape: readonly number[], data: ArrayBufferView): Uint8Array {
  const size = rawArrays[dtype].BYTES_PER_ELEMENT;
  const descr = `${size === 1 ? "|" : "<"}${NUMPY_CODES[dtype]}`;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  // Room for the first size to grow in, as NumPy leaves it.
  const room = " ".repeat(shape.length === 0 ? 0 : LONGEST_SIZE - String(shape[0]).length);
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }${room}`;
  // Spaces up to the alignment, and a line's end.
  const length = Math.ceil((HEADER_START + dict.length + 1) / ALIGNMENT) * ALIGNMENT - HEADER_START;
  const file = new Uint8Array(HEADER_START + length + data.byteLength);
  file.set(NPY_MAGIC);
  file[6] = 1;
  new DataView(file.buffer).setUint16(8, length, true);
  file.set(new TextEncoder().encode(`${dict.padEnd(length - 1)}\n`), HEADER_START);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), HEADER_START + length);
  return file;
}
