// From what a PyTorch pickle describes to JavaScript: dicts become objects or Maps, lists and tuples arrays, tensors tensors.
// What is shared in the file stays shared, so nothing grows by being referred to often; what refers to itself is refused.

import type { Tensor } from "../tensor/index.ts";
import { FileFormatError, LONGEST_QUOTATION, quoted } from "./errors.ts";
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

/** The most items, and characters of names, that are looked at when dicts are flattened: what is shared is in many places. */
const MOST_ITEMS = 2 ** 21;
const MOST_CHARACTERS = 2 ** 27;

/** A container of which JavaScript's counterpart is being filled. */
const UNFINISHED = Symbol("unfinished");

export class TorchValues {
  private readonly made = new Map<PickleContainer, PtValue | typeof UNFINISHED>();
  private readonly tensors = new Map<TorchTensor, Tensor>();
  /** The same tensors by what they are views of. */
  private readonly views = new Map<string, Tensor>();
  /** Keys that may be. A long one is looked at once, however often it is used. */
  private readonly keys = new Set<string>();
  private readonly path: string[] = [];

  constructor(
    private readonly archive: TorchArchive,
    private readonly budget: MemoryBudget,
  ) {}

  /** A value, and all that it holds. */
  plain(value: PickleValue): PtValue {
    if (value instanceof PickleContainer) return this.container(value);
    if (value instanceof TorchTensor) return this.tensor(value, this.name);
    if (value instanceof TorchStorage) return this.tensor(wholeOf(value), this.name);
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
      entries.push([this.key(items[i]), this.at(nameOf(items[i]), items[i + 1])]);
    }
    return recordOf(entries) ?? new Map(entries);
  }

  private key(value: PickleValue): PtValue {
    if (value instanceof PickleContainer && value.kind !== "tuple") this.fail(`a ${value.kind} is a key`, DAMAGED);
    if (value instanceof TorchTensor) this.fail("a tensor is a key", "Save dicts whose keys are texts or numbers.");
    if (typeof value === "string" && !this.keys.has(value)) {
      this.checkName(value);
      this.keys.add(value);
    }
    return this.at("a key", value);
  }

  private at(name: string, value: PickleValue): PtValue {
    this.path.push(name);
    const plain = this.plain(value);
    this.path.pop();
    return plain;
  }

  /** A tensor; the same one for the same view of the same storage. */
  private tensor(tensor: TorchTensor, name: string): Tensor {
    const known = this.tensors.get(tensor);
    if (known !== undefined) return known;
    const { storage, dtype, offset, shape, strides } = tensor;
    const view = [storage.key, storage.dtype, dtype, offset, shape, strides].join(";");
    const made = this.views.get(view) ?? this.madeOf(tensor, name);
    this.views.set(view, made);
    this.tensors.set(tensor, made);
    return made;
  }

  private madeOf(tensor: TorchTensor, name: string): Tensor {
    const elements = tensor.shape.reduce((product, length) => product * length, 1);
    const place = `tensor ${quoted(name)}`;
    this.budget.spend(elements * BYTES_OF[tensorDtypeOf(tensor.dtype)], place);
    this.budget.spend(BYTES_OF_A_TENSOR, place);
    return toTensor(this.archive.raw(tensor), { file: this.archive.file, name });
  }

  /**
   * All tensors within dicts and lists, by the path to each with dots between. Other values are left out.
   * @param wanted which of these names; default all
   */
  flattened(root: PickleValue, wanted: (name: string) => boolean): Map<string, Tensor> {
    const state = new Map<string, Tensor>();
    let items = 0;
    let characters = 0;
    const visit = (value: PickleValue, name: string, depth: number): void => {
      characters += name.length;
      if (value instanceof PickleContainer) items += value.items.length;
      if (items > MOST_ITEMS || characters > MOST_CHARACTERS || depth > DEEPEST) {
        const problem = `its dicts have too many entries, too long names, or lie more than ${DEEPEST} deep in each other`;
        throw new MemoryLimitError(this.archive.file, "data.pkl", problem, "Name the part to read by its key.");
      }
      if (value instanceof TorchTensor) {
        this.checkName(name);
        if (!wanted(name)) return;
        const tensor = this.tensor(value, name);
        if ((state.get(name) ?? tensor) !== tensor) {
          this.fail(`two tensors are called ${quoted(name)}`, "Read the file with decodePt or loadPt.");
        }
        state.set(name, tensor);
      } else if (value instanceof PickleContainer && value.kind !== "set") {
        for (const [key, item] of entriesOf(value)) visit(item, name === "" ? key : `${name}.${key}`, depth + 1);
      }
    };
    visit(root, "", 0);
    return state;
  }

  private checkName(name: string): void {
    const problem = problemOfName(name);
    if (problem !== undefined) this.fail(problem, "Save it under another name.");
  }

  /** Where the value being made is, for errors: no more than they repeat, since keys may be long and lie deep in each other. */
  private get name(): string {
    let name = "";
    for (const [i, key] of this.path.entries()) {
      if (name.length > LONGEST_QUOTATION) break;
      name += `${i === 0 ? "" : "."}${key.slice(0, LONGEST_QUOTATION + 1)}`;
    }
    return name;
  }

  private fail(problem: string, remedy: string): never {
    const place = this.path.length === 0 ? "data.pkl" : `data.pkl, ${quoted(this.name)}`;
    throw new FileFormatError(this.archive.file, place, problem, remedy);
  }
}

const DAMAGED = "The file is damaged: get it again.";

/** What a tensor takes beside its values, about: a pickle names one in less than twenty bytes. */
const BYTES_OF_A_TENSOR = 512;

const BYTES_OF = { float32: 4, float64: 8, int32: 4, uint8: 1, bool: 1 } as const;

/** What a key is called, for errors. One that holds others is not spelled out: they may be many, and none a text. */
function nameOf(key: PickleValue): string {
  return typeof key === "string" || typeof key === "number" ? String(key) : describeValue(key);
}

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
