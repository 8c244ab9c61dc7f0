// NumPy's files. Node only; leans on npy.ts and npz.ts for the bytes and on atomic-file.ts for the writing.

import { readFile } from "node:fs/promises";
import type { Tensor } from "../tensor/index.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import type { ReadLimits } from "./limits.ts";
import { decodeNpy, encodeNpy } from "./npy.ts";
import { decodeNpz, encodeNpz, type NpzOptions } from "./npz.ts";
import type { NameFilter, TensorMap } from "./state.ts";

/**
 * Reads an array that `numpy.save` wrote.
 *
 * @example
 * const images = await loadNpy("images.npy");
 *
 * @returns float16 as float32, integers but uint8 as int32, all else as it is
 * @throws FileFormatError naming the place in a malformed file, for other element types, an integer that no int32 holds
 */
export async function loadNpy(path: string): Promise<Tensor> {
  return decodeNpy(await readFile(path), path);
}

/**
 * Writes a tensor as a file that `numpy.load` reads, wholly or not at all.
 *
 * @param path the file; its directory must exist. Nothing is added to its name
 * @param tensor its values are read
 * @throws AtomicWriteError if the system refuses; what was there before is then intact
 */
export async function saveNpy(path: string, tensor: Tensor): Promise<void> {
  await writeFileAtomic(path, await encodeNpy(tensor));
}

/**
 * Reads arrays that `numpy.savez` or `numpy.savez_compressed` wrote.
 *
 * @example
 * const { images, labels } = Object.fromEntries(await loadNpz("digits.npz"));
 *
 * @param options which arrays, and how many bytes they may take when they are decompressed
 * @throws MemoryLimitError if they would take more than `maxBytes`
 * @throws FileFormatError as {@link loadNpy}
 */
export async function loadNpz(path: string, options: ReadLimits & NameFilter = {}): Promise<Map<string, Tensor>> {
  return decodeNpz(await readFile(path), path, options);
}

/**
 * Writes tensors as a file that `numpy.load` reads, wholly or not at all.
 *
 * @example
 * await saveNpz("latent.npz", new Map([["z", z], ["labels", labels]]), { compress: true });
 *
 * @param path the file; its directory must exist. Nothing is added to its name
 * @param tensors by name; their values are read
 * @throws AtomicWriteError if the system refuses; what was there before is then intact
 * @throws FileFormatError if a name cannot be stored, or the file would have 4 GB or more
 */
export async function saveNpz(path: string, tensors: TensorMap, options: NpzOptions = {}): Promise<void> {
  await writeFileAtomic(path, await encodeNpz(tensors, options));
}
