// State dicts as safetensors bytes and back: what a model has learned, as tensors. Works on bytes, in Node and in browsers;
// state-file.ts adds the files. Leans on tensor for values and on safetensors.ts for the format.

import { type DType, Tensor, type TypedArray } from "../tensor/index.ts";
import { FileFormatError, quoted } from "./errors.ts";
import { decodeSafetensors, encodeSafetensors, type RawDtype, type RawTensor } from "./safetensors.ts";

/** Tensors by name, as `module.stateDict()` gives them. */
export type TensorMap = ReadonlyMap<string, Tensor>;

/**
 * The bytes of a safetensors file that PyTorch's `safetensors.torch.load` reads, too.
 *
 * @param state tensors by name; their values are read
 * @param metadata free text, such as `{ format: "pt" }`
 */
export async function encodeState(state: TensorMap, metadata?: Readonly<Record<string, string>>): Promise<Uint8Array> {
  return encodeSafetensors(await readValues(state), metadata);
}

/** The values of tensors on the host, by the same names. */
export async function readValues(state: TensorMap): Promise<Map<string, RawTensor>> {
  const raw = new Map<string, RawTensor>();
  // One after the other: what the first one has to compute, the others find done.
  for (const [name, tensor] of state) {
    raw.set(name, { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.data() });
  }
  return raw;
}

/**
 * The tensors of a safetensors file.
 *
 * @param bytes the whole file
 * @param file its name, for errors
 * @returns float16 and bfloat16 as float32, int64 as int32, all else as it is
 * @throws FileFormatError for a malformed file, and for an int64 that no int32 holds
 */
export function decodeState(bytes: Uint8Array, file?: string): Map<string, Tensor> {
  return toTensors(decodeSafetensors(bytes, file).tensors, file);
}

/** Tensors from what a file holds. */
export function toTensors(raw: ReadonlyMap<string, RawTensor>, file = "safetensors data"): Map<string, Tensor> {
  return new Map(
    [...raw].map(([name, { dtype, shape, data }]) => {
      const { as, convert } = READERS[dtype];
      return [name, Tensor.fromArray(convert(data, { file, name }), shape, as)] as const;
    }),
  );
}

/** Which tensor it is about, for errors. */
interface Place {
  readonly file: string;
  readonly name: string;
}

interface Reader {
  /** The dtype of the tensor. */
  readonly as: DType;
  readonly convert: (data: RawTensor["data"], place: Place) => TypedArray;
}

const unchanged = (as: DType): Reader => ({ as, convert: (data) => data as TypedArray });

const READERS: Readonly<Record<RawDtype, Reader>> = {
  float32: unchanged("float32"),
  float64: unchanged("float64"),
  int32: unchanged("int32"),
  uint8: unchanged("uint8"),
  bool: unchanged("bool"),
  int64: { as: "int32", convert: (data, place) => narrowed(data as BigInt64Array, place) },
  float16: { as: "float32", convert: (data) => widened(data as Uint16Array, halfToFloatBits) },
  // The upper half of a float32.
  bfloat16: { as: "float32", convert: (data) => widened(data as Uint16Array, (bits) => bits << 16) },
};

function narrowed(data: BigInt64Array, { file, name }: Place): Int32Array {
  const result = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (value !== (value | 0)) {
      throw new FileFormatError(
        file,
        `tensor ${quoted(name)}`,
        `element ${i} is ${data[i]}, and int32, the widest integer here, ends at ${2 ** 31 - 1}`,
        "Store it as float64, or leave this tensor out.",
      );
    }
    result[i] = value;
  }
  return result;
}

function widened(data: Uint16Array, bitsOf: (bits: number) => number): Float32Array {
  const bits = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) bits[i] = bitsOf(data[i]);
  return new Float32Array(bits.buffer);
}

/** Bits of a float32 of the same value as a float16's (IEEE 754: 1 sign, 5 exponent, 10 fraction bits). */
function halfToFloatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal here, normal there: the leading one moves to its hidden place.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
