// Checkpoints: all that a training run needs to go on as if it had never stopped, as the bytes of one safetensors file.
// Tensors lie under `model.` and `optimizer.`; everything else is JSON in the file's metadata. Works on bytes, in Node and
// in browsers; checkpoint-store.ts keeps them in a directory.

import type { LoaderState } from "../data/index.ts";
import type { OptimizerStateDict, StateValue } from "../optim/index.ts";
import { type GeneratorState, GradusError, isTensor, type Tensor } from "../tensor/index.ts";
import { FileFormatError } from "./errors.ts";
import type { RawTensor } from "./raw.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import { readValues, type TensorMap, toTensors } from "./state.ts";

/** Grows when a reader of this version could no longer read what is written. */
const FORMAT_VERSION = 1;

/** The key of the metadata that holds everything but tensors. */
const FACTS = "gradus.checkpoint";

const MODEL = "model.";
const OPTIMIZER = "optimizer.";

/** What JSON can hold. Numbers may be NaN and infinite all the same. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** All of a run but its tensors. */
export interface CheckpointFacts {
  /** Training steps taken. */
  readonly step: number;
  /** Epochs that are complete. */
  readonly epoch: number;
  /** The default generator: where dropout and initial values come from. */
  readonly generator: GeneratorState;
  /** Where the loader stands, and the order of its samples. */
  readonly loader: LoaderState;
  /** The learning-rate scheduler's state; null without one. */
  readonly scheduler: Json;
  /** What was measured so far. */
  readonly history: Json;
  /** What the run was started with. */
  readonly options: { readonly [name: string]: Json };
}

/** All of a run: what `encodeCheckpoint` writes and `decodeCheckpoint` reads. */
export interface Checkpoint {
  /** Everything but tensors. */
  readonly facts: CheckpointFacts;
  /** `model.stateDict()`: parameters and buffers. */
  readonly model: TensorMap;
  /** `optimizer.stateDict()`: momenta and options. */
  readonly optimizer: OptimizerStateDict;
}

/** A checkpoint that must not be written, or that cannot be used. */
export class CheckpointError extends GradusError {}

/**
 * The bytes of a checkpoint.
 * @throws CheckpointError if the model holds a NaN: nobody could go on from there
 */
export async function encodeCheckpoint({ facts, model, optimizer }: Checkpoint): Promise<Uint8Array> {
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of model) tensors.set(MODEL + name, tensor);
  const numbers: Record<string, Record<string, number>> = {};
  for (const [index, entry] of Object.entries(optimizer.state)) {
    numbers[index] = {};
    for (const [name, value] of Object.entries(entry)) {
      if (isTensor(value)) tensors.set(`${OPTIMIZER}${index}.${name}`, value);
      else numbers[index][name] = value;
    }
  }
  const values = await readValues(tensors);
  refuseNaN(values, facts.step);
  const { param_groups } = optimizer;
  const stored = { version: FORMAT_VERSION, ...facts, optimizer: { numbers, param_groups } };
  return encodeSafetensors(values, { [FACTS]: JSON.stringify(stored, hideNonFinite) });
}

/**
 * Reads a checkpoint.
 *
 * @param bytes the whole file
 * @param file its name, for errors
 * @throws FileFormatError for a file that is cut short, damaged or no checkpoint
 */
export function decodeCheckpoint(bytes: Uint8Array, file = "the checkpoint"): Checkpoint {
  const { tensors: raw, metadata } = decodeSafetensors(bytes, file);
  const { optimizer, ...facts } = readFacts(metadata[FACTS], file);
  const state = new Map(
    Object.entries(optimizer.numbers).map(([index, entry]) => [
      index,
      new Map<string, StateValue>(Object.entries(entry)),
    ]),
  );
  const model = new Map<string, Tensor>();
  for (const [name, tensor] of toTensors(raw, file)) {
    if (name.startsWith(MODEL)) model.set(name.slice(MODEL.length), tensor);
    else if (name.startsWith(OPTIMIZER)) {
      const [index, ...rest] = name.slice(OPTIMIZER.length).split(".");
      const entry = state.get(index) ?? new Map<string, StateValue>();
      state.set(index, entry.set(rest.join("."), tensor));
    }
  }
  // By `fromEntries`, so that no name in a file reaches a prototype.
  const entries = Object.fromEntries([...state].map(([index, entry]) => [index, Object.fromEntries(entry)]));
  return { facts, model, optimizer: { state: entries, param_groups: optimizer.param_groups } };
}

interface StoredFacts extends CheckpointFacts {
  readonly optimizer: {
    readonly numbers: Record<string, Record<string, number>>;
    readonly param_groups: OptimizerStateDict["param_groups"];
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isGenerator = (value: unknown): boolean => isRecord(value) && isCount(value.seed) && isCount(value.drawn);
const isRecordOf = (value: unknown, check: (entry: unknown) => boolean): boolean =>
  isRecord(value) && Object.values(value).every(check);

/** What each fact must be, so that a damaged file is refused here and not met as a riddle later. */
const CHECKS: { readonly [K in keyof StoredFacts]: (value: unknown) => boolean } = {
  step: isCount,
  epoch: isCount,
  generator: isGenerator,
  loader: (value) =>
    isRecord(value) &&
    isCount(value.epoch) &&
    isCount(value.position) &&
    (value.generator === null || isGenerator(value.generator)),
  scheduler: (value) => value === null || isRecord(value),
  history: (value) => value !== undefined,
  options: isRecord,
  optimizer: (value) =>
    isRecord(value) &&
    isRecordOf(value.numbers, (entry) => isRecordOf(entry, (number) => typeof number === "number")) &&
    Array.isArray(value.param_groups) &&
    value.param_groups.every((group) => isRecord(group) && Array.isArray(group.params)),
};

function readFacts(text: string | undefined, file: string): StoredFacts {
  const fail = (problem: string, remedy: string): never => {
    throw new FileFormatError(file, `metadata "${FACTS}"`, problem, remedy);
  };
  const damaged = "Use another checkpoint.";
  if (text === undefined) return fail("it is not there", "This is no checkpoint: load it as a state dict.");
  let stored: unknown;
  try {
    stored = JSON.parse(text, showNonFinite);
  } catch (error) {
    return fail(`it is no JSON (${(error as Error).message})`, damaged);
  }
  if (!isRecord(stored)) return fail("it is no JSON object", damaged);
  const { version, ...facts } = stored;
  if (version !== FORMAT_VERSION) {
    return fail(
      `the version of the format is ${String(version)}, this one reads ${FORMAT_VERSION}`,
      "Read it with the version of Gradus that wrote it.",
    );
  }
  const wrong = Object.entries(CHECKS).find(([name, check]) => !check(facts[name]));
  if (wrong !== undefined) return fail(`"${wrong[0]}" is not what it should be`, damaged);
  return facts as unknown as StoredFacts;
}

// JSON has no NaN and no infinities, but measurements do.

function hideNonFinite(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { nonFinite: String(value) } : value;
}

function showNonFinite(_key: string, value: unknown): unknown {
  return isRecord(value) && typeof value.nonFinite === "string" ? Number(value.nonFinite) : value;
}

function refuseNaN(values: ReadonlyMap<string, RawTensor>, step: number): void {
  for (const [name, { data }] of values) {
    // Infinities may be meant, as in a mask; a NaN never is.
    if (data instanceof Float32Array || data instanceof Float64Array) {
      const at = data.findIndex(Number.isNaN);
      if (at < 0) continue;
      throw new CheckpointError(
        `No checkpoint is written at step ${step}: element ${at} of ${name} is NaN. ` +
          "Lower the learning rate or clip the gradients, and go on from the checkpoint before.",
      );
    }
  }
}
