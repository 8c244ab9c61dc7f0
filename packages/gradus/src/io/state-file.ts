// State dicts in safetensors files. Node only; leans on state.ts for the bytes and on atomic-file.ts for the writing.

import { readFile } from "node:fs/promises";
import type { Tensor } from "../tensor/index.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import { decodeState, encodeState, type TensorMap } from "./state.ts";

/**
 * Writes tensors to a safetensors file, wholly or not at all.
 *
 * ```ts
 * await saveSafetensors("lenet.safetensors", model.stateDict());
 * ```
 *
 * @param path the file; its directory must exist
 * @param state tensors by name; their values are read
 * @param metadata free text. Default `{ format: "pt" }`, which some readers ask for
 * @throws AtomicWriteError if the system refuses; what was there before is then intact
 */
export async function saveSafetensors(
  path: string,
  state: TensorMap,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Promise<void> {
  await writeFileAtomic(path, await encodeState(state, metadata));
}

/**
 * Reads the tensors of a safetensors file, such as one saved in Python.
 *
 * ```ts
 * model.loadStateDict(await loadSafetensors("lenet.safetensors"));
 * ```
 *
 * @returns tensors by name: float16 and bfloat16 as float32, int64 as int32
 * @throws FileFormatError naming the place in a malformed file, or an int64 that no int32 holds
 */
export async function loadSafetensors(path: string): Promise<Map<string, Tensor>> {
  return decodeState(await readFile(path), path);
}
