// Writes what a run measures, and its first layer's filters, for TensorBoard. Node only; leans on event-writer.ts.

import type { Callback } from "../callback.ts";
import { EventWriter } from "../event-writer.ts";
import { firstLayerFilters } from "../filters.ts";
import { tiled } from "../pictures.ts";
import type { LogIntervalOptions } from "./metrics-file.ts";

/**
 * A callback that writes an event file, to watch with `tensorboard --logdir`: curves under `train/` and `test/`, and the
 * filters after each epoch.
 * @param directory where to; made if it does not exist
 */
export function tensorBoard(directory: string, { every = 10 }: LogIntervalOptions = {}): Callback {
  let events: EventWriter | undefined;
  return {
    onStart() {
      events = new EventWriter(directory);
    },
    onStep(training, { measured, learningRate }) {
      if (training.step % every !== 0) return;
      for (const [name, value] of Object.entries(measured)) events?.scalar(`train/${name}`, value, training.step);
      events?.scalar("train/learningRate", learningRate, training.step);
    },
    async onEpochEnd(training, { evaluation }) {
      for (const [name, value] of Object.entries(evaluation ?? {}))
        events?.scalar(`test/${name}`, value, training.step);
      const filters = await firstLayerFilters(training.model);
      if (filters.length > 0) events?.image("filters", tiled(filters), training.step);
      events?.flush();
    },
    close() {
      events?.close();
    },
  };
}
