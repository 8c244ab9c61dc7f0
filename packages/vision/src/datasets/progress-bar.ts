// Draws the progress of downloads on a terminal; elsewhere it writes one line for each finished file. For Node only.

import type { DownloadProgress } from "./download.ts";

/** Where progress is drawn: `process.stderr`, or anything like it. */
export interface ProgressOutput {
  /** Whether it is a terminal. */
  readonly isTTY?: boolean;
  /** Takes text in. */
  write(text: string): unknown;
}

const WIDTH = 30;

/**
 * Makes an `onProgress` for downloads.
 *
 * @param output where to draw; by default the standard error stream
 */
export function progressBar(output: ProgressOutput = process.stderr): (progress: DownloadProgress) => void {
  let drawn = "";
  return ({ file, received, total }) => {
    const percent = Math.floor((100 * received) / total);
    const filled = Math.floor((WIDTH * received) / total);
    const bar = `${"#".repeat(filled)}${".".repeat(WIDTH - filled)}`;
    const line = `${file} [${bar}] ${`${percent}`.padStart(3)} % of ${(total / 1e6).toFixed(2)} MB`;
    const finished = received >= total;
    // A file comes in thousands of chunks, and a line changes a hundred times.
    if (line === drawn || !(output.isTTY || finished)) return;
    drawn = line;
    output.write(output.isTTY ? `\r${line}${finished ? "\n" : ""}` : `${line}\n`);
  };
}
