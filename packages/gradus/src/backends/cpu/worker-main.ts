// What a worker of the thread pool does: sleeps on the command counter, runs its share of the program it is given,
// reports back, sleeps again. A worker never returns to its event loop, so everything it learns comes through the
// shared memory.
//
// Both functions run in the worker from their own source text, so that no bundler needs to know of them: they must
// refer to nothing outside themselves, types excepted.

import type { ControlLayout } from "./control.ts";

/**
 * What a program exports as `run`: the share of one thread. Without parallelism it is called as run(0, 1, parameters).
 */
export type ProgramEntry = (thread: number, threads: number, parameters: number) => void;

export interface WorkerSetup {
  readonly memory: WebAssembly.Memory;
  readonly layout: ControlLayout;
  readonly thread: number;
  readonly threads: number;
  /** Looks at the command counter before the worker goes to sleep. */
  readonly spins: number;
  /** Whether the last worker to finish posts "done", for a caller that cannot wait on the memory. */
  readonly announce: boolean;
}

/** The messages of a worker: it is up; the command is done. */
export type WorkerMessage = "ready" | "done";

/** Records the failure of a thread, if it is the first, and lets every thread that waits at a barrier go. */
export function reportFailure(memory: WebAssembly.Memory, layout: ControlLayout, thread: number, error: unknown): void {
  const words = new Int32Array(memory.buffer, 0, layout.size / 4);
  if (Atomics.compareExchange(words, layout.failedThread / 4, 0, thread + 1) === 0) {
    const text = new TextEncoder().encode(String(error)).subarray(0, layout.failureCapacity);
    new Uint8Array(memory.buffer, layout.failure, text.length).set(text);
    Atomics.store(words, layout.failureBytes / 4, text.length);
  }
  // In this order: see the barrier.
  Atomics.store(words, layout.aborted / 4, 1);
  Atomics.add(words, layout.barrierGeneration / 4, 1);
  Atomics.notify(words, layout.barrierGeneration / 4);
}

/** The worker's life. Returns never; the pool terminates the worker. */
export function workerMain(
  createMath: () => Record<string, (...args: number[]) => number>,
  report: typeof reportFailure,
  setup: WorkerSetup,
  post: (message: WorkerMessage) => void,
): never {
  const { memory, layout, thread, threads, spins, announce } = setup;
  const words = new Int32Array(memory.buffer, 0, layout.size / 4);
  const read = (address: number) => Atomics.load(words, address / 4);
  const imports = { env: { memory }, math: createMath() };
  const programs = new Map<number, ProgramEntry>();
  const commands = layout.commands / 4;
  const busy = layout.busy / 4;
  let seen = 0;
  let pages = 0;

  const takeIn = (id: number): ProgramEntry => {
    // A module cannot be compiled from shared bytes: slice() makes a copy that is not shared.
    const bytes = new Uint8Array(memory.buffer, read(layout.moduleAddress) >>> 0, read(layout.moduleBytes)).slice();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
    const entry = instance.exports.run as ProgramEntry;
    programs.set(id, entry);
    return entry;
  };

  post("ready");
  for (;;) {
    for (let left = spins; left > 0 && Atomics.load(words, commands) === seen; left--);
    while (Atomics.load(words, commands) === seen) Atomics.wait(words, commands, seen);
    seen = Atomics.load(words, commands);
    try {
      if (read(layout.memoryPages) !== pages) {
        pages = read(layout.memoryPages);
        memory.grow(0); // renews memory.buffer, and what the instances know of their memory, after growth elsewhere
      }
      for (let i = read(layout.forgottenCount) - 1; i >= 0; i--) programs.delete(read(layout.forgotten + 4 * i));
      const id = read(layout.program);
      const entry = programs.get(id) ?? takeIn(id);
      entry(thread, threads, read(layout.parameters));
    } catch (error) {
      report(memory, layout, thread, error);
    }
    if (Atomics.sub(words, busy, 1) === 1) {
      Atomics.notify(words, busy);
      if (announce) post("done");
    }
  }
}
