// Finding where a NaN or an infinity comes from. Forward hooks remember each module's output of the present step, handles
// that cost nothing; only when the loss is not finite are they read, in the order they were computed. Their values can
// still be had after the step, since it keeps the parameters' old versions. Leans on tensor and nn.

import type { AnyModule, HookHandle } from "../nn/index.ts";
import { GradusError, isTensor, StaleTensorError, Tensor } from "../tensor/index.ts";

/** A loss that is NaN or infinite; the message names the layer it begins in. */
export class NonFiniteLossError extends GradusError {}

/** One call of one module. */
interface Call {
  readonly path: string;
  readonly type: string;
  /** The parameters as they were. */
  readonly parameters: readonly (readonly [name: string, value: Tensor])[];
  readonly outputs: readonly Tensor[];
}

/** Watches the forward passes of a model. */
export class ForwardWatch {
  private calls: Call[] = [];
  private readonly handles: readonly HookHandle[];

  constructor(model: AnyModule) {
    this.handles = model.namedModules().map(([path, module]) =>
      module.registerForwardHook<readonly unknown[], unknown>((_module, _inputs, output) => {
        const parameters = module.ownParameters().map(([name, value]) => [name, Tensor.of(value.node)] as const);
        this.calls.push({ path, type: module.typeName, parameters, outputs: tensorsIn(output) });
      }),
    );
  }

  /** Forgets the step before. */
  begin(): void {
    this.calls = [];
  }

  /** Ends the watch. */
  remove(): void {
    this.calls = [];
    for (const handle of this.handles) handle.remove();
  }

  /**
   * Where the first NaN or infinity of the last forward pass is.
   * @returns what is wrong, as one sentence, and what to do, as another
   */
  async explain(batch: readonly Tensor[]): Promise<string> {
    const inData =
      "Look at the data: a division by zero while normalizing them, or a damaged file. They must be finite numbers.";
    for (const [i, tensor] of batch.entries()) {
      const name = ["input", "target"][i] ?? `tensor ${i}`;
      if (await isNonFinite(tensor)) return `The batch's ${name} holds ${await describe(tensor)}. ${inData}`;
    }
    for (const { path, type, parameters, outputs } of this.calls) {
      const layer = path === "" ? `the model itself (${type})` : `${path} (${type})`;
      for (const [name, value] of parameters) {
        if (!(await isNonFinite(value))) continue;
        const place = path === "" ? name : `${path}.${name}`;
        return (
          `The first layer with such a number is ${layer}: its parameter ${place} holds ${await describe(value)} since ` +
          "the step before. Lower the learning rate, or clip the gradients with nn.utils.clipGradNorm_."
        );
      }
      for (const output of outputs) {
        if (!(await isNonFinite(output))) continue;
        return (
          `The first layer with such a number is ${layer}: its output, ${formatShape(output)}, holds ` +
          `${await describe(output)} though its inputs and parameters are finite. ` +
          "Lower the learning rate, or look at what this layer divides, takes the logarithm or the exponential of."
        );
      }
    }
    return (
      "All layers' outputs are finite, so it begins in the loss function. " +
      "Use one that is given logits, such as F.crossEntropy, or keep its arguments away from 0."
    );
  }
}

const formatShape = ({ shape }: Tensor): string => `[${shape.join(", ")}]`;

async function isNonFinite(tensor: Tensor): Promise<boolean> {
  try {
    return (await tensor.data()).some((value) => !Number.isFinite(value));
  } catch (error) {
    // Where a step updates parameters more than once, what came before the first update is gone: nothing can be said of it.
    if (error instanceof StaleTensorError) return false;
    throw error;
  }
}

async function describe(tensor: Tensor): Promise<string> {
  const values = [...(await tensor.data())];
  const count = values.filter((value) => !Number.isFinite(value)).length;
  const first = values.find((value) => !Number.isFinite(value));
  return `${first} (${count} of ${values.length} elements are not finite)`;
}

/** A module may give several tensors. */
function tensorsIn(output: unknown): readonly Tensor[] {
  if (isTensor(output)) return [output];
  return typeof output === "object" && output !== null ? Object.values(output).filter(isTensor) : [];
}
