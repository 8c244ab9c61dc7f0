// Encodes and decodes safetensors files: a length, a JSON header, and the tensors' bytes. Works on bytes alone, in
// Node and in browsers. The reader treats a file as hostile: every number is checked against the bytes that are there
// before it is used, and nothing is allocated because a header asks for it.
// Format: https://github.com/huggingface/safetensors#format. Data are little-endian and row-major; so is every host of
// JavaScript that Gradus runs on, which lets tensors be views of the file's own bytes.

import { FileFormatError, quoted } from "./errors.ts";
import type { TensorEntry } from "./safetensors-header.ts";
import { METADATA_NAME, MOST_DIMENSIONS, problemOfName, readSafetensorsHeader } from "./safetensors-header.ts";

/** Element types that safetensors files share with Gradus; `float16` and `bfloat16` are kept as their 16 bits. */
export type RawDtype = "float32" | "float64" | "float16" | "bfloat16" | "int32" | "int64" | "uint8" | "bool";

export type RawData = Float32Array | Float64Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array;

/** A tensor as a file knows it. */
export interface RawTensor {
  readonly dtype: RawDtype;
  /** Row-major; `[]` is a scalar of one element. */
  readonly shape: readonly number[];
  /** The elements: a Uint16Array for `float16` and `bfloat16`, a Uint8Array of 0 and 1 for `bool`. */
  readonly data: RawData;
}

interface RawArray {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): RawData;
  readonly BYTES_PER_ELEMENT: number;
}

interface DtypeRow {
  /** The format's name. */
  readonly code: string;
  readonly array: RawArray;
}

// The order of the rows is the order of tensors in a file: wide elements first, so that each stays aligned.
// Among equal widths it is the order of the reference implementation, so that both write the same bytes.
const DTYPES: Readonly<Record<RawDtype, DtypeRow>> = {
  int64: { code: "I64", array: BigInt64Array },
  float64: { code: "F64", array: Float64Array },
  float32: { code: "F32", array: Float32Array },
  int32: { code: "I32", array: Int32Array },
  bfloat16: { code: "BF16", array: Uint16Array },
  float16: { code: "F16", array: Uint16Array },
  uint8: { code: "U8", array: Uint8Array },
  bool: { code: "BOOL", array: Uint8Array },
};

const FILE_ORDER = Object.keys(DTYPES) as RawDtype[];
const DTYPE_OF_CODE: ReadonlyMap<string, RawDtype> = new Map(FILE_ORDER.map((dtype) => [DTYPES[dtype].code, dtype]));

/** Bytes of the number that tells the header's length. */
const LENGTH_BYTES = 8;

/** The reference implementation refuses longer headers, and so do we. */
const LONGEST_HEADER = 100_000_000;

/** The header is padded so that the data begin at a multiple of this many bytes. */
const ALIGNMENT = 8;

/**
 * Writes tensors as the bytes of a safetensors file, the same bytes as the reference implementation's
 * (`safetensors.torch.save`); metadata are written in the order of their keys.
 *
 * @param tensors by name, such as a state dict's; their order does not matter
 * @param metadata free text, such as `{ format: "pt" }`; left out of the file when not given
 * @throws FileFormatError if a name cannot be stored, or an array does not fit its dtype and shape
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, RawTensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const ordered = [...tensors].sort(
    ([leftName, left], [rightName, right]) =>
      FILE_ORDER.indexOf(left.dtype) - FILE_ORDER.indexOf(right.dtype) || compareNames(leftName, rightName),
  );
  const members: string[] = metadata === undefined ? [] : [`"${METADATA_NAME}":${encodeMetadata(metadata)}`];
  let end = 0;
  for (const [name, tensor] of ordered) {
    checkWritable(name, tensor);
    const begin = end;
    end += tensor.data.byteLength;
    const entry = { dtype: DTYPES[tensor.dtype].code, shape: tensor.shape, data_offsets: [begin, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  }
  const header = new TextEncoder().encode(`{${members.join(",")}}`);
  const headerLength = Math.ceil(header.length / ALIGNMENT) * ALIGNMENT;
  if (headerLength > LONGEST_HEADER) {
    refuse("the header", `it takes ${headerLength} bytes, and no reader accepts more than ${LONGEST_HEADER}`);
  }
  const file = new Uint8Array(LENGTH_BYTES + headerLength + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(header, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + header.length, LENGTH_BYTES + headerLength);
  let at = LENGTH_BYTES + headerLength;
  for (const [, { data }] of ordered) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/**
 * Reads the bytes of a safetensors file. Tensors are views of `bytes` where their alignment allows and copies where it
 * does not: keep `bytes` unchanged as long as they are used.
 *
 * @param bytes the whole file
 * @param file the file's name, for errors
 * @returns the tensors by name, in the header's order, and the metadata (empty if the file has none)
 * @throws FileFormatError naming the file, the tensor and the byte, for anything the format does not allow
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  file = "safetensors data",
): { tensors: Map<string, RawTensor>; metadata: Record<string, string> } {
  const text = readHeaderText(bytes, file);
  const dataStart = LENGTH_BYTES + text.byteLength;
  const { entries, metadata } = readSafetensorsHeader(text.decoded, file);
  const dtypes = entries.map((entry) => dtypeOf(entry, file));
  checkCoverage(entries, bytes.length - dataStart, file);
  const tensors = new Map(
    entries.map((entry, i) => [entry.name, readTensor(bytes, dataStart, entry, dtypes[i]!, file)] as const),
  );
  return { tensors, metadata };
}

function readHeaderText(bytes: Uint8Array, file: string): { decoded: string; byteLength: number } {
  const truncated = "The file is cut short or of another format: get it again.";
  if (bytes.length < LENGTH_BYTES) {
    throw new FileFormatError(file, "byte 0", `${bytes.length} bytes cannot hold the header's length of 8`, truncated);
  }
  const claimed = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const available = bytes.length - LENGTH_BYTES;
  if (claimed > BigInt(Math.min(available, LONGEST_HEADER))) {
    const limit = claimed > LONGEST_HEADER ? `at most ${LONGEST_HEADER} are allowed` : `only ${available} follow`;
    throw new FileFormatError(file, "byte 0", `the header claims ${claimed} bytes, but ${limit}`, truncated);
  }
  const byteLength = Number(claimed);
  try {
    // A copy, since decoders refuse shared memory; the byte-order mark is kept, so that it is refused as it should be.
    const header = copyOf(bytes, LENGTH_BYTES, LENGTH_BYTES + byteLength);
    return { decoded: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header), byteLength };
  } catch {
    const place = `bytes ${LENGTH_BYTES} to ${LENGTH_BYTES + byteLength}`;
    throw new FileFormatError(file, place, `the header's ${byteLength} bytes are not UTF-8 text`, truncated);
  }
}

/** Checks one entry against itself: a known dtype, and offsets as far apart as dtype and shape say. */
function dtypeOf(entry: TensorEntry, file: string): RawDtype {
  const dtype = DTYPE_OF_CODE.get(entry.dtype);
  if (dtype === undefined) {
    const known = [...DTYPE_OF_CODE.keys()].join(", ");
    failAt(entry, file, `the element type ${quoted(entry.dtype)} is not supported`, `Convert the tensor to ${known}.`);
  }
  const size = byteSize(entry.shape, DTYPES[dtype].array.BYTES_PER_ELEMENT);
  const offsets = `data_offsets [${entry.begin}, ${entry.end}]`;
  if (entry.begin > entry.end) failAt(entry, file, `${offsets} run backwards`);
  if (size !== entry.end - entry.begin) {
    const needed = size === undefined ? "more than 2^53 bytes" : `${size} bytes`;
    const spanned = `${offsets} span ${entry.end - entry.begin}`;
    failAt(entry, file, `the shape [${entry.shape.join(", ")}] of ${entry.dtype} takes ${needed}, but ${spanned}`);
  }
  return dtype;
}

/** Checks the entries against each other: together they cover the data once, without overlap or hole. */
function checkCoverage(entries: readonly TensorEntry[], dataLength: number, file: string): void {
  let covered = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    const offsets = `data_offsets [${entry.begin}, ${entry.end}]`;
    if (entry.end > dataLength) failAt(entry, file, `${offsets} end past the ${dataLength} bytes of data in the file`);
    if (entry.begin < covered) failAt(entry, file, `${offsets} overlap another tensor, which ends at ${covered}`);
    if (entry.begin > covered) failAt(entry, file, `${offsets} leave a hole: no tensor covers bytes from ${covered}`);
    covered = entry.end;
  }
  if (covered < dataLength) {
    const problem = `${dataLength - covered} of the ${dataLength} bytes of data belong to no tensor`;
    const remedy = "Get the file again; bytes after the last tensor are not allowed.";
    throw new FileFormatError(file, `data byte ${covered}`, problem, remedy);
  }
}

function readTensor(
  bytes: Uint8Array,
  dataStart: number,
  entry: TensorEntry,
  dtype: RawDtype,
  file: string,
): RawTensor {
  const { array } = DTYPES[dtype];
  const length = (entry.end - entry.begin) / array.BYTES_PER_ELEMENT;
  const begin = dataStart + entry.begin;
  const aligned = (bytes.byteOffset + begin) % array.BYTES_PER_ELEMENT === 0;
  const data = aligned
    ? new array(bytes.buffer, bytes.byteOffset + begin, length)
    : new array(copyOf(bytes, begin, dataStart + entry.end).buffer, 0, length);
  if (dtype === "bool") {
    const wrong = (data as Uint8Array).findIndex((value) => value > 1);
    if (wrong >= 0) failAt(entry, file, `element ${wrong} (byte ${begin + wrong}) of a bool tensor is ${data[wrong]}`);
  }
  return { dtype, shape: entry.shape, data };
}

function checkWritable(name: string, { dtype, shape, data }: RawTensor): void {
  const place = `tensor ${quoted(name)}`;
  const problem = name === METADATA_NAME ? "this name is the format's own" : problemOfName(name);
  if (problem !== undefined) refuse(place, problem);
  const row = DTYPES[dtype];
  if (row === undefined) refuse(place, `the element type ${quoted(String(dtype))} is not supported`);
  if (!(data instanceof row.array)) refuse(place, `${dtype} data have to come as ${row.array.name}`);
  if (shape.length > MOST_DIMENSIONS || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    refuse(place, `[${shape.join(", ")}] is not a shape of at most ${MOST_DIMENSIONS} sizes of 0 or more`);
  }
  const elements = byteSize(shape, 1);
  if (elements !== data.length) {
    refuse(
      place,
      `the shape [${shape.join(", ")}] holds ${elements ?? "over 2^53"} elements, the array ${data.length}`,
    );
  }
  if (dtype === "bool" && (data as Uint8Array).some((value) => value > 1)) {
    refuse(place, "a bool tensor holds bytes other than 0 and 1");
  }
}

function encodeMetadata(metadata: Readonly<Record<string, string>>): string {
  const members = Object.entries(metadata).sort(([left], [right]) => compareNames(left, right));
  for (const [key, value] of members) {
    const wellFormed = typeof value === "string" && problemOfName(key) === undefined && !/\p{Surrogate}/u.test(value);
    if (!wellFormed) refuse("the metadata", `${quoted(key)} cannot be stored as text`);
  }
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
}

/** A copy in memory of its own; not `slice`, which for Node's Buffer is a view into shared memory. */
function copyOf(bytes: Uint8Array, begin: number, end: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(begin, end));
}

/** Bytes of a tensor, or undefined where they are too many to count exactly. */
function byteSize(shape: readonly number[], bytesPerElement: number): number | undefined {
  let size = bytesPerElement;
  for (const length of shape) {
    size *= length;
    if (!Number.isSafeInteger(size)) return undefined;
  }
  return size;
}

/** The order of names in a file is that of their UTF-8 bytes, which is the order of their code points. */
function compareNames(left: string, right: string): number {
  let i = 0;
  while (i < left.length && left[i] === right[i]) i += 1;
  return (left.codePointAt(i) ?? -1) - (right.codePointAt(i) ?? -1);
}

function failAt(
  entry: TensorEntry,
  file: string,
  problem: string,
  remedy = "The file is cut short or damaged: get it again, or write it again.",
): never {
  throw new FileFormatError(file, `tensor ${quoted(entry.name)}, byte ${entry.at}`, problem, remedy);
}

function refuse(place: string, problem: string): never {
  throw new FileFormatError("safetensors to be written", place, problem, "Change it before encoding.");
}
