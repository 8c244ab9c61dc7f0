// Threads for the JavaScript peers. Both start theirs as a browser's Web Workers do, from blobs of script text, which
// Node has no ear for: left alone they compute on one thread. What a browser offers is lent to them here, so that they
// are timed with the threads they would have on a page.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const threads = require("node:worker_threads");
const os = require("node:os");
const PlainBlob = globalThis.Blob;

/** A blob that remembers its text, since a blob can only be read asynchronously and a worker starts at once. */
class ScriptBlob extends PlainBlob {
  constructor(parts, options) {
    super(parts, options);
    this.script = parts.every((part) => typeof part === "string") ? parts.join("") : undefined;
  }
}

function scriptFiles(preludeOf) {
  const folder = mkdtempSync(join(tmpdir(), "gradus-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  let count = 0;
  return (blob) => {
    const file = join(folder, `${count++}.cjs`);
    writeFileSync(file, preludeOf(blob.script) + blob.script);
    return file;
  };
}

/** jax-js: a global Worker, a worker's globals, and a `navigator` that tells how many workers to start. */
export function lendWorkersToJax(count) {
  const workerGlobals = `
    const { parentPort } = require("node:worker_threads");
    globalThis.self = globalThis;
    globalThis.postMessage = (message) => parentPort.postMessage(message);
    parentPort.on("message", (data) => globalThis.onmessage({ data }));
  `;
  globalThis.Blob = ScriptBlob;
  URL.createObjectURL = scriptFiles(() => workerGlobals);
  globalThis.Worker = class extends threads.Worker {
    constructor(file) {
      super(file);
      this.on("message", (data) => this.onmessage?.({ data }));
      this.on("error", (error) => this.onerror?.(error));
    }
  };
  Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: count }, configurable: true });
}

/**
 * TensorFlow.js: its WebAssembly is built by Emscripten, whose workers know Node. They lack the files that blobs stand
 * for, and in the module's text the Node modules that the bundler named. It takes half of the cores it sees.
 */
export function lendWorkersToTensorFlow(count) {
  const nodeModules = ["fs", "path", "worker_threads", "perf_hooks", "os"]
    .map((name, index) => `var require$$${index} = require("node:${name}");`)
    .join("");
  const isModule = /^var \w+ = function|^var \w+ = \(?\w* ?=>|^var WasmBackendModule/;
  const fileOf = scriptFiles((script) =>
    isModule.test(script) ? `${nodeModules}var commonjsGlobal = globalThis;` : "",
  );
  globalThis.Blob = ScriptBlob;
  URL.createObjectURL = fileOf;
  threads.Worker = class extends threads.Worker {
    postMessage(message, transfer) {
      const blob = message?.urlOrBlob;
      super.postMessage(blob instanceof ScriptBlob ? { ...message, urlOrBlob: fileOf(blob) } : message, transfer);
    }
  };
  const seen = os.cpus;
  os.cpus = () => Array.from({ length: 2 * count }, () => seen()[0]);
}
