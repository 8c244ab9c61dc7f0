// Where datasets lie on disk. For Node only.

import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The folder in which downloads are kept and looked for: `$GRADUS_DATA/<name>`, or without that variable
 * `gradus/<name>` in the user's cache folder (`$XDG_CACHE_HOME`, by default `~/.cache`).
 *
 * @param name the dataset's name, such as "mnist"
 */
export function datasetFolder(name: string): string {
  const { GRADUS_DATA, XDG_CACHE_HOME } = process.env;
  return join(GRADUS_DATA || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "gradus"), name);
}
