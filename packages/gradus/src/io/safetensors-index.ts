// Models in several safetensors files ("shards"): the index that says which tensor lies in which, as Hugging Face's libraries
// write it, and how tensors are dealt out to shards. The index is treated as hostile: the files it names lie beside or below
// it, and nowhere else.
// Format: `model.safetensors.index.json`, {"metadata": {"total_size": bytes}, "weight_map": {tensor: file}}.

import { FileFormatError, quoted } from "./errors.ts";
import { METADATA_NAME, problemOfName } from "./safetensors-header.ts";

/** How the name of an index ends. */
export const INDEX_EXTENSION = ".safetensors.index.json";
export const EXTENSION = ".safetensors";

const REMEDY = "Get the file again, or write the model again with saveSafetensors.";

/**
 * Reads an index.
 *
 * @param text the whole file
 * @param file its name, for errors
 * @returns names of tensors by the shard they lie in, both in the index's order
 * @throws FileFormatError if it is no index, or names a file elsewhere
 */
export function readSafetensorsIndex(text: string, file: string): ReadonlyMap<string, readonly string[]> {
  const fail = (place: string, problem: string): never => {
    throw new FileFormatError(file, place, problem, REMEDY);
  };
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    fail("the index", `it is no JSON: ${quoted((error as Error).message)}`);
  }
  const map = isRecord(index) ? index.weight_map : undefined;
  if (!isRecord(map)) return fail("the index", "it has no weight_map");
  const shards = new Map<string, string[]>();
  for (const [name, shard] of Object.entries(map)) {
    const place = `tensor ${quoted(name)}`;
    const problem = name === METADATA_NAME ? "this name is the format's own" : problemOfName(name);
    if (problem !== undefined) fail(place, problem);
    if (typeof shard !== "string") return fail(place, "its file is not named by a text");
    if (!isBelow(shard)) fail(place, `its file ${quoted(shard)} is not one beside or below the index`);
    const names = shards.get(shard) ?? [];
    names.push(name);
    shards.set(shard, names);
  }
  return shards;
}

/** Whether a path leads to a file in the same directory or one below it, on every system. */
function isBelow(path: string): boolean {
  const parts = path.split("/");
  return (
    path.endsWith(EXTENSION) &&
    !/[\\:\0]/.test(path) &&
    parts.every((part) => part !== "" && part !== "." && part !== "..")
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A tensor's name and how many bytes it takes in a file. */
export interface SizedName {
  readonly name: string;
  readonly bytes: number;
}

/** Which tensors each shard holds: in order, as many as fit. One that is larger than a shard has one of its own. */
export function dealtToShards(tensors: readonly SizedName[], maxShardSize: number): readonly string[][] {
  const shards: string[][] = [];
  let room = -1;
  for (const { name, bytes } of tensors) {
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = maxShardSize;
    }
    shards.at(-1)!.push(name);
    room -= bytes;
  }
  return shards;
}

/** The name of a shard: `model-00002-of-00003.safetensors` for `model.safetensors`. */
export function shardName(file: string, index: number, count: number): string {
  const [number, total] = [index + 1, count].map((n) => String(n).padStart(5, "0"));
  return `${file.slice(0, -EXTENSION.length)}-${number}-of-${total}${EXTENSION}`;
}

/** The text of an index. */
export function writeSafetensorsIndex(shards: ReadonlyMap<string, readonly string[]>, totalBytes: number): string {
  const entries = [...shards].flatMap(([shard, names]) => names.map((name) => [name, shard] as const));
  const sorted = entries.sort(([left], [right]) => (left < right ? -1 : 1));
  const index = { metadata: { total_size: totalBytes }, weight_map: Object.fromEntries(sorted) };
  return `${JSON.stringify(index, null, 2)}\n`;
}
