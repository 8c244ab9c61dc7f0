// Changing the keys of state dicts, so that weights fit a model that names its parts otherwise: those of a wrapper's model,
// or the body of a larger one. PyTorch's users write these loops by hand.

import { ArgumentError, type Tensor } from "../tensor/index.ts";
import type { TensorMap } from "./state.ts";

/**
 * The same tensors under other keys, in the same order.
 *
 * @example
 * // The backbone of a detector, without its head.
 * const body = gd.io.renameKeys(state, (key) => (key.startsWith("backbone.") ? key.slice("backbone.".length) : null));
 * model.loadStateDict(body, { strict: false });
 *
 * @param rename gives the new key, or null to leave the tensor out
 * @throws ArgumentError if two tensors would have one key
 */
export function renameKeys(state: TensorMap, rename: (key: string) => string | null): Map<string, Tensor> {
  const renamed = new Map<string, Tensor>();
  const origins = new Map<string, string>();
  for (const [key, tensor] of state) {
    const name = rename(key);
    if (name === null) continue;
    const other = origins.get(name);
    if (other !== undefined) {
      const problem = `${other} and ${key} would both be called ${name}`;
      throw new ArgumentError("renameKeys", problem, "Give each its own key, or leave one out with null.");
    }
    origins.set(name, key);
    renamed.set(name, tensor);
  }
  return renamed;
}

/**
 * The same tensors without a prefix of their keys, where they have it (`consume_prefix_in_state_dict_if_present`).
 * Models that were trained in `torch.nn.DataParallel` have "module." in front of every key, compiled ones "_orig_mod.".
 *
 * @example
 * model.loadStateDict(gd.io.stripPrefix(await loadPtState("parallel.pt"), "module."));
 *
 * @throws ArgumentError if two tensors would have one key
 */
export function stripPrefix(state: TensorMap, prefix: string): Map<string, Tensor> {
  return renameKeys(state, (key) => (key.startsWith(prefix) ? key.slice(prefix.length) : key));
}
