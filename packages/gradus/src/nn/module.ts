// Module: what every layer and model is made from (`torch.nn.Module`). Parameters, buffers and child modules are found
// among the fields of an instance when they are asked for, so assigning a field registers it and assigning it again
// replaces it. `forward` is called by name; so that hooks and lazy layers work without a magic call, the constructor of
// Module lays a wrapped `forward` over the subclass's, once per instance (`super.forward(...)` reaches the bare one).

import { type DType, GradusError, isFloat, Parameter, Tensor } from "../tensor/index.ts";
import { runWithin } from "./call-stack.ts";
import { type LoadOptions, type LoadReport, loadStateDict, type StateDict } from "./state-dict.ts";

/** A module of which only that it is one is known. */
export type AnyModule = Module<never, unknown>;

/** What `registerForwardHook` and `registerForwardPreHook` give: `remove()` ends the hook. */
export interface HookHandle {
  /** The hook is called no more; to call this again does nothing. */
  remove(): void;
}

/**
 * Sees each forward pass; what it returns, unless undefined, takes the place of the output. Its inputs and output are
 * tensors unless it says otherwise: a module's own types would keep it from being an `AnyModule`.
 */
export type ForwardHook<Inputs extends readonly unknown[] = readonly Tensor[], Output = Tensor> = (
  module: AnyModule,
  inputs: Inputs,
  output: Output,
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook may simply return nothing
) => Output | undefined | void;

/** Sees the inputs before each forward pass; the list it returns, unless undefined, takes their place. */
export type ForwardPreHook<Inputs extends readonly unknown[] = readonly Tensor[]> = (
  module: AnyModule,
  inputs: Inputs,
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook may simply return nothing
) => Inputs | undefined | void;

// Inside, functions of anything, so that a module of any inputs is an `AnyModule`.
type ErasedForward = (this: unknown, ...inputs: unknown[]) => unknown;
type ErasedHook = (module: AnyModule, inputs: readonly unknown[], output?: unknown) => unknown;

/** Options of `registerBuffer`. */
export interface BufferOptions {
  /** Whether `stateDict` contains it. Default true. */
  readonly persistent?: boolean;
}

/** Options of `ownBuffers`. */
export interface OwnBuffersOptions {
  /** Whether only those are wanted that `stateDict` contains. Default false. */
  readonly persistentOnly?: boolean;
}

/** A part of a module with its key, or with its path of keys. */
export type NamedPart<T> = readonly [name: string, value: T];

/** PyTorch's key for a name in snake_case: `running_mean` is the field `runningMean`. */
const fieldOf = (key: string): string =>
  key.replace(/(?<=[^_])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

function registered(hooks: Set<ErasedHook>, hook: ErasedHook): HookHandle {
  hooks.add(hook);
  return { remove: () => void hooks.delete(hook) };
}

const joined = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}.${name}`);

/**
 * A layer or a model (`torch.nn.Module`). The type parameters say what `forward` takes and gives; by default one tensor
 * and one tensor.
 *
 * @example
 * class Net extends nn.Module {
 *   hidden = new nn.Linear(784, 64);
 *   output = new nn.Linear(64, 10);
 *   forward(x: gd.Tensor): gd.Tensor {
 *     return this.output.forward(this.hidden.forward(x).relu());
 *   }
 * }
 */
export abstract class Module<Inputs extends readonly unknown[] = [Tensor], Output = Tensor> {
  /** True in training, false in evaluation: what dropout and batch normalization ask. */
  training = true;
  /** PyTorch's keys of registered fields, and in which order they were registered. */
  readonly #keys = new Map<string, { readonly key: string; readonly rank: number }>();
  readonly #buffers = new Map<string, Required<BufferOptions>>();
  readonly #preHooks = new Set<ErasedHook>();
  readonly #hooks = new Set<ErasedHook>();

  constructor() {
    const forward = this.forward as unknown as ErasedForward | undefined;
    if (forward === undefined) throw new GradusError(`${this.typeName} has no forward. Write a method forward(...).`);
    // Not enumerable: it is no part of the module's state.
    Object.defineProperty(this, "forward", {
      value: (...inputs: readonly unknown[]) => this.#call(forward, inputs),
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }

  /** Computes the outputs. Hooks run around it, and errors that leave it name the layer. */
  abstract forward(...inputs: Inputs): Output;

  #call(forward: ErasedForward, given: readonly unknown[]): unknown {
    const self = this as unknown as AnyModule;
    return runWithin(self, () => {
      let inputs = given;
      for (const hook of this.#preHooks) inputs = (hook(self, inputs) as readonly unknown[] | undefined) ?? inputs;
      if (this.hasUninitializedParams()) this.initializeParameters(...(inputs as Inputs));
      let output = forward.apply(this, [...inputs]);
      for (const hook of this.#hooks) output = hook(self, inputs, output) ?? output;
      return output;
    });
  }

  // Registration ----------------------------------------------------------------------------------------------------

  /**
   * Makes a tensor part of the module's state without being learned (`torch.nn.Module.register_buffer`). The field is
   * the name in camelCase; the name itself is the key in the state dict.
   * @returns the buffer, for `readonly runningMean = this.registerBuffer("running_mean", gd.zeros([3]))`
   */
  registerBuffer(name: string, tensor: Tensor, { persistent = true }: BufferOptions = {}): Tensor {
    const buffer = tensor.detach().asState();
    this.#buffers.set(this.#register(name, buffer), { persistent });
    return buffer;
  }

  /** Registers a parameter under PyTorch's key where that is no name of a field: `in_proj_weight`. */
  registerParameter(name: string, parameter: Parameter): Parameter {
    this.#register(name, parameter);
    return parameter;
  }

  /** Registers a child under PyTorch's key where that is no name of a field: `layer_norm`. */
  registerModule<M extends AnyModule>(name: string, module: M): M {
    this.#register(name, module);
    return module;
  }

  #register(key: string, value: unknown): string {
    if (key === "" || key.includes(".")) {
      throw new GradusError(`"${key}" cannot name a part of ${this.typeName}. Use a name without dots.`);
    }
    const field = fieldOf(key);
    this.#keys.set(field, { key, rank: this.#keys.get(field)?.rank ?? this.#keys.size });
    Object.defineProperty(this, field, { value, writable: true, configurable: true, enumerable: true });
    return field;
  }

  /** The wanted ones of all fields, with their keys, in the order they were made. */
  #fields<T>(wanted: (value: unknown, field: string) => boolean): NamedPart<T>[] {
    const fields = this as unknown as Readonly<Record<string, unknown>>;
    const names = Object.keys(fields);
    const found = names.filter((field) => wanted(fields[field], field));
    // Objects list names that are integers first, so those are put in order.
    if (found.length > 1 && /^\d+$/.test(names[0])) found.sort((a, b) => this.#rankOf(a) - this.#rankOf(b));
    return found.map((field) => [this.#keys.get(field)?.key ?? field, fields[field] as T]);
  }

  #rankOf(field: string): number {
    return this.#keys.get(field)?.rank ?? -1;
  }

  // What it contains ------------------------------------------------------------------------------------------------

  /** The modules right below this one; one that stands under two names comes twice. */
  ownModules(): NamedPart<AnyModule>[] {
    return this.#fields((value) => value instanceof Module);
  }

  /** The modules right below this one, each once. */
  namedChildren(): NamedPart<AnyModule>[] {
    const seen = new Set<AnyModule>();
    return this.ownModules().filter(([, module]) => !seen.has(module) && seen.add(module));
  }

  /** The modules right below this one, each once, without their names (`torch.nn.Module.children`). */
  children(): AnyModule[] {
    return this.namedChildren().map(([, module]) => module);
  }

  /** This module, named "", and all below it, each once. */
  namedModules(): NamedPart<AnyModule>[] {
    const seen = new Set<AnyModule>();
    const found: NamedPart<AnyModule>[] = [];
    const visit = (path: string, module: AnyModule): void => {
      if (seen.has(module)) return;
      seen.add(module);
      found.push([path, module]);
      for (const [name, child] of module.namedChildren()) visit(joined(path, name), child);
    };
    visit("", this as unknown as AnyModule);
    return found;
  }

  /** This module and all below it, each once, without their names (`torch.nn.Module.modules`). */
  modules(): AnyModule[] {
    return this.namedModules().map(([, module]) => module);
  }

  /** The module at a path such as "features.3"; "" is this one. @throws GradusError if there is none */
  getSubmodule(path: string): AnyModule {
    let module = this as unknown as AnyModule;
    for (const name of path === "" ? [] : path.split(".")) {
      const child = module.namedChildren().find(([key]) => key === name)?.[1];
      if (child === undefined) {
        const names = module.namedChildren().map(([key]) => key);
        throw new GradusError(`${this.typeName} has no module "${path}". At "${name}" there are: ${names.join(", ")}.`);
      }
      module = child;
    }
    return module;
  }

  /** The parameters of this module itself, not of its children. */
  ownParameters(): NamedPart<Parameter>[] {
    return this.#fields((value) => value instanceof Parameter);
  }

  /** The buffers of this module itself, not of its children. */
  ownBuffers({ persistentOnly = false }: OwnBuffersOptions = {}): NamedPart<Tensor>[] {
    const wanted = (field: string): boolean => {
      const options = this.#buffers.get(field);
      return options !== undefined && (options.persistent || !persistentOnly);
    };
    return this.#fields((value, field) => value instanceof Tensor && wanted(field));
  }

  #gather<T extends Tensor>(own: (module: AnyModule) => readonly NamedPart<T>[]): NamedPart<T>[] {
    const seen = new Set<Tensor>();
    return this.namedModules().flatMap(([path, module]) =>
      own(module).flatMap(([name, tensor]) => {
        if (seen.has(tensor)) return [];
        seen.add(tensor);
        return [[joined(path, name), tensor] as const];
      }),
    );
  }

  /**
   * All parameters with their paths, each once, in the order of their registration.
   * @throws GradusError if a lazy layer below has seen no input yet
   */
  namedParameters(): NamedPart<Parameter>[] {
    this.#checkInitialized("parameters");
    return this.#gather((module) => module.ownParameters());
  }

  /**
   * All parameters, each once: what an optimizer takes.
   * @throws GradusError if a lazy layer below has seen no input yet
   */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** All buffers with their paths, persistent or not, each once, in the order of their registration. */
  namedBuffers(): NamedPart<Tensor>[] {
    return this.#gather((module) => module.ownBuffers());
  }

  /** All buffers, persistent or not, each once (`torch.nn.Module.buffers`). */
  buffers(): Tensor[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  // Lazy layers -----------------------------------------------------------------------------------------------------

  /** Whether this layer waits for its first input to know its sizes. Lazy layers override it. */
  hasUninitializedParams(): boolean {
    return false;
  }

  /** Makes a lazy layer's parameters for the inputs it is about to see. */
  initializeParameters(..._inputs: Inputs): void {}

  /** Makes a lazy layer's parameters for the shapes of a state dict. @returns false if they do not tell the sizes */
  initializeFromState(_shapes: ReadonlyMap<string, readonly number[]>): boolean {
    return false;
  }

  #checkInitialized(wanted: string): void {
    const lazy = this.namedModules().find(([, module]) => module.hasUninitializedParams());
    if (lazy === undefined) return;
    const [path, module] = lazy;
    throw new GradusError(
      `${path === "" ? "" : `${path} `}(${module.typeName}) has no ${wanted} before it has seen an input. ` +
        "Run `model.forward(example)` once before, or load a state dict.",
    );
  }

  // State -----------------------------------------------------------------------------------------------------------

  /**
   * All parameters and persistent buffers by PyTorch's keys. The tensors are the module's own, so they change as it
   * learns; read their `data()` to keep the values of a moment.
   */
  stateDict(): Map<string, Tensor> {
    this.#checkInitialized("state");
    const state = new Map<string, Tensor>();
    // Unlike `namedParameters`, what is used twice stands here under both names, as in PyTorch.
    const visit = (path: string, module: AnyModule): void => {
      for (const [name, tensor] of module.ownParameters()) state.set(joined(path, name), tensor);
      for (const [name, tensor] of module.ownBuffers({ persistentOnly: true })) state.set(joined(path, name), tensor);
      for (const [name, child] of module.ownModules()) visit(joined(path, name), child);
    };
    visit("", this as unknown as AnyModule);
    return state;
  }

  /**
   * Takes over the values of a state dict (`torch.nn.Module.load_state_dict`), and thereby the sizes of lazy layers.
   * @throws StateDictError naming all that does not fit; the module is then unchanged. Keys that are missing or
   * unexpected are errors only if `strict` (default true).
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): LoadReport {
    return loadStateDict(this as unknown as AnyModule, state, options);
  }

  /** Turns gradients for all parameters on or off: `requiresGrad_(false)` freezes a module. */
  requiresGrad_(requiresGrad = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(requiresGrad);
    return this;
  }

  /** Forgets all gradients. */
  zeroGrad(): void {
    for (const [, parameter] of this.#gather((module) => module.ownParameters())) parameter.grad = null;
  }

  /**
   * Turns parameters and buffers of floats into another dtype. The parameters are then others: make the optimizer after.
   */
  to(dtype: DType): this {
    if (!isFloat(dtype)) {
      throw new GradusError(`A module cannot be turned into ${dtype}. Use "float32" or "float64".`);
    }
    this.#checkInitialized("parameters");
    const turned = new Map<Tensor, Tensor>();
    for (const module of this.modules()) {
      const fields = module as unknown as Record<string, unknown>;
      for (const [field, value] of Object.entries(fields)) {
        const isBuffer = module.#buffers.has(field);
        if (!(value instanceof Tensor && isFloat(value.dtype))) continue;
        if (!(isBuffer || value instanceof Parameter) || value.dtype === dtype) continue;
        const known = turned.get(value);
        const made =
          known ??
          (isBuffer ? value.detach().to(dtype).asState() : new Parameter(value.detach().to(dtype), value.requiresGrad));
        turned.set(value, made);
        fields[field] = made;
      }
    }
    return this;
  }

  // Modes, visits and hooks -----------------------------------------------------------------------------------------

  /** Sets this module and all below it to training, or with false to evaluation. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Sets this module and all below it to evaluation: dropout rests and batch normalization uses running statistics. */
  eval(): this {
    return this.train(false);
  }

  /** Calls a function for every module below, then for this one: to initialize parameters, for example. */
  apply(visit: (module: AnyModule) => void): this {
    for (const child of this.children()) child.apply(visit);
    visit(this as unknown as AnyModule);
    return this;
  }

  /** Has `hook(module, inputs, output)` called after every forward pass. */
  registerForwardHook<I extends readonly unknown[] = readonly Tensor[], O = Tensor>(
    hook: ForwardHook<I, O>,
  ): HookHandle {
    return registered(this.#hooks, (module, inputs, output) => hook(module, inputs as unknown as I, output as O));
  }

  /** Has `hook(module, inputs)` called before every forward pass. */
  registerForwardPreHook<I extends readonly unknown[] = readonly Tensor[]>(hook: ForwardPreHook<I>): HookHandle {
    return registered(this.#preHooks, (module, inputs) => hook(module, inputs as unknown as I));
  }

  // Printing --------------------------------------------------------------------------------------------------------

  /** The name of the class, as it is printed. A lazy layer that knows its sizes is called as the plain one. */
  get typeName(): string {
    const { name } = this.constructor;
    return name.startsWith("Lazy") && !this.hasUninitializedParams() ? name.slice("Lazy".length) : name;
  }

  /** What stands between the parentheses when the module is printed. */
  extraRepr(): string {
    return "";
  }

  /** The printed form, as PyTorch's: the layer with its `extraRepr`, and those below it indented. */
  toString(): string {
    const extra = this.extraRepr();
    const children = this.namedChildren().map(
      ([name, child]) => `(${name}): ${String(child).replaceAll("\n", "\n  ")}`,
    );
    if (children.length === 0) return `${this.typeName}(${extra})`;
    const lines = extra === "" ? children : [extra, ...children];
    return `${this.typeName}(\n  ${lines.join("\n  ")}\n)`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
