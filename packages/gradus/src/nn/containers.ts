// Modules that hold modules: Sequential and ModuleList (`torch.nn`, containers). Children lie in fields named "0", "1",
// ..., which are PyTorch's keys, so `model[0]` is the first.

import { ArgumentError, GradusError, type Tensor } from "../tensor/index.ts";
import { type AnyModule, Module } from "./module.ts";

/** Modules with a forward pass from one tensor to one tensor. */
type Layer = Module<[Tensor], Tensor>;

/**
 * Modules run one after the other, each on the output of the one before (`torch.nn.Sequential`). Given an object, its
 * names become the keys.
 *
 * @example
 * new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 10))
 * new nn.Sequential({ conv: new nn.Conv2d(1, 6, 5), act: new nn.ReLU() })
 */
export class Sequential extends Module implements Iterable<Layer> {
  readonly [index: number]: Layer;

  constructor(...layers: readonly Layer[] | readonly [Readonly<Record<string, Layer>>]) {
    super();
    const [first] = layers;
    const named =
      first === undefined || first instanceof Module
        ? Object.entries(layers as readonly Layer[])
        : Object.entries(first);
    for (const [name, layer] of named) {
      checkModule("Sequential", layer);
      this.registerModule(name, layer);
    }
  }

  forward(x: Tensor): Tensor {
    let result = x;
    for (const layer of this) result = layer.forward(result);
    return result;
  }

  /** Every layer in order; one that stands twice comes twice. */
  *[Symbol.iterator](): Iterator<Layer> {
    for (const [, module] of this.ownModules()) yield module as unknown as Layer;
  }

  get length(): number {
    return [...this].length;
  }

  /** The layer at a position; negative ones count from the end. */
  at(index: number): Layer {
    return elementAt("Sequential", [...this], index);
  }

  /** Adds a layer at the end. */
  append(layer: Layer): this {
    checkModule("Sequential", layer);
    this.registerModule(String(this.length), layer);
    return this;
  }
}

/** A list of modules whose parameters belong to the model that holds it (`torch.nn.ModuleList`). It has no forward. */
export class ModuleList<M extends AnyModule = Layer> extends Module<never, never> implements Iterable<M> {
  readonly [index: number]: M;

  constructor(modules: Iterable<M> = []) {
    super();
    for (const module of modules) this.append(module);
  }

  forward(): never {
    throw new GradusError(
      "A ModuleList has no forward of its own. Call its modules: for (const m of list) x = m.forward(x).",
    );
  }

  *[Symbol.iterator](): Iterator<M> {
    for (const [, module] of this.ownModules()) yield module as M;
  }

  get length(): number {
    return [...this].length;
  }

  at(index: number): M {
    return elementAt("ModuleList", [...this], index);
  }

  append(module: M): this {
    checkModule("ModuleList", module);
    this.registerModule(String(this.length), module);
    return this;
  }
}

function checkModule(container: string, value: unknown): void {
  if (!(value instanceof Module)) {
    throw new ArgumentError(
      container,
      `${String(value)} is no module`,
      "Wrap a function in a class that extends nn.Module.",
    );
  }
}

function elementAt<T>(container: string, list: readonly T[], index: number): T {
  const found = list.at(index);
  if (found === undefined || !Number.isInteger(index)) {
    throw new ArgumentError(container, `there is no module ${index} among ${list.length}`);
  }
  return found;
}
