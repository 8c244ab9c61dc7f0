// Files of torch.save: what they hold as plain values, and the state dict in them. Works on bytes, in Node and in browsers;
// pt-file.ts adds the files. Nothing of a file is ever run: torch-globals.ts lists what a pickle may name.

import type { Tensor } from "../tensor/index.ts";
import { FileFormatError, quoted } from "./errors.ts";
import { MemoryBudget, type ReadLimits } from "./limits.ts";
import { describeValue, PickleContainer, type PickleValue } from "./pickle-values.ts";
import { type NameFilter, wantedNames } from "./state.ts";
import { TorchArchive } from "./torch-archive.ts";
import { entriesOf, type PtValue, TorchValues } from "./torch-values.ts";

/** Options of `decodePtState` and `loadPtState`. */
export interface PtStateOptions extends ReadLimits, NameFilter {
  /**
   * Which entry of the saved dict holds the state dict, such as "ema". By default "state_dict", "model_state_dict" or
   * "model" where that is a dict, else all that was saved.
   */
  readonly key?: string;
}

const DEFAULT_NAME = "the PyTorch file";

/** Where training scripts put the model's state dict, in the order in which they are looked for. */
const USUAL_KEYS = ["state_dict", "model_state_dict", "model"];

/**
 * Reads a file of `torch.save` (`torch.load(path, weights_only=True)`).
 *
 * Dicts become objects without a prototype, or Maps if a key is neither a text nor an integer; lists and tuples arrays;
 * sets Sets; integers beyond 2^53 bigints; `torch.Size` an array, `torch.device` and dtypes texts such as "cuda:0" and
 * "torch.float32". Attributes of an OrderedDict, where PyTorch keeps versions of layers, are left out.
 *
 * Tensors: float16 and bfloat16 as float32, all integers but uint8 as int32. Views come with their own elements, whatever
 * their strides; the same view is the same tensor wherever it occurs.
 *
 * @example
 * const checkpoint = gd.io.decodePt(bytes) as gd.io.PtRecord;
 * model.loadStateDict(checkpoint.model as Record<string, gd.Tensor>);
 * optimizer.loadStateDict(checkpoint.optimizer as unknown as gd.optim.OptimizerStateDict);
 *
 * @param bytes the whole file, from PyTorch 1.6 or later
 * @param file its name, for errors
 * @throws UnsafePickleError naming the class or function, if the file holds more than plain data and tensors
 * @throws MemoryLimitError if its tensors would take more than `maxBytes`
 * @throws FileFormatError for older formats, TorchScript, and anything malformed
 */
export function decodePt(bytes: Uint8Array, file = DEFAULT_NAME, limits: ReadLimits = {}): PtValue {
  const budget = new MemoryBudget(file, bytes.length, limits);
  const archive = new TorchArchive(bytes, file, budget);
  return new TorchValues(archive, budget).plain(archive.root);
}

/**
 * Reads the state dict of a file of `torch.save`, also out of a training script's checkpoint.
 *
 * @example
 * model.loadStateDict(gd.io.decodePtState(bytes));
 * model.loadStateDict(gd.io.decodePtState(bytes, "run.pt", { key: "ema" }));
 *
 * @param bytes the whole file, from PyTorch 1.6 or later
 * @param file its name, for errors
 * @returns tensors by name; those of nested dicts with a dot between the keys. What is no tensor is left out.
 * @throws as {@link decodePt}, and FileFormatError if there are no tensors, or no entry `key`
 */
export function decodePtState(
  bytes: Uint8Array,
  file = DEFAULT_NAME,
  options: PtStateOptions = {},
): Map<string, Tensor> {
  const budget = new MemoryBudget(file, bytes.length, options);
  const archive = new TorchArchive(bytes, file, budget);
  const part = stateOf(archive.root, options.key, file);
  let tensors = 0;
  const wanted = wantedNames(options);
  const state = new TorchValues(archive, budget).flattened(part, (name) => {
    tensors += 1;
    return wanted(name);
  });
  if (tensors === 0) {
    const what = options.key === undefined ? describeValue(archive.root) : `the entry ${quoted(options.key)}`;
    const remedy = "Read it with decodePt or loadPt to see what it holds.";
    throw new FileFormatError(file, "data.pkl", `${what} holds no tensors`, remedy);
  }
  return state;
}

function stateOf(root: PickleValue, key: string | undefined, file: string): PickleValue {
  const entries = new Map(root instanceof PickleContainer && root.isDict ? entriesOf(root) : []);
  if (key !== undefined) {
    const part = entries.get(key);
    if (part !== undefined) return part;
    const names = [...entries.keys()];
    const known = names.length === 0 ? "none" : names.slice(0, 8).map(quoted).join(", ");
    const more = names.length > 8 ? ` and ${names.length - 8} more` : "";
    throw new FileFormatError(
      file,
      "data.pkl",
      `there is no entry ${quoted(key)}`,
      `Use one of its entries: ${known}${more}.`,
    );
  }
  // The keys of a state dict itself have tensors, not dicts.
  const usual = USUAL_KEYS.map((name) => entries.get(name));
  return usual.find((value) => value instanceof PickleContainer && value.isDict) ?? root;
}
