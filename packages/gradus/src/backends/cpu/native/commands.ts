// Runs many processes, a few at a time: without blocking, in the background, or blocking the calling thread. For the
// latter two a worker thread does it, one for all, and who waits sleeps on shared memory. The worker's code is the text of
// one function made here, so that it needs no file that a bundler would have to carry along.

import { spawn } from "node:child_process";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { GradusError } from "../../../graph/index.ts";

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

export interface CommandResult {
  /** The exit code; null if a signal ended the process or if it could not be started. */
  readonly code: number | null;
  /** The signal that ended the process, such as "SIGINT". */
  readonly signal: string | null;
  /** The last 16 KiB of what the process wrote to its standard error, or why it could not be started. */
  readonly stderr: string;
}

/** How often a blocked thread looks up, in milliseconds. */
const tick = 100;
/** A worker that has not begun by then never will, milliseconds. */
const startLimit = 30_000;

/**
 * Runs processes without blocking, in this thread's environment, with messages in English.
 *
 * @param concurrency how many run at a time, at least 1
 * @param onEach called after each that ends, with how many have ended
 * @returns one result for each command, in their order; never rejects for a command that fails
 */
export function runCommands(
  commands: readonly Command[],
  concurrency: number,
  onEach: (done: number) => void = () => {},
): Promise<CommandResult[]> {
  return runAll(spawn, commands, concurrency, commandEnvironment(), onEach);
}

/**
 * As `runCommands`, but blocks the calling thread until all have ended.
 *
 * @param onTick called about every 100 ms meanwhile, with how many have ended
 * @throws {GradusError} if no worker thread can be had
 */
export function runCommandsSync(
  commands: readonly Command[],
  concurrency: number,
  onTick: (done: number) => void = () => {},
): CommandResult[] {
  return new BackgroundCommands(commands, concurrency).wait(onTick);
}

/** Processes that run while the calling thread does something else: no turn of its event loop is needed for them. */
export class BackgroundCommands {
  readonly #commands: readonly Command[];
  readonly #start = performance.now();
  readonly #state = new Int32Array(new SharedArrayBuffer(4 * stateLength));
  readonly #port: MessagePort;
  #results: CommandResult[] | null = null;

  /** Starts them. @param concurrency how many run at a time, at least 1 */
  constructor(commands: readonly Command[], concurrency: number) {
    this.#commands = commands;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    if (commands.length === 0) {
      this.#results = [];
      return;
    }
    const job: Job = { commands, concurrency, environment: commandEnvironment(), state: this.#state, port: port2 };
    sharedWorker().postMessage(job, [port2]);
    this.#port.unref();
  }

  /** How many there are. */
  get length(): number {
    return this.#commands.length;
  }

  /** How many have ended. */
  get done(): number {
    return this.#results?.length ?? Atomics.load(this.#state, doneAt);
  }

  /** Whether `wait` would return at once. */
  get isDone(): boolean {
    return this.#results !== null || Atomics.load(this.#state, finishedAt) !== 0;
  }

  /**
   * Blocks until all have ended.
   *
   * @param onTick called about every 100 ms meanwhile, with how many have ended
   * @returns one result for each command, in their order
   * @throws {GradusError} if no worker thread can be had
   */
  wait(onTick: (done: number) => void = () => {}): CommandResult[] {
    if (this.#results !== null) return this.#results;
    const failure = (what: string): GradusError =>
      new GradusError(
        `A worker thread that runs ${this.#commands.length} commands ${what}. ` +
          "Set GRADUS_CODEGEN=wasm to do without native code.",
      );
    try {
      while (Atomics.wait(this.#state, finishedAt, 0, tick) === "timed-out") {
        const started = Atomics.load(this.#state, startedAt) !== 0;
        if (!started && performance.now() - this.#start > startLimit)
          throw failure(`did not start within ${startLimit / 1000} seconds`);
        onTick(this.done);
      }
      const answer = receiveMessageOnPort(this.#port)?.message as
        | { results?: CommandResult[]; failure?: string }
        | undefined;
      if (answer?.results === undefined) throw failure(`broke down: ${answer?.failure ?? "it sent nothing"}`);
      this.#results = answer.results;
      return answer.results;
    } catch (error) {
      abandonWorker();
      throw error;
    } finally {
      this.#port.close();
    }
  }
}

/** What the worker is told. */
interface Job {
  readonly commands: readonly Command[];
  readonly concurrency: number;
  readonly environment: NodeJS.ProcessEnv;
  readonly state: Int32Array;
  readonly port: MessagePort;
}

let worker: Worker | null = null;

/** Started at the first need, it keeps no process alive. */
function sharedWorker(): Worker {
  if (worker !== null) return worker;
  // Neither this thread's options nor its environment: loaders, for one, would only slow the worker down.
  const started = new Worker(workerSource, { eval: true, execArgv: [], env: {}, name: "gradus commands" });
  started.on("error", () => {}); // who waits for it reports that
  started.on("exit", () => {
    if (worker === started) worker = null;
  });
  started.unref();
  worker = started;
  return started;
}

/** The next commands get another one. */
function abandonWorker(): void {
  void worker?.terminate();
  worker = null;
}

/** What the shared integers say. */
const [startedAt, doneAt, finishedAt, stateLength] = [0, 1, 2, 3];

function commandEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C" };
}

/** Runs here and, from its text, in the worker: it refers to nothing outside of itself. */
async function runAll(
  start: typeof spawn,
  commands: readonly Command[],
  concurrency: number,
  environment: NodeJS.ProcessEnv,
  onEach: (done: number) => void,
): Promise<CommandResult[]> {
  const keptBytes = 16 * 1024;

  const run = ({ file, args }: Command): Promise<CommandResult> =>
    new Promise((settle) => {
      const refuse = (error: unknown) =>
        settle({ code: null, signal: null, stderr: error instanceof Error ? error.message : String(error) });
      try {
        // In a process group of its own: Ctrl-C is for this process, which then decides what becomes of its work.
        const child = start(file, [...args], {
          stdio: ["ignore", "ignore", "pipe"],
          env: environment,
          detached: true,
        });
        let kept = Buffer.alloc(0);
        child.stderr.on("data", (chunk: Buffer) => {
          kept = Buffer.concat([kept, chunk]).subarray(-keptBytes);
        });
        child.on("error", refuse);
        child.on("close", (code, signal) => settle({ code, signal, stderr: kept.toString("utf8") }));
      } catch (error) {
        refuse(error);
      }
    });

  const results: CommandResult[] = new Array(commands.length);
  let next = 0;
  let done = 0;
  const lane = async (): Promise<void> => {
    while (next < commands.length) {
      const i = next++;
      results[i] = await run(commands[i]);
      onEach(++done);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(concurrency, commands.length)) }, lane));
  return results;
}

/** `__name` is a helper that some bundlers refer to from inside functions. */
const workerSource = `"use strict"; const __name = (value) => value;
const { parentPort } = require("node:worker_threads");
const { spawn } = require("node:child_process");
const runAll = ${runAll};
parentPort.on("message", ({ commands, concurrency, environment, state, port }) => {
  Atomics.store(state, ${startedAt}, 1);
  const finish = (answer) => {
    port.postMessage(answer);
    port.close();
    Atomics.store(state, ${finishedAt}, 1);
    Atomics.notify(state, ${finishedAt});
  };
  const onEach = (done) => Atomics.store(state, ${doneAt}, done);
  runAll(spawn, commands, concurrency, environment, onEach).then(
    (results) => finish({ results }),
    (error) => finish({ failure: String(error) }),
  );
});`;
