// Saves checkpoints while a run goes on. Node only; leans on io/checkpoint-store.ts for the files.

import type { CheckpointStore } from "../../io/checkpoint-store.ts";
import { ArgumentError } from "../../tensor/index.ts";
import type { Callback } from "../callback.ts";
import type { Training } from "../training.ts";

/** Options of `saveCheckpoints`. */
export interface SaveCheckpointsOptions {
  /** Every how many steps, besides the beginning, each epoch's end and the end of the run. Default: only those. */
  readonly every?: number;
}

/**
 * A callback that keeps a run's checkpoints.
 * @throws ArgumentError for an interval that is no integer from 1
 */
export function saveCheckpoints(store: CheckpointStore, { every }: SaveCheckpointsOptions = {}): Callback {
  if (every !== undefined && !(Number.isInteger(every) && every >= 1)) {
    throw new ArgumentError("saveCheckpoints", `every ${every} steps is no interval`, "Use an integer from 1.");
  }
  let saved = "";
  const save = async (training: Training): Promise<void> => {
    await store.save(training.snapshot());
    saved = placeOf(training);
  };
  return {
    async onStart(training) {
      // At once, so that a run can be resumed from its first step on.
      if (training.step === 0) await save(training);
      else saved = placeOf(training);
    },
    async onStep(training) {
      if (every !== undefined && training.step % every === 0) await save(training);
    },
    async onEpochEnd(training) {
      await save(training);
    },
    async onEnd(training) {
      if (placeOf(training) !== saved) await save(training);
    },
  };
}

/** The last step of an epoch and the end of that epoch are two places. */
const placeOf = ({ step, epoch }: Training): string => `${step} ${epoch}`;
