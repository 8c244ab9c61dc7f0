// What optimizers share: parameter groups, state, and a step that builds the updates of all parameters and flushes them
// together with the forward and backward pass as one program (`torch.optim.Optimizer`). A step that fails leaves parameters
// and state as they were.

import {
  ArgumentError,
  type DType,
  enableGrad,
  flush,
  fullLike,
  isTensor,
  noGrad,
  ShapeError,
  scalar,
  type Tensor,
  zerosLike,
} from "../tensor/index.ts";
import { checkRanges, nonNegative, type Ranges } from "./ranges.ts";
import {
  camelCase,
  hostNumbers,
  type OptimizerStateDict,
  OptimizerStateError,
  type StateValue,
  snakeCase,
} from "./state-dict.ts";
import { Undo } from "./undo.ts";

/** Parameters with options of their own; what is left out is the optimizer's. */
export type GroupOptions<Options> = Partial<Options> & {
  /** What the group holds. */
  readonly params: Tensor | Iterable<Tensor>;
};

/** A group as the optimizer holds it: every option, free to be changed between steps. */
export type ParamGroup<Options> = { -readonly [K in keyof Options]-?: Options[K] } & {
  /** What the group holds. */
  readonly params: readonly Tensor[];
  /** The learning rate that schedulers start from. */
  initialLr?: number;
};

/** Parameters, or groups of them. */
export type OptimizedParameters<Options> = Iterable<Tensor> | Iterable<GroupOptions<Options>>;

/** Every optimizer has a learning rate. */
export interface LearningRate {
  /** How far a step goes. */
  readonly lr?: number;
}

/** Options of `Optimizer.zeroGrad`. */
export interface ZeroGradOptions {
  /** Whether gradients become null, or zeros. Default true. */
  readonly setToNone?: boolean;
}

/** Computes the loss again: `zeroGrad`, forward, `backward`. Gives the loss, a tensor of one element. */
export type Closure = () => Tensor | Promise<Tensor>;

/** Makes the scalars of one step: a value that all parameters of a group share is one input of the program. */
export class StepScalars {
  /** A handful, so that looking through them costs less than making a key. */
  private readonly made: { readonly name: string; readonly tensor: Tensor }[] = [];

  /**
   * The scalar of a value, made when it is first asked for.
   * @param name what the value is for: equal names (and dtypes) within a group are one scalar
   */
  get(name: string, value: number, dtype: DType): Tensor {
    for (const { name: known, tensor } of this.made) if (known === name && tensor.dtype === dtype) return tensor;
    const tensor = scalar(value, { dtype });
    this.made.push({ name, tensor });
    return tensor;
  }
}

/**
 * What all optimizers are (`torch.optim.Optimizer`). To write one, extend it with `update` and, where options have
 * other ranges than `lr`, with `ranges`.
 */
export abstract class Optimizer<Options extends LearningRate = LearningRate> {
  /** The groups, whose options may be changed between steps. */
  readonly paramGroups: ParamGroup<Options>[] = [];
  /** What is remembered of each parameter, by PyTorch's names. */
  readonly state = new Map<Tensor, Record<string, StateValue>>();

  /**
   * @param params parameters, or groups of them with options of their own
   * @param defaults every option, for groups that do not set it
   * @throws ArgumentError for no parameters, and for options out of their ranges
   */
  constructor(
    params: OptimizedParameters<Options>,
    protected readonly defaults: Required<Options>,
  ) {
    const given = [...params] as readonly (Tensor | GroupOptions<Options>)[];
    if (given.length === 0) {
      throw new ArgumentError(
        this.constructor.name,
        "there are no parameters to optimize",
        "Pass model.parameters(), after the model is made.",
      );
    }
    const tensors = given.filter(isTensor);
    if (tensors.length === given.length) this.addParamGroup({ params: tensors } as unknown as GroupOptions<Options>);
    else for (const group of given) this.addParamGroup(group as GroupOptions<Options>);
  }

  /** Adds parameters with their own options: layers that are unfrozen, for example. */
  addParamGroup(group: GroupOptions<Options>): void {
    const name = this.constructor.name;
    const given = group?.params;
    if (given === undefined) {
      throw new ArgumentError(
        name,
        "a parameter group has no params",
        "Pass { params: [...], lr: 0.1 } or tensors only.",
      );
    }
    const params = isTensor(given) ? [given] : [...given];
    const known = new Set(this.paramGroups.flatMap((existing) => existing.params));
    for (const parameter of params) {
      if (!isTensor(parameter)) throw new ArgumentError(name, `${String(parameter)} is no tensor`, "Pass parameters.");
      if (!parameter.isLeaf) {
        throw new ArgumentError(name, "a computed tensor cannot be optimized", "Pass leaves, such as parameters.");
      }
      if (known.has(parameter)) {
        throw new ArgumentError(name, "a parameter is in more than one group", "Pass every parameter once.");
      }
      known.add(parameter);
      // A plain leaf is made state, so that it keeps its value from step to step.
      if (!parameter.isState) parameter.asState(parameter.requiresGrad);
    }
    const complete = { ...this.defaults, ...group, params } as unknown as ParamGroup<Options>;
    this.checkOptions(complete);
    this.paramGroups.push(complete);
  }

  /** In which ranges the options must be. A subclass adds its own. */
  protected get ranges(): Ranges {
    return { lr: nonNegative };
  }

  /** @throws ArgumentError if options of a group are out of their ranges or contradict each other */
  protected checkOptions(group: ParamGroup<Options>): void {
    checkRanges(this.constructor.name, group, this.ranges);
  }

  /** Forgets all gradients, or with `setToNone: false` makes them zero. */
  zeroGrad({ setToNone = true }: ZeroGradOptions = {}): void {
    for (const { params } of this.paramGroups) {
      for (const parameter of params) {
        if (setToNone) parameter.grad = null;
        else if (parameter.grad !== null) parameter.grad = zerosLike(parameter.grad);
      }
    }
  }

  /**
   * Updates every parameter that has a gradient, and computes all that waits: the forward and backward pass and the
   * updates are one program. Await it before the next step. After an error parameters and state are as before.
   * @throws ShapeError if a gradient has not its parameter's shape
   */
  step(): Promise<void>;
  /**
   * Has the loss and its gradients computed first, then makes a step.
   * @param closure zeroGrad, forward and backward
   * @returns the loss that the closure gave
   * @throws ShapeError if a gradient has not its parameter's shape
   */
  step(closure: Closure): Promise<Tensor>;
  async step(closure?: Closure): Promise<unknown> {
    const loss = closure === undefined ? undefined : await enableGrad(closure);
    const undo = new Undo(this.state);
    try {
      noGrad(() => {
        for (const group of this.paramGroups) this.updateGroup(group, undo);
      });
      undo.noteAssigned();
      await flush();
    } catch (error) {
      undo.run();
      throw error;
    }
    return loss;
  }

  private updateGroup(group: ParamGroup<Options>, undo: Undo): void {
    const scalars = new StepScalars();
    for (const parameter of group.params) {
      const { grad } = parameter;
      if (grad === null) continue;
      if (!isSameShape(grad.shape, parameter.shape)) {
        throw new ShapeError(
          this.constructor.name,
          [parameter.shape, grad.shape],
          "a gradient must have its parameter's shape",
        );
      }
      undo.remember(parameter);
      this.update(parameter, grad, group, scalars);
    }
  }

  /**
   * Computes what `backward` has gathered so far. Between micro-batches it gives their memory back: without it the forward
   * and backward passes of all of them are one program at `step()`, which is faster where there is room.
   *
   * @example
   * optimizer.zeroGrad();
   * for (const [x, y] of microBatches) {
   *   loss(model.forward(x), y).div(microBatches.length).backward();
   *   await optimizer.accumulate();
   * }
   * await optimizer.step();
   */
  async accumulate(): Promise<void> {
    const gradients = this.paramGroups.flatMap(({ params }) => params.flatMap(({ grad }) => grad ?? []));
    if (gradients.length > 0) await flush(...gradients);
  }

  /** Assigns a parameter's new value, and its state's. Runs within `noGrad`. */
  protected abstract update(parameter: Tensor, grad: Tensor, group: ParamGroup<Options>, scalars: StepScalars): void;

  /** The state of a parameter, empty at first. */
  protected stateOf(parameter: Tensor): Record<string, StateValue> {
    let entry = this.state.get(parameter);
    if (entry === undefined) {
      entry = {};
      this.state.set(parameter, entry);
    }
    return entry;
  }

  /** A tensor of a parameter's state, `initial` at first. Its first value comes from a program of its own. */
  protected stateTensor(parameter: Tensor, name: string, initial = 0): Tensor {
    const entry = this.stateOf(parameter);
    const known = entry[name];
    if (isTensor(known)) return known;
    const created = fullLike(parameter, initial).asState();
    entry[name] = created;
    return created;
  }

  /** Counts a step of a parameter. @returns how many it has taken with this one */
  protected countStep(parameter: Tensor): number {
    const state = this.stateOf(parameter);
    const step = ((state.step as number | undefined) ?? 0) + 1;
    state.step = step;
    return step;
  }

  // State dict ------------------------------------------------------------------------------------------------------

  /** All state and options. The tensors are the optimizer's own: read their `data()` to keep the values of a moment. */
  stateDict(): OptimizerStateDict {
    const all = this.paramGroups.flatMap(({ params }) => params);
    const index = new Map(all.map((parameter, i) => [parameter, i]));
    const state = Object.fromEntries(
      [...this.state].map(([parameter, entry]) => [index.get(parameter)!, { ...entry }]),
    );
    const groups = this.paramGroups.map(({ params, ...options }) => ({
      ...Object.fromEntries(Object.entries(options).map(([name, value]) => [snakeCase(name), value])),
      params: params.map((parameter) => index.get(parameter)!),
    }));
    return { state, param_groups: groups };
  }

  /**
   * Takes over state and options, also of PyTorch's optimizer of the same name.
   * @throws OptimizerStateError if groups or shapes differ; the optimizer is then unchanged
   */
  loadStateDict(dict: OptimizerStateDict): void {
    const fail = (problem: string): never => {
      throw new OptimizerStateError(
        `The state dict does not fit ${this.constructor.name}: ${problem}. Make the optimizer for the same parameters in the same groups.`,
      );
    };
    const groups = dict.param_groups;
    const parametersOf = (group: Readonly<Record<string, unknown>>): readonly number[] =>
      group.params as readonly number[];
    if (groups.length !== this.paramGroups.length) {
      fail(`it has ${groups.length} parameter groups, the optimizer ${this.paramGroups.length}`);
    }
    const byIndex = new Map<string, Tensor>();
    groups.forEach((group, i) => {
      const { params } = this.paramGroups[i];
      const indices = parametersOf(group);
      if (indices.length !== params.length) {
        fail(`group ${i} has ${indices.length} parameters there and ${params.length} here`);
      }
      for (const [j, index] of indices.entries()) byIndex.set(String(index), params[j]);
    });
    const loaded = Object.entries(dict.state).map(([index, entry]) => {
      const parameter = byIndex.get(index) ?? fail(`no group holds its parameter ${index}`);
      const problem = this.misfit(parameter, entry);
      if (problem !== null) fail(`${problem} at parameter ${index}`);
      return [parameter, entry] as const;
    });
    groups.forEach((group, i) => {
      const target = this.paramGroups[i] as unknown as Record<string, unknown>;
      for (const [name, value] of Object.entries(group)) {
        const field = camelCase(name);
        // PyTorch's choices of implementation, such as `foreach`, mean nothing here.
        if (field !== "params" && (Object.hasOwn(this.defaults, field) || field === "initialLr")) target[field] = value;
      }
    });
    this.state.clear();
    for (const [parameter, entry] of loaded) this.loadState(parameter, entry);
  }

  /** What in a parameter's stored state does not fit it; null if all does. */
  protected misfit(parameter: Tensor, entry: Readonly<Record<string, StateValue>>): string | null {
    for (const [name, value] of Object.entries(entry)) {
      if (isTensor(value) && value.ndim > 0 && value.shape.join() !== parameter.shape.join()) {
        return `${name} is [${value.shape.join(", ")}] instead of [${parameter.shape.join(", ")}]`;
      }
    }
    return null;
  }

  /** Takes over a parameter's stored state, which fits. */
  protected loadState(parameter: Tensor, entry: Readonly<Record<string, StateValue>>): void {
    const own = this.stateOf(parameter);
    for (const [name, value] of Object.entries(entry)) {
      if (value === null || value === undefined) continue;
      if (!isTensor(value)) own[name] = value;
      else if (hostNumbers.has(name)) own[name] = value.itemSync();
      else noGrad(() => this.stateTensor(parameter, name).copy_(value));
    }
  }
}

const isSameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);
