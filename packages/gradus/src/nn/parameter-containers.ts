// Modules that hold parameters: ParameterList and ParameterDict (`torch.nn`, containers). A parameter lies in a field of
// its own, where `Module` finds it, under a name that nothing else has; the keys are PyTorch's.

import { ArgumentError, GradusError, isTensor, Parameter, type Tensor } from "../tensor/index.ts";
import { checkName, entryOf, positionOf } from "./containers.ts";
import { Module } from "./module.ts";

/** A parameter, or a tensor whose values one takes over. */
export type ParameterValue = Parameter | Tensor;

/** PyTorch turns plain tensors into parameters, too. */
function parameterOf(container: string, value: ParameterValue): Parameter {
  if (value instanceof Parameter) return value;
  if (isTensor(value)) return new Parameter(value);
  throw new ArgumentError(container, `${String(value)} is no parameter`, "Make one: new nn.Parameter(tensor).");
}

/** What both share: parameters by key, in the order in which keys were added. */
abstract class ParameterContainer extends Module<never, never> {
  readonly #names = new Set<string>();

  forward(): never {
    throw new GradusError(`A ${this.typeName} has no forward of its own. Use its parameters in your module's.`);
  }

  /** The field of a key. No method, and no field of a subclass, is called so. */
  static #fieldOf = (name: string): string => `parameter:${name}`;

  get #fields(): Record<string, Parameter> {
    return this as unknown as Record<string, Parameter>;
  }

  /** Adds a parameter under a name, or puts it in the place of the one that had it. */
  protected put(name: string, value: ParameterValue): void {
    checkName(this.typeName, name);
    this.#fields[ParameterContainer.#fieldOf(name)] = parameterOf(this.typeName, value);
    this.#names.add(name);
  }

  /** Takes the parameter of a name out. */
  protected remove(name: string): void {
    delete this.#fields[ParameterContainer.#fieldOf(name)];
    this.#names.delete(name);
  }

  /** Read anew each time: `to(dtype)` puts other parameters in their places. */
  protected get held(): ReadonlyMap<string, Parameter> {
    return new Map([...this.#names].map((name) => [name, this.#fields[ParameterContainer.#fieldOf(name)]]));
  }

  override ownParameters(): (readonly [name: string, value: Parameter])[] {
    const fields = new Set([...this.#names].map(ParameterContainer.#fieldOf));
    return [...this.held, ...super.ownParameters().filter(([field]) => !fields.has(field))];
  }

  /** How many parameters there are. */
  get length(): number {
    return this.#names.size;
  }

  override extraRepr(): string {
    return [...this.held].map(([name, { shape, dtype }]) => `(${name}): [${shape.join(", ")}] ${dtype}`).join(", ");
  }
}

/**
 * A list of parameters that belong to the model that holds it (`torch.nn.ParameterList`), with the keys "0", "1", ...
 *
 * @example
 * class Polynomial extends nn.Module {
 *   coefficients = new nn.ParameterList([1, 2, 3].map(() => gd.zeros([])));
 *   forward(x: gd.Tensor): gd.Tensor {
 *     return [...this.coefficients].reduce((sum, c, i) => sum.add(x.pow(i).mul(c)), gd.zerosLike(x));
 *   }
 * }
 */
export class ParameterList extends ParameterContainer implements Iterable<Parameter> {
  /** A parameter by position, from 0. */
  [index: number]: Parameter;

  /** @param values tensors become parameters. @throws ArgumentError for what is neither */
  constructor(values: Iterable<ParameterValue> = []) {
    super();
    this.extend(values);
  }

  /** Every parameter in order. */
  [Symbol.iterator](): Iterator<Parameter> {
    return this.held.values();
  }

  /** The parameter at a position; negative ones count from the end. @throws ArgumentError if there is none */
  at(index: number): Parameter {
    return [...this.held.values()][positionOf(this.typeName, index, this.length)];
  }

  /** Puts a parameter in the place of another. @throws ArgumentError if there is none */
  set(index: number, value: ParameterValue): this {
    this.put(String(positionOf(this.typeName, index, this.length)), value);
    return this;
  }

  /** Adds a parameter at the end. */
  append(value: ParameterValue): this {
    const index = this.length;
    this.put(String(index), value);
    Object.defineProperty(this, index, {
      get: () => this.at(index),
      set: (other: ParameterValue) => this.set(index, other),
      configurable: true,
      enumerable: false,
    });
    return this;
  }

  /** Adds parameters at the end. */
  extend(values: Iterable<ParameterValue>): this {
    for (const value of [...values]) this.append(value);
    return this;
  }

  /** A list of the parameters from start up to stop, which are the same ones, counted anew. */
  slice(start?: number, stop?: number): ParameterList {
    return new ParameterList([...this].slice(start, stop));
  }
}

/** Parameters by name: an object, a Map, pairs, or another ParameterDict. */
export type NamedParameters =
  | Readonly<Record<string, ParameterValue>>
  | Iterable<readonly [name: string, value: ParameterValue]>;

/**
 * Parameters by name that belong to the model that holds it (`torch.nn.ParameterDict`). Read and written like a Map, in
 * the order in which names were added.
 */
export class ParameterDict extends ParameterContainer implements Iterable<readonly [string, Parameter]> {
  /** @param values tensors become parameters. @throws ArgumentError for what is neither, and for names with dots */
  constructor(values: NamedParameters = {}) {
    super();
    this.update(values);
  }

  /** The parameter of a name. @throws ArgumentError if there is none */
  get(name: string): Parameter {
    return entryOf(this.typeName, this.held, name);
  }

  /** Whether there is a parameter of the name. */
  has(name: string): boolean {
    return this.held.has(name);
  }

  /** Adds a parameter, or puts it in the place of the one that had the name. */
  set(name: string, value: ParameterValue): this {
    this.put(name, value);
    return this;
  }

  /** Adds all parameters of an object, a Map, entries, or another ParameterDict. */
  update(values: NamedParameters): this {
    const pairs =
      Symbol.iterator in values ? [...values] : Object.entries(values as Readonly<Record<string, ParameterValue>>);
    for (const [name, value] of pairs) this.put(name, value);
    return this;
  }

  /** Takes a parameter out and gives it. @throws ArgumentError if there is none of the name */
  pop(name: string): Parameter {
    const removed = this.get(name);
    this.remove(name);
    return removed;
  }

  /** Takes a parameter out. @returns whether there was one */
  delete(name: string): boolean {
    const there = this.has(name);
    if (there) this.remove(name);
    return there;
  }

  /** Takes all parameters out. */
  clear(): void {
    for (const name of [...this.keys()]) this.remove(name);
  }

  /** The names, in order. */
  keys(): IterableIterator<string> {
    return this.held.keys();
  }

  /** The parameters, in order. */
  values(): IterableIterator<Parameter> {
    return this.held.values();
  }

  /** Names and parameters, in order. */
  entries(): IterableIterator<[string, Parameter]> {
    return this.held.entries();
  }

  /** Names and parameters, in order. */
  [Symbol.iterator](): IterableIterator<[string, Parameter]> {
    return this.held.entries();
  }
}
