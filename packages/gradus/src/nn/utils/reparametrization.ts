// A parameter that is computed from others: what spectral and weight normalization share. The parameter leaves the module,
// others take its place in the state dict, and before every forward pass the layer's field is given the computed tensor.

import { GradusError, Parameter, type Tensor } from "../../tensor/index.ts";
import type { AnyModule, HookHandle } from "../module.ts";
import { RecurrentLayer } from "../recurrent.ts";

/** What a method puts in place of a parameter. */
export interface Method {
  /** How the method is called, in errors: "spectralNorm". */
  readonly operation: string;
  /** What is behind the name in the keys of its parts, "_orig", the first being a parameter. */
  readonly parts: readonly string[];
  /** Registers the parts, and thereby the value of the first forward pass. */
  readonly register: (module: AnyModule, name: string, original: Parameter) => void;
  /** The parameter as it is computed in a forward pass. */
  readonly compute: (module: AnyModule, name: string, training: boolean) => Tensor;
}

/** A method at work on a module's parameter. */
interface Installed {
  readonly method: Method;
  readonly field: string;
  readonly hook: HookHandle;
}

const installed = new WeakMap<AnyModule, Map<string, Installed>>();

type Fields = Record<string, unknown>;

/** A part of a module's state, by its key. It is looked up each time: `module.to(dtype)` makes others. */
export function partOf(module: AnyModule, key: string): Tensor {
  const own = [...module.ownParameters(), ...module.ownBuffers()];
  return own.find(([name]) => name === key)![1];
}

/** Has a parameter computed by a method from now on. @throws GradusError if there is none, or one that is computed already */
export function install(method: Method, module: AnyModule, name: string): void {
  const { operation } = method;
  const fields = module as unknown as Fields;
  if (module.hasUninitializedParams()) {
    throw new GradusError(
      `${operation}: this ${module.typeName} has no parameters before it has seen an input. Run forward(example) once before.`,
    );
  }
  // These gather their weights from among their parameters, where a computed one no longer is.
  if (module instanceof RecurrentLayer) {
    throw new GradusError(
      `${operation}: ${module.typeName} cannot have a weight that is computed. Use ${module.typeName}Cell, one step at a time.`,
    );
  }
  const other = installed.get(module)?.get(name);
  if (other !== undefined) {
    throw new GradusError(
      `${operation}: "${name}" of this ${module.typeName} is under ${other.method.operation} already. Remove that first.`,
    );
  }
  const own = new Map(module.ownParameters());
  const original = own.get(name);
  if (original === undefined) {
    throw new GradusError(
      `${operation}: ${module.typeName} has no parameter "${name}" of its own. It has: ${[...own.keys()].join(", ")}.`,
    );
  }
  const field = Object.keys(fields).find((key) => fields[key] === original)!;
  method.register(module, name, original);
  // A plain tensor is no parameter: the module's state is the parts alone.
  fields[field] = original.detach();
  const hook = module.registerForwardPreHook(() => {
    fields[field] = method.compute(module, name, module.training);
  });
  const methods = installed.get(module) ?? new Map<string, Installed>();
  installed.set(module, methods.set(name, { method, field, hook }));
}

/** Makes a computed parameter a plain one again, with its present value. @throws GradusError if it is none of this method */
export function uninstall(operation: string, module: AnyModule, name: string): void {
  const found = installed.get(module)?.get(name);
  if (found === undefined || found.method.operation !== operation) {
    throw new GradusError(`"${name}" of this ${module.typeName} is not under ${operation}.`);
  }
  const fields = module as unknown as Fields;
  const { method, field, hook } = found;
  const parts = method.parts.map((part) => partOf(module, `${name}${part}`));
  const value = new Parameter(method.compute(module, name, false).detach(), parts[0].requiresGrad);
  hook.remove();
  for (const key of Object.keys(fields)) if (parts.includes(fields[key] as Tensor)) delete fields[key];
  fields[field] = value;
  installed.get(module)!.delete(name);
}
