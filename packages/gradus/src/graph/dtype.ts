// The element types of tensors: their sizes, their JavaScript arrays, and PyTorch's promotion rules.

/** Element types. `float32` is the default; `bool` is stored as one byte of 0 or 1. */
export type DType = "float32" | "float64" | "int32" | "uint8" | "bool";

/** The JavaScript array that holds elements of a dtype on the host. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** What there is to know of an element type. */
export interface DTypeFacts {
  /** Of one element. */
  readonly bytes: number;
  /** Promotion order: a higher category wins, within a category the higher rank wins. */
  readonly category: "bool" | "integer" | "float";
  /** Of two dtypes of tensors the one of the higher rank is the result's. */
  readonly rank: number;
  /** A host array of so many zeros, or over a part of a buffer. */
  readonly create: (source: number | ArrayBufferLike, byteOffset?: number, length?: number) => TypedArray;
}

/** What is known of each element type: size in bytes, place in promotion, and JavaScript's array. */
export const dtypes: { readonly [D in DType]: DTypeFacts } = {
  bool: { bytes: 1, category: "bool", rank: 0, create: (s, o, n) => new Uint8Array(s as ArrayBuffer, o, n) },
  uint8: { bytes: 1, category: "integer", rank: 1, create: (s, o, n) => new Uint8Array(s as ArrayBuffer, o, n) },
  int32: { bytes: 4, category: "integer", rank: 2, create: (s, o, n) => new Int32Array(s as ArrayBuffer, o, n) },
  float32: { bytes: 4, category: "float", rank: 3, create: (s, o, n) => new Float32Array(s as ArrayBuffer, o, n) },
  float64: { bytes: 8, category: "float", rank: 4, create: (s, o, n) => new Float64Array(s as ArrayBuffer, o, n) },
};

/** A host array of `length` zeros for a dtype. */
export function createTypedArray(dtype: DType, length: number): TypedArray {
  return dtypes[dtype].create(length);
}

/** Whether a dtype is float32 or float64: only these have gradients. */
export function isFloat(dtype: DType): boolean {
  return dtypes[dtype].category === "float";
}

/** The dtype of an operation between two tensors (`torch.promote_types`). */
export function promote(a: DType, b: DType): DType {
  return dtypes[a].rank >= dtypes[b].rank ? a : b;
}

const categoryOrder = { bool: 0, integer: 1, float: 2 } as const;

/**
 * The dtype of an operation between a tensor and a plain number: a number only lifts the category, never the width
 * (PyTorch's rule for Python scalars).
 */
export function promoteWithNumber(dtype: DType, value: number): DType {
  const category = Number.isInteger(value) ? "integer" : "float";
  if (categoryOrder[category] <= categoryOrder[dtypes[dtype].category]) return dtype;
  return category === "float" ? "float32" : "int32";
}
