// Encodes and decodes safetensors files: a length, a JSON header, and the tensors' bytes. Works on bytes alone, in
// Node and in browsers. The reader treats a file as hostile: every number is checked against the bytes that are there
// before it is used, and nothing is allocated because a header asks for it.
// Format: https://github.com/huggingface/safetensors#format. Data are little-endian and row-major; so is every host of
// JavaScript that Gradus runs on, which lets tensors be views of the file's own bytes.

import { FileFormatError, quoted } from "./errors.ts";
import { byteSize, elementsOf, MOST_DIMENSIONS, type RawDtype, type RawTensor, rawArrays, textOf } from "./raw.ts";
import { METADATA_NAME, problemOfName, readSafetensorsHeader, type TensorEntry } from "./safetensors-header.ts";

// The order of the rows is the order of tensors in a file: wide elements first, so that each stays aligned.
// Among equal widths it is the order of the reference implementation, so that both write the same bytes.
const CODES: Readonly<Record<RawDtype, string>> = {
  uint64: "U64",
  int64: "I64",
  float64: "F64",
  float32: "F32",
  uint32: "U32",
  int32: "I32",
  bfloat16: "BF16",
  float16: "F16",
  uint16: "U16",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

const FILE_ORDER = Object.keys(CODES) as RawDtype[];
const DTYPE_OF_CODE: ReadonlyMap<string, RawDtype> = new Map(FILE_ORDER.map((dtype) => [CODES[dtype], dtype]));

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
    const entry = { dtype: CODES[tensor.dtype], shape: tensor.shape, data_offsets: [begin, end] };
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

/** What a safetensors file holds. */
export interface SafetensorsContent {
  /** By name, in the header's order. */
  tensors: Map<string, RawTensor>;
  /** Free text; empty if the file has none. */
  metadata: Record<string, string>;
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
export function decodeSafetensors(bytes: Uint8Array, file = "safetensors data"): SafetensorsContent {
  const layout = readSafetensorsLayout(bytes, bytes.length, file);
  const tensors = new Map(
    layout.entries.map((entry) => {
      const begin = layout.dataStart + entry.begin;
      return [entry.name, readTensor(entry, bytes.subarray(begin, layout.dataStart + entry.end), file)] as const;
    }),
  );
  return { tensors, metadata: layout.metadata };
}

/** What the header says, checked against the length of the file. */
export interface SafetensorsLayout {
  readonly entries: readonly StoredTensor[];
  readonly metadata: Record<string, string>;
  /** Where the data begin: entries count from here. */
  readonly dataStart: number;
}

/** An entry of which dtype, shape and place fit together. */
export interface StoredTensor extends TensorEntry {
  readonly rawDtype: RawDtype;
  /** Where the data of all tensors begin in the file. */
  readonly dataStart: number;
}

/**
 * How many bytes a file's length and header take.
 * @param start the first 8 bytes of the file, or all there are
 * @param fileLength bytes of the whole file
 */
export function safetensorsHeaderEnd(start: Uint8Array, fileLength: number, file: string): number {
  if (start.length < LENGTH_BYTES) {
    const problem = `${start.length} bytes cannot hold the header's length of 8`;
    throw new FileFormatError(file, "byte 0", problem, TRUNCATED);
  }
  const claimed = new DataView(start.buffer, start.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const available = fileLength - LENGTH_BYTES;
  if (claimed > BigInt(Math.min(available, LONGEST_HEADER))) {
    const limit = claimed > LONGEST_HEADER ? `at most ${LONGEST_HEADER} are allowed` : `only ${available} follow`;
    throw new FileFormatError(file, "byte 0", `the header claims ${claimed} bytes, but ${limit}`, TRUNCATED);
  }
  return LENGTH_BYTES + Number(claimed);
}

/**
 * Reads and checks the header.
 * @param start the file from its beginning to the end of the header at least
 * @param fileLength bytes of the whole file
 */
export function readSafetensorsLayout(start: Uint8Array, fileLength: number, file: string): SafetensorsLayout {
  const dataStart = safetensorsHeaderEnd(start, fileLength, file);
  const { entries, metadata } = readSafetensorsHeader(headerText(start, dataStart, file), file);
  const stored = entries.map((entry) => ({ ...entry, rawDtype: dtypeOf(entry, file), dataStart }));
  checkCoverage(stored, fileLength - dataStart, file);
  return { entries: stored, metadata, dataStart };
}

const TRUNCATED = "The file is cut short or of another format: get it again.";

function headerText(bytes: Uint8Array, end: number, file: string): string {
  const text = textOf(bytes, LENGTH_BYTES, end);
  if (text !== undefined) return text;
  const problem = `the header's ${end - LENGTH_BYTES} bytes are not UTF-8 text`;
  throw new FileFormatError(file, `bytes ${LENGTH_BYTES} to ${end}`, problem, TRUNCATED);
}

/** Checks one entry against itself: a known dtype, and offsets as far apart as dtype and shape say. */
function dtypeOf(entry: TensorEntry, file: string): RawDtype {
  const dtype = DTYPE_OF_CODE.get(entry.dtype);
  if (dtype === undefined) {
    const known = [...DTYPE_OF_CODE.keys()].join(", ");
    failAt(entry, file, `the element type ${quoted(entry.dtype)} is not supported`, `Convert the tensor to ${known}.`);
  }
  const size = byteSize(entry.shape, rawArrays[dtype].BYTES_PER_ELEMENT);
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

/**
 * The tensor of an entry.
 * @param bytes those of its elements: the tensor is a view of them where their alignment allows
 */
export function readTensor(entry: StoredTensor, bytes: Uint8Array, file: string): RawTensor {
  const { rawDtype: dtype, shape, dataStart, begin } = entry;
  if (dtype === "bool") {
    const wrong = bytes.findIndex((value) => value > 1);
    if (wrong >= 0) {
      failAt(entry, file, `element ${wrong} (byte ${dataStart + begin + wrong}) of a bool tensor is ${bytes[wrong]}`);
    }
  }
  return { dtype, shape, data: elementsOf(bytes, dtype) };
}

function checkWritable(name: string, { dtype, shape, data }: RawTensor): void {
  const place = `tensor ${quoted(name)}`;
  const problem = name === METADATA_NAME ? "this name is the format's own" : problemOfName(name);
  if (problem !== undefined) refuse(place, problem);
  const array = rawArrays[dtype];
  if (array === undefined) refuse(place, `the element type ${quoted(String(dtype))} is not supported`);
  if (!(data instanceof array)) refuse(place, `${dtype} data have to come as ${array.name}`);
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
