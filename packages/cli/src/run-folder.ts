// Where a run's files go: a folder of one's own choice, or a new one below runs/ with the date in its name.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./errors.ts";

/**
 * The folder of a new run; nothing is made yet.
 * @param chosen by the user; must be empty or not there
 * @param name what the run is of, for the name of a folder that nobody chose
 * @throws UsageError if the chosen folder is a file, or holds something already
 */
export function newRunFolder(chosen: string | undefined, name: string): string {
  if (chosen !== undefined) {
    if (!existsSync(chosen)) return chosen;
    if (!statSync(chosen).isDirectory()) {
      throw new UsageError(`--run-dir ${chosen} is a file. Give a folder, or a name that is not taken.`);
    }
    if (readdirSync(chosen).some((entry) => RUN_FILES.test(entry))) {
      throw new UsageError(`--run-dir ${chosen} holds a run already. Give another folder, or go on with --resume.`);
    }
    return chosen;
  }
  const now = new Date();
  const pad = (value: number): string => String(value).padStart(2, "0");
  const date = `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`;
  const time = `${pad(now.getHours())}${pad(now.getMinutes())}${pad(now.getSeconds())}`;
  const path = join("runs", `${date}-${time}-${name}`);
  // Two runs may begin within a second.
  for (let copy = 1; ; copy++) {
    const candidate = copy === 1 ? path : `${path}-${copy}`;
    if (!existsSync(candidate)) return candidate;
  }
}

/** What every run leaves behind from its beginning. */
const RUN_FILES = /^(checkpoint.*\.safetensors|options\.json)$/;
