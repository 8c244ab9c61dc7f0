// The table of a model's layers: shapes, parameters, multiply-adds. It runs the model once through forward hooks; since
// tensors are lazy, nothing is computed.

import { ArgumentError, type DType, dtypes, isFloat, isTensor, type Tensor, zeros } from "../tensor/index.ts";
import { Convolution, TransposedConvolution } from "./conv.ts";
import { Linear } from "./linear.ts";
import type { AnyModule, Module } from "./module.ts";

/** Options of `summary`. */
export interface SummaryOptions {
  /** How many samples the model is shown. Default 1. */
  readonly batchSize?: number;
  /** Default float32. */
  readonly dtype?: DType;
}

/** One call of one layer. */
export interface LayerSummary {
  /** The path in the model; "" for the model itself. */
  readonly name: string;
  /** The name of the layer's class. */
  readonly type: string;
  /** How many modules it lies in; 0 for the model itself. */
  readonly depth: number;
  /** The shape of the output, or of the first tensor of several. */
  readonly outputShape: readonly number[];
  /** Parameters of this layer itself, without its children's; 0 where they were counted at an earlier call. */
  readonly parameters: number;
  /** Those of `parameters` that require a gradient. */
  readonly trainableParameters: number;
  /** Multiplications with additions of a Linear or convolution, for the whole batch; else 0. */
  readonly multiplyAdds: number;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

/** Every output element of a linear map takes as many multiply-adds as a row of the weight has elements. */
function multiplyAddsOf(module: AnyModule, input: Tensor, output: Tensor): number {
  if (module instanceof Linear) return output.numel() * module.inFeatures;
  if (module instanceof Convolution) {
    return (output.numel() * module.weight.numel()) / module.outChannels;
  }
  // The transposed one spreads every input element over a kernel of every output channel of its group.
  if (module instanceof TransposedConvolution) {
    return (input.numel() * module.weight.numel()) / module.inChannels;
  }
  return 0;
}

function firstTensor(value: unknown): Tensor | undefined {
  if (isTensor(value)) return value;
  if (typeof value !== "object" || value === null) return undefined;
  for (const part of Object.values(value)) {
    const found = firstTensor(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What a model takes, in bytes. */
export interface SummaryBytes {
  /** Of all inputs. */
  readonly input: number;
  /** Of the outputs of all layers. */
  readonly outputs: number;
  /** Of all parameters. */
  readonly parameters: number;
}

/** What `summary` gives: the numbers, and as text a table. */
export class ModelSummary {
  constructor(
    /** All calls of layers, in the order in which they began. */
    readonly layers: readonly LayerSummary[],
    /** The shapes of the model's inputs, the batch included. */
    readonly inputShapes: readonly (readonly number[])[],
    private readonly inputBytes: number,
    private readonly parameterBytes: number,
    private readonly elementBytes: number,
  ) {}

  private total(field: "parameters" | "trainableParameters" | "multiplyAdds"): number {
    return this.layers.reduce((sum, layer) => sum + layer[field], 0);
  }

  /** How many numbers the model has; those that layers share count once. */
  get totalParameters(): number {
    return this.total("parameters");
  }

  /** How many of them require a gradient. */
  get trainableParameters(): number {
    return this.total("trainableParameters");
  }

  /** Multiplications with additions of all linear layers and convolutions, for the whole batch. */
  get totalMultiplyAdds(): number {
    return this.total("multiplyAdds");
  }

  /** Bytes of the input, of all layers' outputs (not of containers, whose outputs are their last layer's), and of parameters. */
  get bytes(): SummaryBytes {
    const leaves = this.layers.filter(({ depth }, i) => !((this.layers[i + 1]?.depth ?? 0) > depth));
    const outputs = leaves.reduce((sum, { outputShape }) => sum + sizeOf(outputShape) * this.elementBytes, 0);
    return { input: this.inputBytes, outputs, parameters: this.parameterBytes };
  }

  /** The table, and below it what it adds up to. */
  toString(): string {
    const whole = (value: number): string => value.toLocaleString("en-US");
    const size = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
    const header = ["Layer", "Output shape", "Parameters", "Multiply-adds"];
    const rows = this.layers.map((layer) => {
      const name = layer.name.split(".").at(-1) ?? "";
      return [
        `${"  ".repeat(layer.depth)}${name === "" ? layer.type : `${name} (${layer.type})`}`,
        `[${layer.outputShape.join(", ")}]`,
        layer.parameters === 0
          ? "-"
          : `${whole(layer.parameters)}${layer.trainableParameters === 0 ? " (frozen)" : ""}`,
        layer.multiplyAdds === 0 ? "-" : whole(layer.multiplyAdds),
      ];
    });
    const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
    const line = (cells: readonly string[]): string =>
      cells
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join("  ")
        .trimEnd();
    const rule = "-".repeat(widths.reduce((sum, width) => sum + width, 2 * (widths.length - 1)));
    const frozen = this.totalParameters - this.trainableParameters;
    return [
      line(header),
      rule,
      ...rows.map(line),
      rule,
      `Parameters: ${whole(this.totalParameters)} (${whole(this.trainableParameters)} trainable, ${whole(frozen)} frozen)`,
      `Multiply-adds: ${whole(this.totalMultiplyAdds)}`,
      `Input: ${size(this.bytes.input)}, outputs: ${size(this.bytes.outputs)}, parameters: ${size(this.bytes.parameters)}`,
    ].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/**
 * Shows a model an input of zeros and lists its layers. Lazy layers learn their sizes from it; nothing else changes and
 * nothing is computed.
 *
 * @param inputSize the shape of one sample, without the batch; a list of shapes for several inputs
 * @example
 * console.log(String(nn.summary(model, [1, 28, 28], { batchSize: 64 })));
 */
export function summary<Inputs extends readonly unknown[]>(
  model: Module<Inputs, unknown>,
  inputSize: readonly number[] | readonly (readonly number[])[],
  { batchSize = 1, dtype = "float32" }: SummaryOptions = {},
): ModelSummary {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new ArgumentError("summary", `a batchSize of ${batchSize} is none`, "Use an integer from 1.");
  }
  const sizes = (Array.isArray(inputSize[0]) ? inputSize : [inputSize]) as readonly (readonly number[])[];
  const inputs = sizes.map((size) => zeros([batchSize, ...size], { dtype }));
  const modules = model.namedModules();
  const modes = modules.map(([, module]) => module.training);
  const layers: LayerSummary[] = [];
  const counted = new Set<Tensor>();
  let depth = 0;
  const handles = modules.flatMap(([name, module]) => {
    // Layers appear in the order they begin, containers before what they hold, though their outputs come after.
    const open: number[] = [];
    const before = module.registerForwardPreHook<readonly unknown[]>(() => {
      open.push(layers.length);
      layers.push({ name, type: "", depth, outputShape: [], parameters: 0, trainableParameters: 0, multiplyAdds: 0 });
      depth++;
    });
    const after = module.registerForwardHook<readonly unknown[], unknown>((_module, given, output) => {
      depth--;
      const index = open.pop()!;
      const fresh = module.ownParameters().filter(([, parameter]) => !counted.has(parameter));
      for (const [, parameter] of fresh) counted.add(parameter);
      const count = (wanted: (parameter: Tensor) => boolean): number =>
        fresh.reduce((sum, [, parameter]) => sum + (wanted(parameter) ? parameter.numel() : 0), 0);
      const input = firstTensor(given);
      const result = firstTensor(output);
      layers[index] = {
        ...layers[index],
        type: module.typeName,
        outputShape: result?.shape ?? [],
        parameters: count(() => true),
        trainableParameters: count((parameter) => parameter.requiresGrad),
        multiplyAdds: input && result ? multiplyAddsOf(module, input, result) : 0,
      };
    });
    return [before, after];
  });
  try {
    // In evaluation, so that running statistics stay as they are; `requiresGrad` is read, so gradients stay on.
    model.eval();
    model.forward(...(inputs as unknown as Inputs));
  } finally {
    for (const handle of handles) handle.remove();
    modules.forEach(([, module], i) => {
      module.training = modes[i];
    });
  }
  const bytesOf = (tensors: readonly Tensor[]): number =>
    tensors.reduce((sum, tensor) => sum + tensor.numel() * dtypes[tensor.dtype].bytes, 0);
  return new ModelSummary(
    layers,
    inputs.map(({ shape }) => shape),
    bytesOf(inputs),
    bytesOf(model.parameters()),
    dtypes[isFloat(dtype) ? dtype : "float32"].bytes,
  );
}
