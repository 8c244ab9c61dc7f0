// Loading a state dict into a module: first everything is compared, then everything is assigned, so that a dict that does
// not fit changes nothing. Keys are PyTorch's.

import { GradusError, noGrad, type Tensor } from "../tensor/index.ts";
import type { AnyModule } from "./module.ts";

/** Tensors by key, as `module.stateDict()` and the readers of files give them. */
export type StateDict = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

/** Options of `loadStateDict`. */
export interface LoadOptions {
  /** Whether keys that are missing or unexpected are errors. Default true. */
  readonly strict?: boolean;
}

/** Which keys the module and the dict did not share. */
export interface LoadReport {
  /** Keys of the module that the dict has not. */
  readonly missingKeys: readonly string[];
  /** Keys of the dict that the module has not. */
  readonly unexpectedKeys: readonly string[];
}

/** A tensor of a state dict whose shape is not the module's. */
export interface ShapeMismatch {
  /** Where both have a tensor. */
  readonly key: string;
  /** The shape of the module's. */
  readonly expected: readonly number[];
  /** The shape of the dict's. */
  readonly found: readonly number[];
}

/** A state dict that does not fit a module. */
export class StateDictError extends GradusError implements LoadReport {
  /**
   * @param module the name of the module's class
   * @param missingKeys keys of the module that the dict has not
   * @param unexpectedKeys keys of the dict that the module has not
   * @param mismatches tensors of other shapes
   */
  constructor(
    module: string,
    readonly missingKeys: readonly string[],
    readonly unexpectedKeys: readonly string[],
    readonly mismatches: readonly ShapeMismatch[],
  ) {
    const shapes = mismatches.map(
      ({ key, expected, found }) =>
        `${key} is [${expected.join(", ")}] here and [${found.join(", ")}] in the state dict`,
    );
    const parts = [
      missingKeys.length > 0 ? `Missing: ${missingKeys.join(", ")}.` : "",
      unexpectedKeys.length > 0 ? `Unexpected: ${unexpectedKeys.join(", ")}.` : "",
      shapes.length > 0 ? `Other shapes: ${shapes.join("; ")}.` : "",
    ].filter((part) => part !== "");
    const remedy =
      mismatches.length > 0
        ? "Make the model with the sizes of the state dict, or leave these tensors out and load with { strict: false }."
        : "Load with { strict: false } if that is meant.";
    super(`The state dict does not fit ${module}. ${parts.join(" ")} ${remedy}`);
  }
}

export function loadStateDict(module: AnyModule, given: StateDict, { strict = true }: LoadOptions): LoadReport {
  const state = given instanceof Map ? (given as ReadonlyMap<string, Tensor>) : new Map(Object.entries(given));
  const { uninitialized, undo } = initializeLazyLayers(module, state);
  // What is uninitialized has no keys of its own yet; its weight stands for all of them.
  const missingKeys = uninitialized.map((path) => (path === "" ? "weight" : `${path}.weight`));
  const targets = uninitialized.length === 0 ? module.stateDict() : new Map<string, Tensor>();
  missingKeys.push(...[...targets.keys()].filter((key) => !state.has(key)));
  const unexpectedKeys = uninitialized.length === 0 ? [...state.keys()].filter((key) => !targets.has(key)) : [];
  const mismatches: ShapeMismatch[] = [];
  for (const [key, target] of targets) {
    const source = state.get(key);
    if (source !== undefined && source.shape.join() !== target.shape.join()) {
      mismatches.push({ key, expected: target.shape, found: source.shape });
    }
  }
  const differs = missingKeys.length > 0 || unexpectedKeys.length > 0;
  if (mismatches.length > 0 || (strict && differs) || uninitialized.length > 0) {
    undo();
    throw new StateDictError(module.typeName, missingKeys, unexpectedKeys, mismatches);
  }
  noGrad(() => {
    for (const [key, target] of targets) {
      const source = state.get(key);
      if (source !== undefined && source !== target) target.copy_(source);
    }
  });
  return { missingKeys, unexpectedKeys };
}

/** Gives lazy layers the sizes of the dict's tensors. `undo` makes them lazy again. */
function initializeLazyLayers(
  module: AnyModule,
  state: ReadonlyMap<string, Tensor>,
): { uninitialized: string[]; undo: () => void } {
  const uninitialized: string[] = [];
  const before: [AnyModule, object][] = [];
  for (const [path, layer] of module.namedModules()) {
    if (!layer.hasUninitializedParams()) continue;
    const prefix = path === "" ? "" : `${path}.`;
    const shapes = new Map(
      [...state].flatMap(([key, tensor]) =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), tensor.shape] as const] : [],
      ),
    );
    before.push([layer, { ...layer }]);
    if (!layer.initializeFromState(shapes)) uninitialized.push(path);
  }
  const undo = (): void => {
    for (const [layer, fields] of before) Object.assign(layer, fields);
  };
  return { uninitialized, undo };
}
