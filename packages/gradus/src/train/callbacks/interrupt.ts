// Ends a run in good order when somebody presses Ctrl-C. Node only.

import type { Callback } from "../callback.ts";

/** What `training.stopReason` then is. */
export const INTERRUPTED = "interrupted";

/** The exit code of a process that ended by Ctrl-C: 128 and the number of SIGINT. */
export const INTERRUPTED_EXIT_CODE = 130;

/**
 * A callback that stops the run after the step under way when SIGINT comes, so that the others can save it. A second one
 * ends the process at once.
 */
export function stopOnInterrupt(): Callback {
  let handler: (() => void) | undefined;
  return {
    onStart(training) {
      handler = () => {
        if (training.stopReason === INTERRUPTED) process.exit(INTERRUPTED_EXIT_CODE);
        training.stop(INTERRUPTED);
        training.log("Stopping after this step. Press Ctrl-C again to quit at once.");
      };
      process.on("SIGINT", handler);
    },
    close() {
      if (handler !== undefined) process.removeListener("SIGINT", handler);
      handler = undefined;
    },
  };
}
