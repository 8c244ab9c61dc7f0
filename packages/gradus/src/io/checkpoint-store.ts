// The checkpoints of a run in its directory: the newest, and the one before it. Node only; leans on checkpoint.ts for the
// bytes and on atomic-file.ts, so that whenever a process is killed, a whole checkpoint is there.

import { copyFile, link, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "./atomic-file.ts";
import { type Checkpoint, CheckpointError, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { FileFormatError } from "./errors.ts";

/** What `CheckpointStore.load` finds. */
export interface LoadedCheckpoint {
  /** For `Trainer.fit` to resume from. */
  readonly checkpoint: Checkpoint;
  /** The file it comes from. */
  readonly path: string;
  /** One line to show: why the newest checkpoint was not used. Null where it was. */
  readonly warning: string | null;
}

/**
 * Keeps `checkpoint.safetensors` and `checkpoint.previous.safetensors` in a directory.
 *
 * ```ts
 * const store = new CheckpointStore("runs/lenet");
 * await store.save(training.snapshot());
 * const { checkpoint } = await store.load();
 * ```
 */
export class CheckpointStore {
  /** The newest checkpoint. */
  readonly path: string;
  /** The one before it, read where the newest is damaged. */
  readonly previousPath: string;
  /** Whether the newest file is known to be whole: only then may it take the place of the one before. */
  private isWhole = false;

  /**
   * Nothing is read or written yet.
   * @param directory must exist when something is saved
   */
  constructor(readonly directory: string) {
    this.path = join(directory, "checkpoint.safetensors");
    this.previousPath = join(directory, "checkpoint.previous.safetensors");
  }

  /**
   * Writes a checkpoint beside the newest and then puts it in its place; the newest becomes the one before.
   * @throws AtomicWriteError if the system refuses: the newest checkpoint is then intact
   * @throws CheckpointError if the model holds a NaN
   */
  async save(checkpoint: Checkpoint): Promise<void> {
    const bytes = await encodeCheckpoint(checkpoint);
    await writeFileAtomic(this.path, async (file) => {
      await file.writeFile(bytes);
      if (this.isWhole) await this.keepAsPrevious();
    });
    this.isWhole = true;
  }

  /** A second name for the newest file, so that its first name never points nowhere. */
  private async keepAsPrevious(): Promise<void> {
    const temporary = `${this.previousPath}.tmp`;
    await rm(temporary, { force: true });
    // Some file systems have no second names.
    await link(this.path, temporary).catch(() => copyFile(this.path, temporary));
    await rename(temporary, this.previousPath);
  }

  /**
   * Reads the newest checkpoint, or the one before it where the newest is cut short or damaged.
   * @throws CheckpointError if there is none, or none that is whole
   */
  async load(): Promise<LoadedCheckpoint> {
    const newest = await this.read(this.path);
    if ("checkpoint" in newest) {
      this.isWhole = true;
      return { ...newest, path: this.path, warning: null };
    }
    const before = await this.read(this.previousPath);
    if ("checkpoint" in before) {
      const { step } = before.checkpoint.facts;
      return {
        ...before,
        path: this.previousPath,
        warning: `${newest.problem} Going on from the checkpoint before it, of step ${step}.`,
      };
    }
    if (newest.isMissing && before.isMissing) {
      throw new CheckpointError(`There is no checkpoint in ${this.directory}. Give the directory of a run.`);
    }
    throw new CheckpointError(`${newest.problem} ${before.problem} Start the run again.`);
  }

  private async read(path: string): Promise<{ checkpoint: Checkpoint } | { problem: string; isMissing: boolean }> {
    try {
      return { checkpoint: decodeCheckpoint(await readFile(path), path) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") {
        return { problem: `${path} is not there.`, isMissing: true };
      }
      if (error instanceof FileFormatError) return { problem: error.message, isMissing: false };
      throw error;
    }
  }
}
