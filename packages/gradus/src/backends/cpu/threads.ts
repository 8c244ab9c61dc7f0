// The thread pool of the cpu backend. Workers sleep on a word of the heap's control area and are woken once a
// program; what they run, and its parameters, they read from there. A program is a WebAssembly module that imports
// `env.memory` and functions of `math` (see math.ts) and exports `run(thread: i32, threads: i32, parameters: i32)`,
// the share of one thread; the threads meet at barriers inside it (see wasm/barrier.ts).

import { controlLayout } from "./control.ts";
import { type Heap, pageBytes } from "./heap.ts";
import { createMath } from "./math.ts";
import { type PoolWorker, startWorker, type WorkerEvents } from "./start-worker.ts";
import { type ProgramEntry, reportFailure, type WorkerMessage } from "./worker-main.ts";

export interface LoadedProgram {
  readonly id: number;
}

export interface ThreadPoolOptions {
  /**
   * Whether the caller may be blocked while a program runs, and then takes a share itself. Default: wherever the
   * platform allows it, that is everywhere but on a browser's main thread; and with one thread, which is the caller's.
   */
  readonly canBlock?: boolean;
  /** How long the workers may take to start, in milliseconds. Default: 20 seconds. */
  readonly startTimeout?: number;
}

/** The pool cannot be made or cannot do what it was asked to. */
export class ThreadPoolError extends Error {
  override readonly name = "ThreadPoolError";
}

/** A program trapped, or could not be compiled, on one of its threads. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly thread: number;

  constructor(thread: number, threads: number, reason: string, cause?: unknown) {
    super(
      `Thread ${thread} of ${threads} failed in a compiled program: ${reason}. What the program wrote is not to be used; ` +
        "set GRADUS_DEBUG=loops to see the program.",
      { cause },
    );
    this.thread = thread;
  }
}

// Looks at a word before a thread sleeps on it; one takes some 12 ns in JavaScript.
/** Of a worker, for the next command: a few microseconds, for programs that follow each other at once. */
const idleSpins = 400;
/**
 * Of the caller, for the last worker to finish: longer than it takes to wake a worker, or the two would fall asleep in
 * turn over every one of a row of small programs.
 */
const joinSpins = 2500;

interface Program {
  readonly entry: ProgramEntry;
  /** The module, as long as the workers have not got it. */
  bytes: Uint8Array<ArrayBuffer> | undefined;
}

export class ThreadPool {
  /** Threads that share a parallel program, the caller's included where it can block. */
  readonly threads: number;
  /** Whether `run` may block the caller. */
  readonly canBlock: boolean;
  readonly #heap: Heap;
  readonly #words: Int32Array;
  readonly #imports: WebAssembly.Imports;
  readonly #programs = new Map<number, Program>();
  readonly #workers: PoolWorker[] = [];
  #forgotten: number[] = [];
  #nextId = 1;
  /** Runs that were begun by `runAsync` and are not over, and the last of them. */
  #pendingRuns = 0;
  #lastRun: Promise<void> = Promise.resolve();
  /** Wakes `runAsync` where it waits for a message. */
  #wake: (() => void) | undefined;
  /** Why the pool is of no use any more. */
  #closed: string | undefined;

  /**
   * Starts a pool and resolves when all its workers are up. With one thread there is none to start, and the heap need
   * not be shared. A heap serves one pool at a time.
   *
   * @throws ThreadPoolError when the heap is not fit for it or a worker does not start.
   */
  static async create(heap: Heap, threads: number, options: ThreadPoolOptions = {}): Promise<ThreadPool> {
    if (!Number.isInteger(threads) || threads < 1) {
      throw new ThreadPoolError(`A pool of ${threads} threads cannot be made. Ask for a positive integer.`);
    }
    if (threads > 1 && !heap.shared) {
      throw new ThreadPoolError(
        `${threads} threads need a shared heap, and this one is not. Use one thread, or make the heap with shared: true; ` +
          "in a browser the page has to be cross-origin isolated for that.",
      );
    }
    if (heap.reservedBytes < controlLayout.size) {
      throw new ThreadPoolError(
        `The heap reserves ${heap.reservedBytes} bytes where the pool needs ${controlLayout.size}. ` +
          "Make it with reservedBytes: controlLayout.size.",
      );
    }
    const pool = new ThreadPool(heap, threads, options.canBlock ?? (threads === 1 || threadCanBlock()));
    await pool.#start(options.startTimeout ?? 20_000);
    return pool;
  }

  private constructor(heap: Heap, threads: number, canBlock: boolean) {
    this.#heap = heap;
    this.threads = threads;
    this.canBlock = canBlock;
    this.#imports = { env: { memory: heap.memory }, math: createMath() };
    // This view outlives growth: shared memory, which every pool with workers has, never detaches its buffers.
    this.#words = heap.i32(0, controlLayout.size / 4);
  }

  /** Compiles a program for the caller; the workers compile it when they first run it. */
  load(bytes: Uint8Array<ArrayBuffer>): LoadedProgram {
    this.#requireOpen();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    const entry = instance.exports.run;
    if (typeof entry !== "function") {
      throw new ThreadPoolError(
        `A program exports ${Object.keys(instance.exports).join(", ") || "nothing"}. Export its entry as "run".`,
      );
    }
    const id = this.#nextId++;
    this.#programs.set(id, { entry: entry as ProgramEntry, bytes });
    return { id };
  }

  /** Forgets a program: here at once, on the workers when they are next woken. */
  unload({ id }: LoadedProgram): void {
    if (this.#programs.delete(id) && this.threads > 1) this.#forgotten.push(id);
  }

  /**
   * Runs a program to its end: with `parallel` on all threads, the caller being thread 0, and otherwise as run(0, 1,
   * parameters) on the caller alone.
   *
   * @throws ProgramError when a thread traps; the pool can be used on.
   */
  run(program: LoadedProgram, parameters: number, parallel: boolean): void {
    if (this.#pendingRuns > 0) {
      throw new ThreadPoolError(
        `run() is called while ${this.#pendingRuns} runs begun by runAsync() are not over. Await them first.`,
      );
    }
    this.#runNow(program, parameters, parallel);
  }

  /**
   * As `run`, for a caller that cannot block: the workers do all shares of a parallel program meanwhile. Runs happen in
   * the order of the calls. A caller that can block is blocked here too.
   */
  async runAsync(program: LoadedProgram, parameters: number, parallel: boolean): Promise<void> {
    if (this.canBlock || this.threads === 1) return this.run(program, parameters, parallel);
    this.#pendingRuns++;
    const run = this.#lastRun.then(() =>
      parallel ? this.#runOnWorkers(program, parameters) : this.#runNow(program, parameters, parallel),
    );
    this.#lastRun = run.catch(() => {}); // who called hears of it; the next run need not
    try {
      await run;
    } finally {
      this.#pendingRuns--;
    }
  }

  /** Ends the workers. Programs that still run are cut off, and their `runAsync` rejects. */
  async terminate(): Promise<void> {
    if (this.#closed !== undefined) return;
    await this.#close("it was terminated");
  }

  async #start(timeout: number): Promise<void> {
    if (this.threads === 1) return;
    if (Atomics.exchange(this.#words, controlLayout.owned / 4, 1) !== 0) {
      throw new ThreadPoolError("The heap serves another pool already. Terminate that one, or make another heap.");
    }
    this.#words.fill(0, 0, controlLayout.owned / 4);
    const first = this.canBlock ? 1 : 0;
    const count = this.threads - first;
    let ready = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const failure = (reason: string) => {
          reject(
            new ThreadPoolError(`A worker did not start: ${reason}. Use one thread where workers are not permitted.`),
          );
          void this.#close(`a worker broke down: ${reason}`);
        };
        const message = (message: WorkerMessage) => {
          if (message === "done") this.#wake?.();
          else if (++ready === count) resolve();
        };
        timer = setTimeout(() => failure(`${ready} of ${count} were up after ${timeout} ms`), timeout);
        for (let thread = first; thread < this.threads; thread++) {
          this.#startWorker(thread, { message, failure }).catch((error) => failure(String(error)));
        }
      });
    } finally {
      clearTimeout(timer);
    }
    for (const worker of this.#workers) worker.keepAlive(false);
  }

  async #startWorker(thread: number, events: WorkerEvents): Promise<void> {
    const { memory } = this.#heap;
    const announce = !this.canBlock && waitAsync === undefined;
    const setup = { memory, layout: controlLayout, thread, threads: this.threads, spins: idleSpins, announce };
    const worker = await startWorker(setup, events);
    if (this.#closed === undefined) this.#workers.push(worker);
    else await worker.terminate();
  }

  async #close(reason: string): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#programs.clear();
    if (this.threads === 1) return;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    Atomics.store(this.#words, controlLayout.busy / 4, 0);
    Atomics.notify(this.#words, controlLayout.busy / 4);
    this.#wake?.();
    Atomics.store(this.#words, controlLayout.owned / 4, 0);
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) {
      throw new ThreadPoolError(`The pool cannot be used: ${this.#closed}. Create another one.`);
    }
  }

  #find({ id }: LoadedProgram): Program {
    this.#requireOpen();
    const program = this.#programs.get(id);
    if (program === undefined) {
      throw new ThreadPoolError(`Program ${id} is not loaded. Load it, and unload it only after its last run.`);
    }
    return program;
  }

  #runNow(loaded: LoadedProgram, parameters: number, parallel: boolean): void {
    const program = this.#find(loaded);
    if (!parallel || this.threads === 1) {
      try {
        program.entry(0, 1, parameters);
      } catch (error) {
        throw new ProgramError(0, 1, String(error), error);
      }
      return;
    }
    if (!this.canBlock) {
      throw new ThreadPoolError("run() would block a thread that must not be blocked. Await runAsync() instead.");
    }
    const moduleAddress = this.#command(loaded.id, program, parameters, this.threads - 1);
    let cause: unknown;
    try {
      program.entry(0, this.threads, parameters);
    } catch (error) {
      cause = error;
      reportFailure(this.#heap.memory, controlLayout, 0, error);
    }
    const words = this.#words;
    const busy = controlLayout.busy / 4;
    for (let left = joinSpins; left > 0 && Atomics.load(words, busy) !== 0; left--);
    for (let left = Atomics.load(words, busy); left !== 0; left = Atomics.load(words, busy)) {
      Atomics.wait(words, busy, left);
    }
    this.#conclude(program, moduleAddress, cause);
  }

  async #runOnWorkers(loaded: LoadedProgram, parameters: number): Promise<void> {
    const program = this.#find(loaded);
    const moduleAddress = this.#command(loaded.id, program, parameters, this.threads);
    for (const worker of this.#workers) worker.keepAlive(true);
    const words = this.#words;
    const busy = controlLayout.busy / 4;
    for (let left = Atomics.load(words, busy); left !== 0; left = Atomics.load(words, busy)) {
      if (waitAsync !== undefined) await waitAsync(words, busy, left).value;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#requireOpen();
    for (const worker of this.#workers) worker.keepAlive(false);
    this.#conclude(program, moduleAddress);
  }

  /** Wakes the workers; returns the address of the module's bytes in the heap, 0 where the workers have the module. */
  #command(id: number, program: Program, parameters: number, workers: number): number {
    const { bytes } = program;
    const moduleAddress = bytes === undefined ? 0 : this.#heap.allocate(bytes.length);
    if (bytes !== undefined) this.#heap.u8(moduleAddress, bytes.length).set(bytes);
    const words = this.#words;
    const write = (address: number, value: number) => Atomics.store(words, address / 4, value);
    write(controlLayout.program, id);
    write(controlLayout.parameters, parameters);
    write(controlLayout.moduleAddress, moduleAddress);
    write(controlLayout.moduleBytes, bytes?.length ?? 0);
    write(controlLayout.memoryPages, this.#heap.capacityBytes / pageBytes);
    const forgotten = this.#forgotten.splice(0, controlLayout.forgottenCapacity);
    write(controlLayout.forgottenCount, forgotten.length);
    forgotten.forEach((program, i) => {
      write(controlLayout.forgotten + 4 * i, program);
    });
    write(controlLayout.failedThread, 0);
    write(controlLayout.aborted, 0);
    write(controlLayout.barrierArrived, 0); // threads that left an aborted program have been counted in
    write(controlLayout.busy, workers);
    Atomics.add(words, controlLayout.commands / 4, 1);
    Atomics.notify(words, controlLayout.commands / 4);
    return moduleAddress;
  }

  /** What follows when every thread is done: frees the module's bytes, throws what was reported. */
  #conclude(program: Program, moduleAddress: number, cause?: unknown): void {
    if (moduleAddress !== 0) this.#heap.free(moduleAddress);
    const failed = Atomics.load(this.#words, controlLayout.failedThread / 4);
    if (failed === 0) {
      program.bytes = undefined;
      return;
    }
    const length = Atomics.load(this.#words, controlLayout.failureBytes / 4);
    const reason = new TextDecoder().decode(this.#heap.u8(controlLayout.failure, length).slice());
    throw new ProgramError(failed - 1, this.threads, reason, failed === 1 ? cause : undefined);
  }
}

type WaitAsync = (words: Int32Array, index: number, value: number) => { readonly value: Promise<string> | string };

/** Absent from some browsers. */
const waitAsync = (Atomics as { waitAsync?: WaitAsync }).waitAsync?.bind(Atomics);

/** A browser's main thread is refused even a wait that would return at once. */
function threadCanBlock(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return true; // nothing to wait for: there is one thread
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}
