// From what a PyTorch pickle describes to JavaScript: dicts become objects or Maps, lists and tuples arrays, tensors tensors.
// What is shared in the file stays shared, so nothing grows by being referred to often; what refers to itself is refused.

import type { Tensor } from "../tensor/index.ts";
import { FileFormatError, quoted } from "./errors.ts";
import { type MemoryBudget, MemoryLimitError } from "./limits.ts";
import { describeValue, PickleContainer, type PickleValue } from "./pickle-values.ts";
import { problemOfName } from "./safetensors-header.ts";
import { tensorDtypeOf, toTensor } from "./state.ts";
import type { TorchArchive } from "./torch-archive.ts";
import { TorchDtype, TorchStorage, TorchTensor } from "./torch-objects.ts";

/** What a PyTorch file can hold. */
export type PtValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tensor
  | readonly PtValue[]
  | ReadonlySet<PtValue>
  | ReadonlyMap<PtValue, PtValue>
  | PtRecord;

/** A Python dict whose keys are texts and integers, as an object without a prototype. */
export interface PtRecord {
  readonly [key: string]: PtValue;
}

/** How deep containers may lie in each other: enough for all data, and far from what a stack holds. */
const DEEPEST = 200;

/** The most places that are visited when dicts are flattened: what is shared is visited from each of them. */
const MOST_PLACES = 2 ** 20;

/** A container of which JavaScript's counterpart is being filled. */
const UNFINISHED = Symbol("unfinished");

export class TorchValues {
  private readonly made = new Map<PickleContainer, PtValue | typeof UNFINISHED>();
  private readonly tensors = new Map<string, Tensor>();
  private readonly path: string[] = [];

  constructor(
    private readonly archive: TorchArchive,
    private readonly budget: MemoryBudget,
  ) {}

  /** A value, and all that it holds. */
  plain(value: PickleValue): PtValue {
    if (value instanceof PickleContainer) return this.container(value);
    if (value instanceof TorchTensor) return this.tensor(value, this.path.join("."));
    if (value instanceof TorchStorage) return this.tensor(wholeOf(value), this.path.join("."));
    if (value instanceof TorchDtype) return value.what;
    if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
    this.fail(`${describeValue(value)} is kept as a value`, "Leave it out of what is saved.");
  }

  private container(container: PickleContainer): PtValue {
    const known = this.made.get(container);
    if (known === UNFINISHED) this.fail(`a ${container.kind} holds itself`, "Save data that ends somewhere.");
    if (known !== undefined) return known;
    if (this.path.length >= DEEPEST)
      this.fail(`data lie more than ${DEEPEST} deep in each other`, "Save flatter data.");
    this.made.set(container, UNFINISHED);
    const value = this.filled(container);
    this.made.set(container, value);
    return value;
  }

  private filled({ kind, isDict, items }: PickleContainer): PtValue {
    if (!isDict) {
      const values = items.map((item, i) => this.at(String(i), item));
      return kind === "set" ? new Set(values) : values;
    }
    const entries: [key: PtValue, value: PtValue][] = [];
    for (let i = 0; i < items.length; i += 2) {
      const key = this.key(items[i]);
      entries.push([key, this.at(String(key), items[i + 1])]);
    }
    return recordOf(entries) ?? new Map(entries);
  }

  private key(value: PickleValue): PtValue {
    if (value instanceof PickleContainer && value.kind !== "tuple") this.fail(`a ${value.kind} is a key`, DAMAGED);
    if (value instanceof TorchTensor) this.fail("a tensor is a key", "Save dicts whose keys are texts or numbers.");
    const problem = typeof value === "string" ? problemOfName(value) : undefined;
    if (problem !== undefined) this.fail(problem, "Save it under another name.");
    return this.at("a key", value);
  }

  private at(name: string, value: PickleValue): PtValue {
    this.path.push(name);
    const plain = this.plain(value);
    this.path.pop();
    return plain;
  }

  /** A tensor; the same one for the same view of the same storage. */
  tensor(tensor: TorchTensor, name: string): Tensor {
    const { storage, dtype, offset, shape, strides } = tensor;
    const view = [storage.key, storage.dtype, dtype, offset, shape, strides].join(";");
    const known = this.tensors.get(view);
    if (known !== undefined) return known;
    const place = `tensor ${quoted(name)}`;
    const elements = shape.reduce((product, length) => product * length, 1);
    this.budget.spend(elements * BYTES_OF[tensorDtypeOf(dtype)], place);
    const made = toTensor(this.archive.raw(tensor), { file: this.archive.file, name });
    this.tensors.set(view, made);
    return made;
  }

  /**
   * All tensors within dicts and lists, by the path to each with dots between. Other values are left out.
   * @param wanted which of these names; default all
   */
  flattened(root: PickleValue, wanted: (name: string) => boolean): Map<string, Tensor> {
    const state = new Map<string, Tensor>();
    let places = 0;
    const visit = (value: PickleValue, name: string, depth: number): void => {
      if (++places > MOST_PLACES || depth > DEEPEST) {
        const problem = `its dicts have more than ${MOST_PLACES} entries, or lie more than ${DEEPEST} deep in each other`;
        throw new MemoryLimitError(this.archive.file, "data.pkl", problem, "Name the part to read by its key.");
      }
      if (value instanceof TorchTensor) {
        const problem = problemOfName(name);
        if (problem !== undefined) this.fail(problem, "Save it under another name.");
        if (wanted(name)) state.set(name, this.tensor(value, name));
      } else if (value instanceof PickleContainer && value.kind !== "set") {
        for (const [key, item] of entriesOf(value)) visit(item, name === "" ? key : `${name}.${key}`, depth + 1);
      }
    };
    visit(root, "", 0);
    return state;
  }

  private fail(problem: string, remedy: string): never {
    const place = this.path.length === 0 ? "data.pkl" : `data.pkl, ${quoted(this.path.join("."))}`;
    throw new FileFormatError(this.archive.file, place, problem, remedy);
  }
}

const DAMAGED = "The file is damaged: get it again.";

const BYTES_OF = { float32: 4, float64: 8, int32: 4, uint8: 1, bool: 1 } as const;

/** The elements of a storage as a tensor of one axis. */
function wholeOf(storage: TorchStorage): TorchTensor {
  return new TorchTensor(storage, storage.dtype, 0, [storage.length], [1]);
}

/** An object for entries whose keys are all texts or integers, and no two of which would become the same name. */
function recordOf(entries: readonly (readonly [PtValue, PtValue])[]): PtRecord | undefined {
  const kinds = new Map<string, "string" | "number">();
  for (const [key] of entries) {
    const kind = typeof key;
    if (kind !== "string" && !(kind === "number" && Number.isInteger(key))) return undefined;
    const name = String(key);
    if ((kinds.get(name) ?? kind) !== kind) return undefined;
    kinds.set(name, kind as "string" | "number");
  }
  const record = Object.create(null) as Record<string, PtValue>;
  for (const [key, value] of entries) record[key as string] = value;
  return record;
}

/** Entries of a dict with keys that can be part of a name, or items of a list by their numbers. */
export function entriesOf(container: PickleContainer): [name: string, value: PickleValue][] {
  const { items, isDict } = container;
  if (!isDict) return items.map((item, i) => [String(i), item]);
  const entries = new Map<string, PickleValue>();
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i];
    if (typeof key === "string" || typeof key === "number") entries.set(String(key), items[i + 1]);
  }
  return [...entries];
}
