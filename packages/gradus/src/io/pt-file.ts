// Files of torch.save. Node only; leans on pt.ts for the bytes.

import { readFile } from "node:fs/promises";
import type { Tensor } from "../tensor/index.ts";
import type { ReadLimits } from "./limits.ts";
import { decodePt, decodePtState, type PtStateOptions } from "./pt.ts";
import type { PtValue } from "./torch-values.ts";

/**
 * Reads a file of `torch.save`, .pt or .pth, as plain values (`torch.load(path, weights_only=True)`). Nothing in it is run.
 *
 * @example
 * const checkpoint = (await loadPt("checkpoint.pt")) as gd.io.PtRecord;
 * console.log(Object.keys(checkpoint)); // [ 'epoch', 'model', 'optimizer' ]
 *
 * @returns as `decodePt`
 * @throws UnsafePickleError, MemoryLimitError or FileFormatError as `decodePt`
 */
export async function loadPt(path: string, limits: ReadLimits = {}): Promise<PtValue> {
  return decodePt(await readFile(path), path, limits);
}

/**
 * Reads the state dict of a file of `torch.save`, also out of a training script's checkpoint. Nothing in it is run.
 *
 * @example
 * model.loadStateDict(await loadPtState("resnet18.pth"));
 *
 * @param options `key` names the entry that holds it; `prefix` and `filter` choose tensors
 * @returns tensors by name: float16 and bfloat16 as float32, integers but uint8 as int32
 * @throws UnsafePickleError, MemoryLimitError or FileFormatError as `decodePtState`
 */
export async function loadPtState(path: string, options: PtStateOptions = {}): Promise<Map<string, Tensor>> {
  return decodePtState(await readFile(path), path, options);
}
