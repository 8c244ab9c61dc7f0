// Modules that hold modules: Sequential, ModuleList and ModuleDict (`torch.nn`, containers). Their children are data, not
// fields: they lie in a map by PyTorch's keys, in their order, so that any name can be one. `model[0]` reads and writes a
// child by position.

import { ArgumentError, GradusError, type Tensor } from "../tensor/index.ts";
import { type AnyModule, Module } from "./module.ts";

/** Modules with a forward pass from one tensor to one tensor. */
export type Layer = Module<[Tensor], Tensor>;

/** Children by name: an object, a Map, or pairs, for names that an object would reorder. */
export type NamedModules<M> = Readonly<Record<string, M>> | Iterable<readonly [name: string, module: M]>;

const isIterable = (value: object): value is Iterable<never> => Symbol.iterator in value;

function pairsOf<M>(container: string, named: NamedModules<M>): (readonly [string, M])[] {
  if (!isIterable(named)) return Object.entries(named);
  const pairs: (readonly [string, M])[] = [...named];
  if (pairs.every((pair) => Array.isArray(pair) && pair.length === 2)) return pairs;
  throw new ArgumentError(
    container,
    "the list that was given has no pairs of a name and a module",
    "Spread a list of layers, as in new nn.Sequential(...layers).",
  );
}

/** Throws unless a value can be a child under a name. */
export function checkName(container: string, name: string): void {
  if (typeof name === "string" && name !== "" && !name.includes(".")) return;
  throw new ArgumentError(
    container,
    `"${name}" cannot name a part of it`,
    "Use a name without dots, and not an empty one.",
  );
}

function checkModule(container: string, value: unknown): void {
  if (value instanceof Module) return;
  throw new ArgumentError(
    container,
    `${String(value)} is no module`,
    "Wrap a function in a class that extends nn.Module.",
  );
}

/** A position counted from the start. @throws ArgumentError if there is none */
export function positionOf(container: string, index: number, length: number): number {
  if (!Number.isInteger(index) || index < -length || index >= length) {
    throw new ArgumentError(
      container,
      `there is no ${index} among ${length}`,
      length === 0 ? "It is empty." : `Use ${-length} to ${length - 1}.`,
    );
  }
  return index < 0 ? index + length : index;
}

/** Names that say positions and nothing else: they follow when modules move. */
const areNumbers = (names: readonly string[]): boolean => names.every((name, i) => name === String(i));

/** What all containers of modules share. */
abstract class Container<M extends AnyModule, Inputs extends readonly unknown[], Output> extends Module<
  Inputs,
  Output
> {
  #held: ReadonlyMap<string, M> = new Map();

  /** The children by name, in order. Fields that a subclass adds follow after them. */
  protected get held(): ReadonlyMap<string, M> {
    return this.#held;
  }

  /** Takes new children in place of all that were there. */
  protected hold(pairs: Iterable<readonly [string, M]>): void {
    const next = new Map<string, M>();
    for (const [name, module] of pairs) {
      checkName(this.typeName, name);
      checkModule(this.typeName, module);
      next.set(name, module);
    }
    this.#held = next;
  }

  override ownModules(): (readonly [name: string, value: AnyModule])[] {
    return [...(this.#held as ReadonlyMap<string, AnyModule>), ...super.ownModules()];
  }

  /** How many modules there are. */
  get length(): number {
    return this.#held.size;
  }
}

/** What containers share whose modules have positions. */
abstract class Sequence<M extends AnyModule, Inputs extends readonly unknown[], Output>
  extends Container<M, Inputs, Output>
  implements Iterable<M>
{
  /** A module by position, from 0. */
  [index: number]: M;

  protected override hold(pairs: Iterable<readonly [string, M]>): void {
    const before = this.length;
    super.hold(pairs);
    for (let i = before; i < this.length; i++) {
      Object.defineProperty(this, i, {
        get: () => this.at(i),
        set: (module: M) => this.set(i, module),
        configurable: true,
        enumerable: false,
      });
    }
    for (let i = this.length; i < before; i++) delete this[i];
  }

  /** Every module in order; one that stands twice comes twice. */
  [Symbol.iterator](): Iterator<M> {
    return this.held.values();
  }

  /** The module at a position; negative ones count from the end. @throws ArgumentError if there is none */
  at(index: number): M {
    return [...this.held.values()][positionOf(this.typeName, index, this.length)];
  }

  /** Puts a module in the place of another: `model[6] = ...` by a method. @throws ArgumentError if there is none */
  set(index: number, module: M): this {
    const position = positionOf(this.typeName, index, this.length);
    this.hold([...this.held].map((pair, i) => (i === position ? [pair[0], module] : pair)));
    return this;
  }

  /** Adds a module at the end. Its name is its position, or the next number that is no name yet. */
  append(module: M): this {
    let number = this.length;
    while (this.held.has(String(number))) number++;
    this.hold([...this.held, [String(number), module]]);
    return this;
  }

  /** Adds modules at the end. */
  extend(modules: Iterable<M>): this {
    for (const module of [...modules]) this.append(module);
    return this;
  }

  /**
   * Adds a module before a position; what follows moves on. Negative positions count from the end.
   * @throws ArgumentError if there is no such position, or where modules have names, which could not move on
   */
  insert(index: number, module: M): this {
    const position = index === this.length ? index : positionOf(this.typeName, index, this.length);
    if (!areNumbers([...this.held.keys()])) {
      throw new ArgumentError(
        this.typeName,
        `its modules have the names ${[...this.held.keys()].join(", ")}, so a new one would have none`,
        "Build it anew from entries.",
      );
    }
    const modules = [...this.held.values()];
    modules.splice(position, 0, module);
    this.hold(modules.map((held, i) => [String(i), held]));
    return this;
  }

  /** Takes a module out, the last one by default; numbers that follow are counted anew. */
  pop(index = -1): M {
    const position = positionOf(this.typeName, index, this.length);
    const numbered = areNumbers([...this.held.keys()]);
    const removed = this.at(position);
    const rest = [...this.held].filter((_, i) => i !== position);
    this.hold(numbered ? rest.map(([, held], i) => [String(i), held]) : rest);
    return removed;
  }
}

/**
 * Modules run one after the other, each on the output of the one before (`torch.nn.Sequential`). Given an object, a Map
 * or entries, their names become the keys; else the keys are "0", "1", ...
 *
 * @example
 * new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 10))
 * new nn.Sequential({ conv: new nn.Conv2d(1, 6, 5), act: new nn.ReLU() })
 */
export class Sequential extends Sequence<Layer, [Tensor], Tensor> {
  /** @throws ArgumentError for what is no module, and for names with dots */
  constructor(...layers: readonly Layer[] | readonly [NamedModules<Layer>]) {
    super();
    const [first] = layers;
    const named = layers.length === 1 && typeof first === "object" && first !== null && !(first instanceof Module);
    this.hold(
      named ? pairsOf("Sequential", first) : (layers as readonly Layer[]).map((layer, i) => [String(i), layer]),
    );
  }

  forward(x: Tensor): Tensor {
    let result = x;
    for (const [, layer] of this.ownModules()) result = (layer as unknown as Layer).forward(result);
    return result;
  }

  /** The layer of a name. @throws ArgumentError if there is none */
  get(name: string): Layer {
    return entryOf(this.typeName, this.held, name);
  }

  /**
   * A Sequential of the layers from start up to stop, which keep their names, as in PyTorch. The layers are the same ones.
   * @param start negative ones count from the end. Default 0
   * @param stop default: the end
   */
  slice(start?: number, stop?: number): Sequential {
    return new Sequential([...this.held].slice(start, stop));
  }
}

/**
 * A list of modules whose parameters belong to the model that holds it (`torch.nn.ModuleList`). It has no forward.
 *
 * @example
 * const blocks = new nn.ModuleList([1, 2, 3].map(() => new nn.Linear(8, 8)));
 * for (const block of blocks) x = block.forward(x).relu();
 */
export class ModuleList<M extends AnyModule = Layer> extends Sequence<M, never, never> {
  /** @throws ArgumentError for what is no module */
  constructor(modules: Iterable<M> = []) {
    super();
    this.extend(modules);
  }

  forward(): never {
    throw new GradusError(
      "A ModuleList has no forward of its own. Call its modules: for (const m of list) x = m.forward(x).",
    );
  }

  /** A list of the modules from start up to stop, counted anew. The modules are the same ones. */
  slice(start?: number, stop?: number): ModuleList<M> {
    return new ModuleList([...this].slice(start, stop));
  }
}

/** The entry of a name. @throws ArgumentError naming those that are there */
export function entryOf<T>(container: string, entries: ReadonlyMap<string, T>, name: string): T {
  const found = entries.get(name);
  if (found !== undefined) return found;
  const names = [...entries.keys()];
  throw new ArgumentError(
    container,
    `there is no "${name}"`,
    names.length === 0 ? "It is empty." : `There are: ${names.join(", ")}.`,
  );
}

/**
 * Modules by name, whose parameters belong to the model that holds it (`torch.nn.ModuleDict`). Read and written like a
 * Map, in the order in which names were added. It has no forward.
 *
 * @example
 * const heads = new nn.ModuleDict({ digits: new nn.Linear(64, 10), letters: new nn.Linear(64, 26) });
 * const logits = heads.get("digits").forward(features);
 */
export class ModuleDict<M extends AnyModule = Layer>
  extends Container<M, never, never>
  implements Iterable<readonly [string, M]>
{
  /** @throws ArgumentError for what is no module, and for names with dots */
  constructor(modules: NamedModules<M> = {}) {
    super();
    this.update(modules);
  }

  forward(): never {
    throw new GradusError('A ModuleDict has no forward of its own. Call its modules: dict.get("name").forward(x).');
  }

  /** The module of a name. @throws ArgumentError if there is none */
  get(name: string): M {
    return entryOf(this.typeName, this.held, name);
  }

  /** Whether there is a module of the name. */
  has(name: string): boolean {
    return this.held.has(name);
  }

  /** Adds a module, or puts it in the place of the one that had the name. */
  set(name: string, module: M): this {
    return this.update([[name, module]]);
  }

  /** Adds all modules of an object, a Map, entries, or another ModuleDict. */
  update(modules: NamedModules<M>): this {
    this.hold([...this.held, ...pairsOf(this.typeName, modules)]);
    return this;
  }

  /** Takes a module out and gives it. @throws ArgumentError if there is none of the name */
  pop(name: string): M {
    const removed = this.get(name);
    this.hold([...this.held].filter(([other]) => other !== name));
    return removed;
  }

  /** Takes a module out. @returns whether there was one */
  delete(name: string): boolean {
    const there = this.has(name);
    if (there) this.pop(name);
    return there;
  }

  /** Takes all modules out. */
  clear(): void {
    this.hold([]);
  }

  /** The names, in order. */
  keys(): IterableIterator<string> {
    return this.held.keys();
  }

  /** The modules, in order. */
  values(): IterableIterator<M> {
    return this.held.values();
  }

  /** Names and modules, in order. */
  entries(): IterableIterator<[string, M]> {
    return this.held.entries();
  }

  /** Names and modules, in order. */
  [Symbol.iterator](): IterableIterator<[string, M]> {
    return this.held.entries();
  }
}
