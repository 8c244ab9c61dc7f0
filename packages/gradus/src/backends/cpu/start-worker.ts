// Starts one worker of the thread pool, in Node as a worker thread and in a browser as a Worker over a Blob. Either way
// the worker's code is text made here from functions, and needs no file that a bundler would have to carry along.

import { createMath } from "./math.ts";
import { importNode, isNode } from "./platform.ts";
import { reportFailure, type WorkerMessage, type WorkerSetup, workerMain } from "./worker-main.ts";

export interface WorkerEvents {
  message(message: WorkerMessage): void;
  /** The worker broke down, outside of any program. */
  failure(reason: string): void;
}

export interface PoolWorker {
  /** Whether the worker keeps the process alive. Without effect in browsers. */
  keepAlive(keep: boolean): void;
  terminate(): Promise<void>;
}

/** `__name` is a helper that some bundlers refer to from inside functions. */
const preamble = `"use strict"; const __name = (value) => value;`;

function callMain(setup: string, post: string): string {
  return `(${workerMain})(${createMath}, ${reportFailure}, ${setup}, ${post});`;
}

export function startWorker(setup: WorkerSetup, events: WorkerEvents): Promise<PoolWorker> {
  return isNode ? startNodeWorker(setup, events) : startWebWorker(setup, events);
}

async function startNodeWorker(setup: WorkerSetup, events: WorkerEvents): Promise<PoolWorker> {
  const { Worker } = await importNode<typeof import("node:worker_threads")>("node:worker_threads");
  const source =
    `${preamble} const { parentPort, workerData } = require("node:worker_threads");` +
    callMain("workerData", "(message) => parentPort.postMessage(message)");
  // No arguments and no environment: options meant for the main thread, such as loaders, would only slow the worker
  // down.
  const worker = new Worker(source, { eval: true, workerData: setup, execArgv: [], env: {}, name: workerName(setup) });
  worker.on("message", (message: WorkerMessage) => events.message(message));
  worker.on("error", (error) => events.failure(String(error)));
  worker.on("exit", (code) => events.failure(`it exited with code ${code}`));
  return {
    keepAlive: (keep) => (keep ? worker.ref() : worker.unref()),
    terminate: async () => void (await worker.terminate()),
  };
}

async function startWebWorker(setup: WorkerSetup, events: WorkerEvents): Promise<PoolWorker> {
  const source = `${preamble} onmessage = ({ data }) => ${callMain("data", "(message) => postMessage(message)")}`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { name: workerName(setup) });
  worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
    URL.revokeObjectURL(url);
    events.message(data);
  };
  worker.onerror = ({ message }) =>
    events.failure(message || "its script was refused, perhaps by a content security policy");
  worker.postMessage(setup);
  return { keepAlive: () => {}, terminate: async () => worker.terminate() };
}

function workerName({ thread }: WorkerSetup): string {
  return `gradus thread ${thread}`;
}
