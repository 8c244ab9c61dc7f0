// Files that are whole or not there: written beside, synced to the disk, then renamed over the old one.
// Node only; leans on node:fs. For checkpoints and reports: whatever happens while one is written (full
// disk, power cut, kill), the name shows the old contents or the new, never half of them.
// POSIX rename(2) replaces in one step; why the sync must come before it: Pillai et al., "All File Systems
// Are Not Created Equal", OSDI 2014. A symbolic link at `path` is itself replaced, not what it points to.

import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** A file that could not be written. What was there before is intact. */
export class AtomicWriteError extends Error {
  /** What stands before the message. */
  override readonly name = "AtomicWriteError";

  constructor(
    /** The file that was to be written. */
    readonly path: string,
    /** How many bytes had been written when it failed. */
    readonly bytesWritten: number,
    /** How many were to be written, where that was known. */
    readonly bytesTotal: number | undefined,
    problem: string,
    remedy: string,
    options?: ErrorOptions,
  ) {
    const amount = bytesTotal === undefined ? `${bytesWritten} bytes` : `${bytesWritten} of ${bytesTotal} bytes`;
    const before = existsSync(path)
      ? "The old file is intact"
      : "There was no file of that name before and there is none now";
    super(`${path} could not be written, ${amount} into it: ${problem}. ${before}. ${remedy}`, options);
  }
}

/** Temporary files that this process is writing: none of them is stale. */
const beingWritten = new Set<string>();

/** The last asynchronous write to each path, so that the next one to the same path waits for it. */
const lastWrite = new Map<string, Promise<void>>();

/**
 * Writes a file in one step, as seen from outside.
 * Calls for the same path run one after the other, in the order of the calls.
 *
 * ```ts
 * await writeFileAtomic("model.safetensors", bytes);
 * await writeFileAtomic("report.html", async (file) => {
 *   for (const part of parts) await file.writeFile(part);
 * });
 * ```
 *
 * @param path the file; its directory must exist
 * @param content the bytes, a text (stored as UTF-8), or a function that writes to the open file
 * @throws AtomicWriteError where the system refuses; an error that `content` throws itself comes through as it is
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | string | ((file: FileHandle) => Promise<void>),
): Promise<void> {
  const target = resolve(path);
  const turn = (lastWrite.get(target) ?? Promise.resolve()).catch(() => {}).then(() => write(target, content));
  lastWrite.set(target, turn);
  try {
    await turn;
  } finally {
    if (lastWrite.get(target) === turn) lastWrite.delete(target);
  }
}

async function write(path: string, content: Parameters<typeof writeFileAtomic>[1]): Promise<void> {
  const temporary = temporaryName(path);
  let file: FileHandle | undefined;
  let bytes = 0;
  claim(path, temporary, content);
  try {
    const stale = staleTemporaries(path, await readdir(dirname(path)));
    await Promise.all(stale.map((name) => rm(name, { force: true })));
    file = await open(temporary, "wx");
    try {
      await (typeof content === "function" ? content(file) : file.writeFile(content));
      await file.sync();
    } finally {
      bytes = await file.stat().then(
        (stat) => stat.size,
        () => 0,
      );
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    if (file) await rm(temporary, { force: true }).catch(() => {}); // the cause is what to tell
    throw asWriteError(path, bytes, content, cause);
  } finally {
    beingWritten.delete(temporary);
  }
  await syncDirectory(dirname(path));
}

/**
 * As {@link writeFileAtomic}, at once.
 * @param content the bytes, a text, or a function that writes to the open file descriptor
 * @throws AtomicWriteError also where an asynchronous write to the same path is under way
 */
export function writeFileAtomicSync(path: string, content: Uint8Array | string | ((file: number) => void)): void {
  const target = resolve(path);
  const temporary = temporaryName(target);
  let file: number | undefined;
  let bytes = 0;
  claim(target, temporary, content);
  try {
    for (const name of staleTemporaries(target, readdirSync(dirname(target)))) rmSync(name, { force: true });
    file = openSync(temporary, "wx");
    try {
      if (typeof content === "function") content(file);
      else writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      bytes = fstatSync(file).size;
      closeSync(file);
    }
    renameSync(temporary, target);
  } catch (cause) {
    if (file !== undefined) rmSync(temporary, { force: true });
    throw asWriteError(target, bytes, content, cause);
  } finally {
    beingWritten.delete(temporary);
  }
  syncDirectorySync(dirname(target));
}

/** In the same directory, since a rename works only within one file system. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
}

function claim(path: string, temporary: string, content: unknown): void {
  if (beingWritten.has(temporary)) {
    const problem = "another write to it is under way";
    throw new AtomicWriteError(path, 0, sizeOf(content), problem, "Await that one first.");
  }
  beingWritten.add(temporary);
}

/** What writers left that were killed: temporaries of this very file whose process is gone. */
function staleTemporaries(path: string, names: readonly string[]): string[] {
  const prefix = `.${basename(path)}.`;
  return names
    .filter((name) => {
      if (!name.startsWith(prefix) || !name.endsWith(".tmp")) return false;
      const pid = name.slice(prefix.length, -".tmp".length);
      // The own number counts as stale too: in a container every run may have the same one.
      return /^[1-9]\d*$/.test(pid) && (Number(pid) === process.pid || !isRunning(Number(pid)));
    })
    .map((name) => join(dirname(path), name));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // another user's
  }
}

function asWriteError(path: string, bytes: number, content: unknown, cause: unknown): unknown {
  const isSystemError = cause instanceof Error && typeof (cause as NodeJS.ErrnoException).syscall === "string";
  if (!isSystemError) return cause;
  const remedy = "Free space on its disk or choose another place.";
  return new AtomicWriteError(path, bytes, sizeOf(content), cause.message, remedy, { cause });
}

function sizeOf(content: unknown): number | undefined {
  if (typeof content === "string") return Buffer.byteLength(content);
  return content instanceof Uint8Array ? content.length : undefined;
}

// The rename itself reaches the disk with its directory. Where directories cannot be opened (Windows) the
// system sees to it; and by now the new file is in place, so there is nothing left to fail.

async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, "r");
    await handle.sync().finally(() => handle.close());
  } catch {}
}

function syncDirectorySync(directory: string): void {
  try {
    const handle = openSync(directory, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {}
}
