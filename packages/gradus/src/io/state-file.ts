// State dicts in safetensors files, one or several, read whole or in part. Node only; leans on safetensors.ts for the format,
// on safetensors-index.ts for models in several files, and on atomic-file.ts for the writing.

import { type FileHandle, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ArgumentError, type Tensor } from "../tensor/index.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import { FileFormatError, quoted } from "./errors.ts";
import { byteSize, type RawDtype, rawArrays } from "./raw.ts";
import { readSafetensorsLayout, readTensor, type SafetensorsLayout, safetensorsHeaderEnd } from "./safetensors.ts";
import {
  dealtToShards,
  EXTENSION,
  INDEX_EXTENSION,
  readSafetensorsIndex,
  shardName,
  writeSafetensorsIndex,
} from "./safetensors-index.ts";
import {
  encodeState,
  type NameFilter,
  type StoreOptions,
  storedDtype,
  type TensorMap,
  toTensor,
  wantedNames,
} from "./state.ts";

/** Options of `saveSafetensors`. */
export interface SaveSafetensorsOptions extends StoreOptions {
  /**
   * The most bytes of tensors in one file. A state dict that takes more is written as `model-00001-of-00002.safetensors`
   * and so on, with an index `model.safetensors.index.json`. Default: one file, whatever its size.
   */
  readonly maxShardSize?: number;
}

/**
 * Writes tensors to a safetensors file, wholly or not at all.
 *
 * ```ts
 * await saveSafetensors("lenet.safetensors", model.stateDict());
 * await saveSafetensors("small.safetensors", model.stateDict(), { dtype: "bfloat16" });
 * ```
 *
 * With `maxShardSize`, each file is written so; there is no index until all are there.
 *
 * @param path the file; its directory must exist. With `maxShardSize` its name has to end in `.safetensors`
 * @param state tensors by name; their values are read
 * @param options `metadata` is free text, by default `{ format: "pt" }`, which some readers ask for; `dtype` stores halves
 * @returns the file that was written: `path`, or the index of several. `loadSafetensors` reads either
 * @throws AtomicWriteError if the system refuses; what was there before is then intact, but for the index of several files
 * @throws FileFormatError if a name cannot be stored, or a number does not fit `dtype`
 */
export async function saveSafetensors(
  path: string,
  state: TensorMap,
  options: SaveSafetensorsOptions = {},
): Promise<string> {
  const { maxShardSize = Number.POSITIVE_INFINITY, ...stored } = { metadata: { format: "pt" }, ...options };
  if (!(maxShardSize > 0)) {
    throw new ArgumentError("saveSafetensors", `maxShardSize is ${maxShardSize}`, "Use a number of bytes above 0.");
  }
  const sizes = [...state].map(([name, tensor]) => {
    const bytesPerElement = rawArrays[storedDtype(tensor.dtype, stored)].BYTES_PER_ELEMENT;
    return { name, bytes: byteSize(tensor.shape, bytesPerElement)! };
  });
  const shards = dealtToShards(sizes, maxShardSize);
  if (shards.length <= 1) {
    await writeFileAtomic(path, await encodeState(state, stored));
    return path;
  }
  if (!path.endsWith(EXTENSION)) {
    const remedy = `Let it end in ${EXTENSION}.`;
    throw new ArgumentError("saveSafetensors", `several files cannot be named after ${path}`, remedy);
  }
  const index = path.slice(0, -EXTENSION.length) + INDEX_EXTENSION;
  // An older index must not name files of which only some are new.
  await rm(index, { force: true });
  const written = new Map<string, readonly string[]>();
  for (const [i, names] of shards.entries()) {
    const file = shardName(path, i, shards.length);
    const part = new Map(names.map((name) => [name, state.get(name)!]));
    await writeFileAtomic(file, await encodeState(part, stored));
    written.set(basename(file), names);
  }
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  await writeFileAtomic(index, writeSafetensorsIndex(written, total));
  return index;
}

/**
 * Reads the tensors of a safetensors file, such as one saved in Python, or of several that an index names. Only the bytes of
 * tensors that are wanted are read.
 *
 * ```ts
 * model.loadStateDict(await loadSafetensors("lenet.safetensors"));
 * const head = await loadSafetensors("bert/model.safetensors.index.json", { prefix: "classifier." });
 * ```
 *
 * @param path a `.safetensors` file, an index (`.safetensors.index.json`), or a directory that holds one of either
 * @param filter which tensors; default all. Their names stay as they are
 * @returns tensors by name: float16 and bfloat16 as float32, integers but uint8 as int32
 * @throws FileFormatError naming the place in a malformed file, or an integer that no int32 holds
 */
export async function loadSafetensors(path: string, filter: NameFilter = {}): Promise<Map<string, Tensor>> {
  const wanted = wantedNames(filter);
  const file = await fileOf(path);
  if (!file.endsWith(".json")) return new Map(await readFrom(file, wanted));
  const shards = readSafetensorsIndex(await readFile(file, "utf8"), file);
  const tensors = new Map<string, Tensor>();
  for (const [shard, names] of shards) {
    const missing = new Set(names.filter(wanted));
    if (missing.size === 0) continue;
    const shardPath = join(dirname(file), shard);
    for (const [name, tensor] of await readFrom(shardPath, (name) => missing.has(name))) {
      missing.delete(name);
      tensors.set(name, tensor);
    }
    for (const name of missing) {
      const problem = `${shardPath} does not hold it, though the index says so`;
      throw new FileFormatError(file, `tensor ${quoted(name)}`, problem, "Get both files again.");
    }
  }
  return tensors;
}

/** A tensor as a safetensors file has it. */
export interface SafetensorsEntry {
  /** The element type. */
  readonly dtype: RawDtype;
  /** The extent of each dimension. */
  readonly shape: readonly number[];
}

/** What a safetensors file says of itself. */
export interface SafetensorsInfo {
  /** Free text, empty if the file has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Element type and shape of each tensor, as stored, in the header's order. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/**
 * Reads the header of a safetensors file: its metadata, and which tensors it holds. No tensor is read.
 * @throws FileFormatError naming the place in a malformed file
 */
export async function inspectSafetensors(path: string): Promise<SafetensorsInfo> {
  const { metadata, entries } = await withLayout(path, async (_, layout) => layout);
  const tensors = entries.map(({ name, rawDtype, shape }) => [name, { dtype: rawDtype, shape }] as const);
  return { metadata, tensors: new Map(tensors) };
}

/** The file that a path means: itself, or in a directory the only index or the only file. */
async function fileOf(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory()) return path;
  const names = await readdir(path);
  const indices = names.filter((name) => name.endsWith(INDEX_EXTENSION));
  const shards = new Set<string>();
  for (const name of indices) {
    const file = join(path, name);
    for (const shard of readSafetensorsIndex(await readFile(file, "utf8"), file).keys()) shards.add(shard);
  }
  const single = names.filter((name) => name.endsWith(EXTENSION) && !shards.has(name));
  const candidates = [...indices, ...single];
  if (candidates.length === 1) return join(path, candidates[0]);
  const problem =
    candidates.length === 0 ? "it holds no model in safetensors" : `it holds several: ${candidates.sort().join(", ")}`;
  throw new FileFormatError(path, "the directory", problem, "Name the file to read.");
}

async function readFrom(path: string, wanted: (name: string) => boolean): Promise<(readonly [string, Tensor])[]> {
  return withLayout(path, async (file, { entries, dataStart }) => {
    const tensors: (readonly [string, Tensor])[] = [];
    for (const entry of entries.filter(({ name }) => wanted(name))) {
      const bytes = await bytesOf(file, path, dataStart + entry.begin, dataStart + entry.end);
      tensors.push([entry.name, toTensor(readTensor(entry, bytes, path), { file: path, name: entry.name })]);
    }
    return tensors;
  });
}

async function withLayout<T>(
  path: string,
  use: (file: FileHandle, layout: SafetensorsLayout) => Promise<T>,
): Promise<T> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const start = await bytesOf(file, path, 0, Math.min(8, size));
    const header = await bytesOf(file, path, 0, safetensorsHeaderEnd(start, size, path));
    return await use(file, readSafetensorsLayout(header, size, path));
  } finally {
    await file.close();
  }
}

/** One system call reads no more than 2 GiB. */
const LONGEST_READ = 2 ** 30;

/** A part of a file. */
async function bytesOf(file: FileHandle, path: string, begin: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, LONGEST_READ), begin + done);
    if (bytesRead === 0) {
      const problem = `the file ends here, though it had ${end} bytes and more`;
      throw new FileFormatError(path, `byte ${begin + done}`, problem, "Let nothing write to it while it is read.");
    }
    done += bytesRead;
  }
  return bytes;
}
