// From printed C to libraries on disk: out of the cache, or by the system's compiler, several at a time, and then into the
// cache. One procedure, a generator that asks for commands to be run, serves the form that waits and the form that blocks.

import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { GradusError } from "../../../graph/index.ts";
import { BackgroundCommands, type Command, type CommandResult, runCommands } from "./commands.ts";
import { LibraryCache, LibraryCacheError } from "./library-cache.ts";
import type { Toolchain } from "./toolchain.ts";

/** The compiler refused printed C, was ended, or could not be started. */
export class CompilationError extends GradusError {
  /** How it ended and the compiler's first error, in one line without a full stop. */
  readonly reason: string;

  /** @param messages what the compiler wrote; the first three lines of it are shown */
  constructor({ name, command }: Toolchain, ending: string, messages: string) {
    const lines = messages.split("\n").filter((line) => line.trim() !== "");
    const parts = [
      `${name} (${command}) compiled no native code: ${ending}.`,
      ...lines.slice(0, 3),
      "Set GRADUS_CODEGEN=wasm to do without native code.",
    ];
    super(parts.join("\n"));
    // Before the error compilers may name the function that it is in.
    const first = lines.find((line) => /\berror\b/i.test(line)) ?? lines[0];
    this.reason = first === undefined ? ending : `${ending} and the message "${first.trim()}"`;
  }
}

export interface NativeCompilerOptions {
  /** How many compilers run at a time; default: the machine's cores, at least 2. */
  readonly concurrency?: number;
  /** Takes lines about what lasts longer than a second; default: to the standard error. */
  readonly report?: (line: string) => void;
}

type Unit = readonly [key: string, source: string];

/** Path of a library, or why there is none. */
type Outcome = string | GradusError;
type Outcomes = ReadonlyMap<string, Outcome>;

/** Yields commands, takes their results, returns what became of each key. */
type Build = Generator<readonly Command[], Outcomes, readonly CommandResult[]>;

interface Job {
  readonly key: string;
  readonly library: string;
  readonly command: Command;
}

/** How long is worked in silence, milliseconds. */
const patience = 1000;

/** Libraries that are being made. */
export interface Compilation {
  /** Whether `wait` would return at once. */
  isDone(): boolean;
  /**
   * Blocks until the libraries are there.
   *
   * @returns the paths, in the order of the sources
   * @throws {CompilationError} and {LibraryCacheError} as `NativeCompiler.compile` does, every time
   */
  wait(): readonly string[];
}

class BackgroundCompilation implements Compilation {
  /** What runs at present; null once nothing is left to run. */
  #running: BackgroundCommands | null = null;
  #outcomes: Outcomes | null = null;
  /** Why there are none. */
  #failure: unknown = null;

  constructor(
    readonly build: Build,
    readonly run: (commands: readonly Command[]) => BackgroundCommands,
    readonly tell: (files: number) => void,
    readonly pathsOf: (outcomes: Outcomes) => string[],
  ) {
    this.#take(build.next());
  }

  isDone(): boolean {
    while (this.#running?.isDone) this.#advance(this.#running);
    return this.#running === null;
  }

  wait(): readonly string[] {
    while (this.#running !== null) this.#advance(this.#running);
    if (this.#outcomes === null) throw this.#failure;
    return this.pathsOf(this.#outcomes);
  }

  #advance(running: BackgroundCommands): void {
    try {
      this.#take(this.build.next(running.wait(() => this.tell(running.length))));
    } catch (error) {
      this.build.return(new Map()); // deletes temporary files
      this.#running = null;
      this.#failure = error;
    }
  }

  #take(step: IteratorResult<readonly Command[], Outcomes>): void {
    this.#running = step.done ? null : this.run(step.value);
    if (step.done) this.#outcomes = step.value;
  }
}

export class NativeCompiler {
  readonly #toolchain: Toolchain;
  readonly #concurrency: number;
  readonly #report: (line: string) => void;
  /** What `compile` is busy with, by key. */
  readonly #underWay = new Map<string, Promise<Outcomes>>();
  #cache: LibraryCache;

  constructor(toolchain: Toolchain, cache: LibraryCache, options: NativeCompilerOptions = {}) {
    this.#toolchain = toolchain;
    this.#cache = cache;
    this.#concurrency = options.concurrency ?? Math.max(2, availableParallelism());
    this.#report = options.report ?? ((line) => void process.stderr.write(`${line}\n`));
  }

  /** What a library is kept under: a digest of its source and of all else that decides what it is. */
  keyOf(source: string): string {
    const parts = [gradusVersion(), this.#toolchain.fingerprint, source];
    return createHash("sha256").update(parts.join("\0")).digest("hex");
  }

  /**
   * Libraries of translation units, from the cache or compiled. A source that is being compiled already is waited for.
   *
   * @param sources C
   * @returns the paths, in the order of the sources
   * @throws {CompilationError} for the first that does not compile; the others are kept all the same
   * @throws {LibraryCacheError} if neither the cache nor a private folder takes the libraries
   */
  async compile(sources: readonly string[]): Promise<string[]> {
    const units = this.#keyed(sources);
    const batches = new Set(units.flatMap(([key]) => this.#underWay.get(key) ?? []));
    const { found, missing } = this.#lookUp(units.filter(([key]) => !this.#underWay.has(key)));
    if (missing.size > 0) {
      const batch = this.#waitFor(this.#build(missing)).finally(() => {
        for (const key of missing.keys()) this.#underWay.delete(key);
      });
      for (const key of missing.keys()) this.#underWay.set(key, batch);
      batches.add(batch);
    }
    return pathsOf(units, [found, ...(await Promise.all(batches))]);
  }

  /** As `compile`, but blocks the calling thread. */
  compileSync(sources: readonly string[]): string[] {
    return [...this.start(sources).wait()];
  }

  /** As `compile`, but in the background: the calling thread can go on, look whether it is done, and wait for it. */
  start(sources: readonly string[]): Compilation {
    const units = this.#keyed(sources);
    const { found, missing } = this.#lookUp(units);
    const build = this.#build(missing);
    const run = (commands: readonly Command[]) => new BackgroundCommands(commands, this.#concurrency);
    const start = performance.now();
    let announced = false;
    const tell = (files: number): void => {
      if (announced || performance.now() - start < patience) return;
      announced = true;
      this.#announce(files);
    };
    return new BackgroundCompilation(build, run, tell, (outcomes) => pathsOf(units, [found, outcomes]));
  }

  #keyed(sources: readonly string[]): Unit[] {
    return sources.map((source) => [this.keyOf(source), source]);
  }

  #lookUp(units: readonly Unit[]): { readonly found: Outcomes; readonly missing: ReadonlyMap<string, string> } {
    const found = new Map<string, Outcome>();
    const missing = new Map<string, string>();
    for (const [key, source] of new Map(units)) {
      const path = this.#cache.find(key);
      if (path !== null) found.set(key, path);
      else missing.set(key, source);
    }
    return { found, missing };
  }

  async #waitFor(build: Build): Promise<Outcomes> {
    try {
      let step = build.next();
      while (!step.done) {
        const commands = step.value;
        const timer = setTimeout(() => this.#announce(commands.length), patience);
        const results = await runCommands(commands, this.#concurrency).finally(() => clearTimeout(timer));
        step = build.next(results);
      }
      return step.value;
    } finally {
      build.return(new Map()); // deletes temporary files if the commands could not be run
    }
  }

  *#build(sources: ReadonlyMap<string, string>): Build {
    const outcomes = new Map<string, Outcome>();
    let pending = [...sources];
    // The second time is in a private folder, for what the cache did not take.
    for (const isLast of [false, true]) {
      if (pending.length === 0) break;
      const cache = this.#cache;
      const temporaries: string[] = [];
      try {
        const jobs = pending.map(([key, source]) => this.#prepare(cache, key, source, temporaries));
        const results = yield jobs.map(({ command }) => command);
        for (const [i, job] of jobs.entries()) outcomes.set(job.key, this.#finish(cache, job, results[i]));
      } catch (error) {
        if (!(error instanceof LibraryCacheError)) throw error;
        for (const [key] of pending) outcomes.set(key, error);
      } finally {
        temporaries.forEach(remove);
      }
      pending = pending.filter(([key]) => outcomes.get(key) instanceof LibraryCacheError);
      if (pending.length > 0 && !isLast) this.#leave(cache, outcomes.get(pending[0][0]) as LibraryCacheError);
    }
    return outcomes;
  }

  /** Every file made is noted in `temporaries`, before anything can fail. */
  #prepare(cache: LibraryCache, key: string, source: string, temporaries: string[]): Job {
    const reserve = (extension: string): string => {
      const path = cache.temporaryPath(extension);
      temporaries.push(path);
      return path;
    };
    const [input, library] = [reserve("c"), reserve("so")];
    try {
      writeFileSync(input, source);
    } catch (error) {
      throw new LibraryCacheError((error as Error).message, undefined, { cause: error });
    }
    const { command: file, flags } = this.#toolchain;
    return { key, library, command: { file, args: [...flags, "-o", library, input, "-lm"] } };
  }

  #finish(cache: LibraryCache, { key, library }: Job, { code, signal, stderr }: CommandResult): Outcome {
    const full = code === 0 ? undefined : noRoom.exec(stderr)?.[0];
    if (full !== undefined)
      return new LibraryCacheError(`${this.#toolchain.name} could not write in ${cache.folder}: ${full}`);
    if (code !== 0) return new CompilationError(this.#toolchain, endingOf(code, signal), stderr);
    // Empty files are what temporary paths begin as.
    if (!statSync(library, { throwIfNoEntry: false })?.size)
      return new CompilationError(this.#toolchain, "it succeeded but wrote no library", stderr);
    try {
      return cache.add(key, library);
    } catch (error) {
      if (error instanceof LibraryCacheError) return error;
      throw error;
    }
  }

  /** Goes on in a private folder, unless another build has moved there already. */
  #leave(cache: LibraryCache, { problem }: LibraryCacheError): void {
    if (this.#cache !== cache) return;
    this.#cache = LibraryCache.private(problem, cache);
    this.#report(`gradus: ${this.#cache.notice}`);
  }

  #announce(files: number): void {
    const { folder, notice } = this.#cache;
    const kept = notice === null ? `in ${folder} for the next time` : "for this process only";
    const what = `${files} ${files === 1 ? "file" : "files"} of native code`;
    this.#report(`gradus: compiling ${what} with ${this.#toolchain.name}; it is kept ${kept}`);
  }
}

/** How compilers and linkers say, in English, that the disk takes no more. */
const noRoom = /No space left on device|Disk quota exceeded|Read-only file system/;

function endingOf(code: number | null, signal: string | null): string {
  if (code !== null) return `it failed with exit code ${code}`;
  return signal === null ? "it could not be started" : `it was ended by ${signal}`;
}

function pathsOf(units: readonly Unit[], all: readonly Outcomes[]): string[] {
  return units.map(([key]) => {
    const outcome = all.find((outcomes) => outcomes.has(key))!.get(key)!;
    if (typeof outcome === "string") return outcome;
    throw outcome;
  });
}

/** Where it fails, as in a folder that became read-only, the file stays. */
function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {}
}

let version: string | null = null;

/** Of this package; a bundle without its package.json has the sources alone tell versions apart. */
function gradusVersion(): string {
  if (version !== null) return version;
  try {
    // As far up from here in src as in dist.
    const manifest = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"));
    version = String(manifest.version);
  } catch {
    version = "bundled";
  }
  return version;
}
