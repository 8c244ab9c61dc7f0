// State dicts as safetensors bytes and back: what a model has learned, as tensors. Works on bytes, in Node and in browsers;
// state-file.ts adds the files. Leans on tensor for values and on safetensors.ts for the format.

import { type DType, Tensor, type TypedArray } from "../tensor/index.ts";
import { FileFormatError, quoted } from "./errors.ts";
import { type HalfDtype, halfFormats, narrowed, widened } from "./half.ts";
import type { RawData, RawDtype, RawTensor } from "./raw.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

/** Tensors by name, as `module.stateDict()` gives them. */
export type TensorMap = ReadonlyMap<string, Tensor>;

/** How tensors are stored. */
export interface StoreOptions {
  /** Free text. Default none in `encodeState`, `{ format: "pt" }` in `saveSafetensors`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * Stores float32 tensors in half of the space, rounded to the nearest: float16 with 11 binary digits up to 65504, or
   * bfloat16 with 8 digits and float32's range. Other dtypes stay as they are. Default: float32 as it is.
   */
  readonly dtype?: HalfDtype;
  /**
   * What happens to finite numbers that are too large for `dtype`: "error" (default) refuses to write, "infinity" stores
   * them as infinite, as PyTorch's `half()` does.
   */
  readonly overflow?: "error" | "infinity";
}

/** Which tensors of a file are read; both have to hold. Names stay as they are: `stripPrefix` shortens them. */
export interface NameFilter {
  /** Only names that begin so. Default all. */
  readonly prefix?: string;
  /** Only names for which it gives true. Default all. */
  readonly filter?: (name: string) => boolean;
}

/** Whether a name is wanted. */
export function wantedNames({ prefix = "", filter = () => true }: NameFilter): (name: string) => boolean {
  return (name) => name.startsWith(prefix) && filter(name);
}

/**
 * The bytes of a safetensors file that PyTorch's `safetensors.torch.load` reads, too.
 *
 * @param state tensors by name; their values are read
 * @throws FileFormatError if a name cannot be stored, or a number does not fit `dtype`
 */
export async function encodeState(state: TensorMap, options: StoreOptions = {}): Promise<Uint8Array> {
  return encodeSafetensors(storedAs(await readValues(state), options), options.metadata);
}

/** The element type in which a tensor is stored. */
export function storedDtype(dtype: DType, { dtype: half }: StoreOptions): RawDtype {
  return half !== undefined && dtype === "float32" ? half : dtype;
}

function storedAs(
  values: ReadonlyMap<string, RawTensor>,
  { dtype: half, overflow: allowed = "error" }: StoreOptions,
): ReadonlyMap<string, RawTensor> {
  if (half === undefined) return values;
  const stored = new Map(values);
  for (const [name, { dtype, shape, data }] of values) {
    if (dtype !== "float32") continue;
    const { halves, overflow } = narrowed(data as Float32Array, half);
    if (overflow >= 0 && allowed === "error") {
      throw new FileFormatError(
        "safetensors to be written",
        `tensor ${quoted(name)}`,
        `element ${overflow} is ${data[overflow]}, and ${half} ends at ${halfFormats[half].largest}`,
        half === "float16"
          ? 'Store it as bfloat16 or float32, or pass { overflow: "infinity" }.'
          : 'Store it as float32, or pass { overflow: "infinity" }.',
      );
    }
    stored.set(name, { dtype: half, shape, data: halves });
  }
  return stored;
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
 * @param filter which tensors; the others are checked, but not converted
 * @returns float16 and bfloat16 as float32, integers but uint8 as int32, all else as it is
 * @throws FileFormatError for a malformed file, and for an integer that no int32 holds
 */
export function decodeState(bytes: Uint8Array, file?: string, filter: NameFilter = {}): Map<string, Tensor> {
  const wanted = wantedNames(filter);
  return toTensors(new Map([...decodeSafetensors(bytes, file).tensors].filter(([name]) => wanted(name))), file);
}

/** Tensors from what a file holds. */
export function toTensors(raw: ReadonlyMap<string, RawTensor>, file = "safetensors data"): Map<string, Tensor> {
  return new Map([...raw].map(([name, tensor]) => [name, toTensor(tensor, { file, name })] as const));
}

/** A tensor from what a file holds. @throws FileFormatError for an integer that no int32 holds */
export function toTensor({ dtype, shape, data }: RawTensor, place: Place): Tensor {
  const { as, convert } = READERS[dtype];
  return Tensor.fromArray(convert(data, place), shape, as);
}

/** The dtype of the tensor that is made of an element type. */
export function tensorDtypeOf(dtype: RawDtype): DType {
  return READERS[dtype].as;
}

/** Which tensor it is about, for errors. */
interface Place {
  readonly file: string;
  readonly name: string;
}

interface Reader {
  /** The dtype of the tensor. */
  readonly as: DType;
  readonly convert: (data: RawData, place: Place) => TypedArray;
}

const unchanged = (as: DType): Reader => ({ as, convert: (data) => data as TypedArray });

const half = (dtype: HalfDtype): Reader => ({
  as: "float32",
  convert: (data) => widened(data as Uint16Array, dtype),
});

/** Integers whose every value an int32 holds. */
const short: Reader = { as: "int32", convert: (data) => Int32Array.from(data as Int16Array) };

const wide: Reader = { as: "int32", convert: inRange };

const READERS: Readonly<Record<RawDtype, Reader>> = {
  float32: unchanged("float32"),
  float64: unchanged("float64"),
  int32: unchanged("int32"),
  uint8: unchanged("uint8"),
  bool: unchanged("bool"),
  int8: short,
  int16: short,
  uint16: short,
  int64: wide,
  uint32: wide,
  uint64: wide,
  float16: half("float16"),
  bfloat16: half("bfloat16"),
};

function inRange(data: RawData, { file, name }: Place): Int32Array {
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
