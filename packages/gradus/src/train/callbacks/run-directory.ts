// Everything a run leaves behind, in one directory: checkpoints, metrics.jsonl, TensorBoard events and report.html. Node
// only; it puts the callbacks beside together in the order that resuming needs.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CheckpointStore } from "../../io/checkpoint-store.ts";
import type { Callback } from "../callback.ts";
import { saveCheckpoints } from "./checkpoints.ts";
import { logMetrics } from "./metrics-file.ts";
import { type ReportOptions, writeReport } from "./report-file.ts";
import { tensorBoard } from "./tensor-board.ts";

/** Options of `RunDirectory.callbacks`. */
export interface RunDirectoryOptions {
  /** Save a checkpoint every so many steps, besides each epoch's end. */
  readonly checkpointEvery?: number;
  /** Log every so many steps. Default 10. */
  readonly logEvery?: number;
  /** What the report says besides what was measured. */
  readonly report?: ReportOptions;
}

/**
 * The directory of one run.
 *
 * ```ts
 * const run = new RunDirectory("runs/lenet");
 * await trainer.fit(loader, { epochs: 5, evaluate: testLoader, callbacks: [showProgress(), ...run.callbacks()] });
 * // later, to go on:
 * const { checkpoint } = await run.store.load();
 * await trainer.fit(loader, { epochs: 5, resume: checkpoint, callbacks: run.callbacks() });
 * ```
 */
export class RunDirectory {
  /** The run's checkpoints. */
  readonly store: CheckpointStore;
  /** `report.html` in the directory. */
  readonly reportPath: string;

  /** @param path the directory; `callbacks` makes it */
  constructor(readonly path: string) {
    this.store = new CheckpointStore(path);
    this.reportPath = join(path, "report.html");
  }

  /** The callbacks that fill the directory, which is made if it does not exist. */
  callbacks({ checkpointEvery, logEvery, report }: RunDirectoryOptions = {}): Callback[] {
    mkdirSync(this.path, { recursive: true });
    return [
      // The logs come first: a checkpoint then never knows of a step that they lack.
      logMetrics(join(this.path, "metrics.jsonl"), { every: logEvery }),
      tensorBoard(this.path, { every: logEvery }),
      saveCheckpoints(this.store, { every: checkpointEvery }),
      writeReport(this.reportPath, report),
    ];
  }
}
