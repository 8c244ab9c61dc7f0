// The log of a run as text: metrics.jsonl, one JSON object a line, for people, pandas and resuming.
// Node only; leans on node:fs and io/atomic-file.ts. Lines are only ever added, save on resuming: what a
// crashed run logged after its last checkpoint will be logged again, so those lines go.
// The format is JSON Lines (jsonlines.org); JSON has no NaN or infinities, so they are the strings
// "NaN", "Infinity" and "-Infinity", which Number(...) and pandas read back.

import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { writeFileAtomicSync } from "../io/atomic-file.ts";

/** What was measured at a step. Undefined metrics are left out. */
export interface MetricsEntry {
  /** Training step, a whole number from 0 on. */
  readonly step: number;
  /** Epochs, whole or in parts. */
  readonly epoch: number;
  readonly [metric: string]: number | string | undefined;
}

/** Options of `MetricsLog`. */
export interface MetricsLogOptions {
  /**
   * The step of the checkpoint that training goes on from: lines with a greater step are dropped. 0 starts over
   * but for what was measured before the first step. Default: every line stays.
   */
  readonly resumeAtStep?: number;
}

/** A line that cannot be written, or a log that cannot be read. */
export class MetricsLogError extends Error {
  /** What stands before the message. */
  override readonly name = "MetricsLogError";
}

/**
 * Appends to a log; each line is handed to the operating system at once.
 *
 * ```ts
 * const log = new MetricsLog("runs/lenet/metrics.jsonl", { resumeAtStep: 400 });
 * log.write({ step: 500, epoch: 1, loss: 0.31 });
 * // {"step":500,"epoch":1,"loss":0.31,"time":1767225600.123}
 * log.close();
 * ```
 */
export class MetricsLog {
  /** The file, as an absolute path. */
  readonly path: string;
  readonly #file: number;
  #fileBytes: number;
  #closed = false;

  /**
   * Opens a log or makes one; its directory must exist. A torn last line, which a killed run may leave, is removed.
   * @throws MetricsLogError where a line other than the last is no log line; AtomicWriteError on a full disk
   */
  constructor(path: string, options: MetricsLogOptions = {}) {
    this.path = resolve(path);
    const { resumeAtStep = Number.POSITIVE_INFINITY } = options;
    if (Number.isNaN(resumeAtStep)) {
      throw new MetricsLogError(`${this.path} cannot resume at step NaN. Give the step of the checkpoint.`);
    }
    if (existsSync(this.path)) dropLines(this.path, resumeAtStep);
    this.#file = openSync(this.path, "a");
    this.#fileBytes = statSync(this.path).size;
  }

  /**
   * Adds a line: step, epoch, the metrics in their order, and `time` in seconds since 1970.
   * @throws MetricsLogError
   */
  write(entry: MetricsEntry): void {
    if (this.#closed) throw new MetricsLogError(`${this.path} is closed at step ${entry.step}. Make a new MetricsLog.`);
    if (!(Number.isSafeInteger(entry.step) && entry.step >= 0)) {
      throw new MetricsLogError(`A line has step ${entry.step}. Give a whole number from 0 on.`);
    }
    if ("time" in entry) {
      throw new MetricsLogError(`The line of step ${entry.step} brings its own "time". Name that metric otherwise.`);
    }
    const { step, epoch, ...metrics } = entry;
    const fields = { step, epoch, ...metrics, time: Date.now() / 1000 };
    const line = JSON.stringify(fields, (_, value: unknown) =>
      typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
    );
    this.#append(Buffer.from(`${line}\n`));
  }

  /** Closing twice is allowed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }

  #append(bytes: Uint8Array): void {
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written);
    } catch (cause) {
      ftruncateSync(this.#file, this.#fileBytes); // the next line must not continue half of this one
      throw new MetricsLogError(
        `${bytes.length} bytes could not be added to ${this.path}: ${(cause as Error).message}. Free space on its disk.`,
        { cause },
      );
    }
    this.#fileBytes += bytes.length;
  }
}

const NEWLINE = 0x0a;

/** Rewrites the log without the lines past a step and without a torn end; touches nothing where all is well. */
function dropLines(path: string, lastStep: number): void {
  const bytes = readFileSync(path);
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    const step = stepOf(bytes.subarray(start, end));
    const isLast = end + 1 >= bytes.length;
    if (step === undefined && !isLast) {
      throw new MetricsLogError(
        `Line ${number} of ${path} is not a JSON object with a step. Mend or remove that line.`,
      );
    }
    if (step !== undefined && step <= lastStep) {
      const line =
        newline < 0 ? Buffer.concat([bytes.subarray(start, end), Buffer.of(NEWLINE)]) : bytes.subarray(start, end + 1);
      kept.push(line);
      keptBytes += line.length;
    }
    start = end + 1;
  }
  if (keptBytes !== bytes.length) writeFileAtomicSync(path, Buffer.concat(kept));
}

/** Undefined where the line is torn: no beginning of a JSON object is itself one. */
function stepOf(line: Buffer): number | undefined {
  try {
    const entry: unknown = JSON.parse(line.toString("utf8"));
    if (typeof entry !== "object" || entry === null || !("step" in entry)) return undefined;
    return typeof entry.step === "number" ? entry.step : undefined;
  } catch {
    return undefined;
  }
}
