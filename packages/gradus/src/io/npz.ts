// NumPy's .npz files: ZIP archives of .npy files, stored or deflated. Works on bytes, in Node and in browsers; numpy-file.ts
// adds the files. Leans on zip.ts to read and on fflate, loaded then, to write.

import type { Zippable } from "fflate";
import type { Tensor } from "../tensor/index.ts";
import { FileFormatError, quoted } from "./errors.ts";
import { MemoryBudget, type ReadLimits } from "./limits.ts";
import { encodeNpy, readNpy } from "./npy.ts";
import { looksLikeNpy } from "./npy-header.ts";
import { problemOfName } from "./safetensors-header.ts";
import { type NameFilter, type TensorMap, toTensor, wantedNames } from "./state.ts";
import { readZip } from "./zip.ts";

const DEFAULT_NAME = "npz data";
const EXTENSION = ".npy";

/**
 * Without ZIP64, which the writer does not know, sizes and places have 32 bits, the number of entries and the length of a
 * name 16; all bits set mean "in a ZIP64 record".
 */
const LARGEST_ARCHIVE = 2 ** 32 - 2;
const MOST_ENTRIES = 2 ** 16 - 2;
const LONGEST_NAME = 2 ** 16 - 1;
const OTHERWISE = "Use saveSafetensors, or several files.";

/** The time of every entry, as NumPy writes it: the same arrays give the same bytes. */
const EARLIEST = new Date(1980, 0, 1);

/** Options of `encodeNpz` and `saveNpz`. */
export interface NpzOptions {
  /** Whether arrays are compressed (`numpy.savez_compressed`). Default false. */
  readonly compress?: boolean;
}

/**
 * Reads a .npz file (`numpy.load`).
 *
 * @param bytes the whole file
 * @param file its name, for errors
 * @param options which arrays are read, and how many bytes they may take
 * @returns tensors by name, in the file's order; dtypes as those of {@link decodeNpy}
 * @throws MemoryLimitError if decompressed arrays would take more than `maxBytes`
 * @throws FileFormatError as decodeNpy, for what is wanted
 */
export function decodeNpz(
  bytes: Uint8Array,
  file = DEFAULT_NAME,
  options: ReadLimits & NameFilter = {},
): Map<string, Tensor> {
  if (looksLikeNpy(bytes)) {
    throw new FileFormatError(file, "byte 0", "this is a single array", "Read it with decodeNpy or loadNpy.");
  }
  const wanted = wantedNames(options);
  const tensors = new Map<string, Tensor>();
  for (const entry of readZip(bytes, file, new MemoryBudget(file, bytes.length, options)).values()) {
    const isArray = entry.name.endsWith(EXTENSION);
    const name = isArray ? entry.name.slice(0, -EXTENSION.length) : entry.name;
    if (!wanted(name)) continue;
    const place = `entry ${quoted(entry.name)}`;
    if (!isArray) {
      const remedy = "Leave it out with the option filter, or write the file with numpy.savez.";
      throw new FileFormatError(file, place, "it is no .npy file", remedy);
    }
    const problem = problemOfName(name);
    if (problem !== undefined) throw new FileFormatError(file, place, problem, "Write it under another name.");
    tensors.set(name, toTensor(readNpy(entry.read(), `${file}, ${place}`), { file, name }));
  }
  return tensors;
}

/**
 * Writes tensors as a .npz file (`numpy.savez`).
 *
 * @param tensors by name; their values are read
 * @throws FileFormatError if a name cannot be stored, or the file would have 4 GB or more
 */
export async function encodeNpz(tensors: TensorMap, { compress = false }: NpzOptions = {}): Promise<Uint8Array> {
  const refuse = (place: string, problem: string, remedy: string): never => {
    throw new FileFormatError("npz to be written", place, problem, remedy);
  };
  if (tensors.size > MOST_ENTRIES) {
    refuse("the archive", `it holds at most ${MOST_ENTRIES} arrays, not ${tensors.size}`, OTHERWISE);
  }
  const encoder = new TextEncoder();
  const entries: Zippable = {};
  let total = 0;
  for (const [name, tensor] of tensors) {
    const nameBytes = encoder.encode(name + EXTENSION).length;
    const problem =
      problemOfName(name) ??
      (name === "" ? "the name is empty" : undefined) ??
      (nameBytes > LONGEST_NAME ? `the name has ${nameBytes} bytes, and at most ${LONGEST_NAME} fit` : undefined);
    if (problem !== undefined) refuse(`tensor ${quoted(name)}`, problem, "Change it before encoding.");
    const bytes = await encodeNpy(tensor);
    // An entry's header and its line in the directory, its name in both.
    total += bytes.length + 2 * nameBytes + 128;
    entries[name + EXTENSION] = [bytes, { level: compress ? 6 : 0, mtime: EARLIEST }];
  }
  if (total > LARGEST_ARCHIVE) refuse("the archive", `it holds less than 4 GB, not ${total} bytes`, OTHERWISE);
  const { zipSync } = await import("fflate");
  return zipSync(entries);
}
