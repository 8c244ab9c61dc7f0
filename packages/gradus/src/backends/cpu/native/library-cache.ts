// Compiled libraries on disk, by content: a file is named by the key of what it was made from and by the digest of its own
// bytes. What a process loads it executes, so nothing is handed out that another user could have written, that was cut
// short or changed. A file comes in whole, by renaming, so that processes need no lock. Leans on Node alone.

import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { GradusError } from "../../../graph/index.ts";

/** A cache that cannot take anything in: a full disk, a folder that became read-only. */
export class LibraryCacheError extends GradusError {
  constructor(
    readonly problem: string,
    readonly remedy: string = "Free some space, or set GRADUS_CACHE_DIR to another folder.",
    options?: ErrorOptions,
  ) {
    super(`${problem}. ${remedy}`, options);
  }
}

export interface LibraryCacheOptions {
  /** Default: `$GRADUS_CACHE_DIR`, `$XDG_CACHE_HOME/gradus`, or `gradus` where the system keeps a user's caches. */
  readonly folder?: string;
  /** What the libraries may take together before the least recently used are deleted; default 512 MiB. */
  readonly maximumBytes?: number;
  /** Default: `process.env`. */
  readonly environment?: NodeJS.ProcessEnv;
}

const defaultMaximumBytes = 512 * 2 ** 20;
/** How much of the maximum stays after deleting, so that it is not done again at once. */
const keptShare = 0.8;
const staleMilliseconds = 3_600_000;
const keyForm = /^[0-9a-f]+$/;
const libraryForm = /^[0-9a-f]+\.([0-9a-f]{32})\.so$/;
const temporaryForm = /^tmp-/;

export class LibraryCache {
  /** Where new libraries go. */
  readonly folder: string;
  /** One line, if libraries are kept for this process only: why, and what to do. */
  readonly notice: string | null;
  /** Where libraries are looked for; the first is `folder`. */
  readonly #shelves: readonly Shelf[];
  readonly #maximumBytes: number;
  /** Bytes of all libraries in `folder`, once they were counted. */
  #bytes: number | null = null;

  private constructor(shelves: readonly Shelf[], notice: string | null, maximumBytes: number) {
    this.folder = shelves[0].folder;
    this.notice = notice;
    this.#shelves = shelves;
    this.#maximumBytes = maximumBytes;
  }

  /**
   * Opens the user's cache, the folder `native` in `options.folder`, and makes it if it is not there. If it cannot be
   * written or is not safe, a private folder takes its place, which is deleted when the process exits, and `notice`
   * says why. A safe folder that can only be read is still read.
   *
   * @throws {LibraryCacheError} if there cannot be a private folder either
   */
  static open(options: LibraryCacheOptions = {}): LibraryCache {
    const { maximumBytes = defaultMaximumBytes, environment = process.env } = options;
    const readable: Shelf[] = [];
    try {
      const folder = resolve(options.folder ?? defaultFolder(environment), "native");
      makeFolder(folder);
      const danger = dangerOf(folder);
      if (danger !== null) return LibraryCache.#private(`${folder} ${danger}`, [], maximumBytes);
      readable.push(new Shelf(folder));
      unlinkSync(reserve(folder, "probe"));
      return new LibraryCache(readable, null, maximumBytes);
    } catch (error) {
      return LibraryCache.#private(messageOf(error), readable, maximumBytes);
    }
  }

  /**
   * A cache for this process only, deleted when it exits.
   *
   * @param reason why, for `notice`: a phrase without a full stop
   * @param alsoRead a cache whose libraries are found too
   * @throws {LibraryCacheError} if there is no room for temporary files
   */
  static private(reason: string, alsoRead?: LibraryCache): LibraryCache {
    return alsoRead === undefined
      ? LibraryCache.#private(reason, [], defaultMaximumBytes)
      : LibraryCache.#private(reason, alsoRead.#shelves, alsoRead.#maximumBytes);
  }

  static #private(reason: string, readable: readonly Shelf[], maximumBytes: number): LibraryCache {
    const notice =
      `Native code is kept for this process only: ${reason.replace(/\s+/g, " ")}. ` +
      "Set GRADUS_CACHE_DIR to a folder of your own to keep it.";
    return new LibraryCache([new Shelf(makePrivateFolder()), ...readable], notice, maximumBytes);
  }

  /**
   * Path of a library that may be loaded, or null. Marks it as used. What bears the key but may not be loaded is
   * deleted, if it belongs to this user.
   *
   * @param key lower-case hexadecimal
   */
  find(key: string): string | null {
    checkKey(key);
    for (const shelf of this.#shelves) {
      const name = shelf.find(key);
      if (name === null) continue;
      const path = join(shelf.folder, name);
      const now = new Date();
      quietly(() => utimesSync(path, now, now));
      return path;
    }
    return null;
  }

  /**
   * Takes a file in, which leaves its place.
   *
   * @param key lower-case hexadecimal
   * @param temporary a complete library at a path made by `temporaryPath`
   * @returns its final path
   * @throws {LibraryCacheError} if the folder does not take it
   */
  add(key: string, temporary: string): string {
    checkKey(key);
    try {
      const bytes = readFileSync(temporary);
      const name = `${key}.${digestOf(bytes)}.so`;
      const path = join(this.folder, name);
      chmodSync(temporary, 0o600);
      renameSync(temporary, path);
      this.#shelves[0].remember(name);
      quietly(() => this.#tidy(name, bytes.length));
      return path;
    } catch (error) {
      throw new LibraryCacheError(messageOf(error), undefined, { cause: error });
    }
  }

  /**
   * A path in `folder` that no other process uses, at which an empty file is made. Whoever asks for it deletes it, or
   * adds it.
   *
   * @throws {LibraryCacheError} if the folder does not take the file
   */
  temporaryPath(extension: string): string {
    try {
      return reserve(this.folder, extension);
    } catch (error) {
      throw new LibraryCacheError(messageOf(error), undefined, { cause: error });
    }
  }

  /** Keeps the folder within its bounds. It is looked through at first, and then whenever the sum suggests it. */
  #tidy(added: string, addedBytes: number): void {
    if (this.#bytes !== null && (this.#bytes += addedBytes) <= this.#maximumBytes) return;
    const libraries: { readonly path: string; readonly size: number; readonly used: number }[] = [];
    let sum = 0;
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name);
      const status = lstatSync(path, { throwIfNoEntry: false });
      if (status === undefined) continue;
      if (libraryForm.test(name)) {
        sum += status.size;
        if (name !== added) libraries.push({ path, size: status.size, used: status.mtimeMs });
      } else if (temporaryForm.test(name) && Date.now() - status.mtimeMs > staleMilliseconds) {
        quietly(() => unlinkSync(path));
      }
    }
    if (sum > this.#maximumBytes) {
      libraries.sort((a, b) => a.used - b.used);
      for (const { path, size } of libraries) {
        if (sum <= keptShare * this.#maximumBytes) break;
        quietly(() => unlinkSync(path));
        sum -= size;
      }
    }
    this.#bytes = sum;
  }
}

/** A folder of libraries, and the names in it as last read. */
class Shelf {
  readonly #names = new Map<string, string[]>();
  #readAt: bigint | null = null;

  constructor(readonly folder: string) {}

  /** Name of a library that may be loaded, or null. */
  find(key: string): string | null {
    return this.#usable(key) ?? (this.#refresh() ? this.#usable(key) : null);
  }

  remember(name: string): void {
    const key = name.slice(0, name.indexOf("."));
    const names = this.#names.get(key) ?? [];
    if (!names.includes(name)) this.#names.set(key, [...names, name]);
  }

  #usable(key: string): string | null {
    for (const name of this.#names.get(key) ?? []) {
      if (isLoadable(this.folder, name)) return name;
      discard(join(this.folder, name));
    }
    this.#names.delete(key);
    return null;
  }

  /** Reads the folder again if it changed since; says whether it did. */
  #refresh(): boolean {
    try {
      const { mtimeNs } = lstatSync(this.folder, { bigint: true });
      if (mtimeNs === this.#readAt) return false;
      const names = readdirSync(this.folder);
      this.#names.clear();
      for (const name of names) if (keyForm.test(name.split(".", 1)[0])) this.remember(name);
      this.#readAt = mtimeNs;
      return true;
    } catch {
      return false; // deleted by somebody: nothing is found
    }
  }
}

function isLoadable(folder: string, name: string): boolean {
  const digest = libraryForm.exec(name)?.[1];
  const path = join(folder, name);
  try {
    const status = lstatSync(path);
    if (digest === undefined || !status.isFile() || !isOurs(status) || isOpenToOthers(status)) return false;
    return digestOf(readFileSync(path)) === digest;
  } catch {
    return false;
  }
}

function discard(path: string): void {
  quietly(() => {
    if (isOurs(lstatSync(path))) unlinkSync(path);
  });
}

/** The first 128 bits of SHA-256. */
function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 32);
}

/** By the effective user, who owns what this process makes. */
function isOurs(status: Stats): boolean {
  return status.uid === (process.geteuid?.() ?? status.uid);
}

/** Writable by the group or by others. */
function isOpenToOthers(status: Stats): boolean {
  return (status.mode & 0o022) !== 0;
}

/** Why libraries in a folder must not be trusted, as the end of a sentence, or null. */
function dangerOf(folder: string): string | null {
  const status = lstatSync(folder);
  if (status.isSymbolicLink()) return "is a symbolic link";
  if (!status.isDirectory()) return "is not a folder";
  if (!isOurs(status)) return `belongs to another user (${status.uid})`;
  if (isOpenToOthers(status)) return `may be written by others (mode ${(status.mode & 0o777).toString(8)})`;
  return null;
}

function defaultFolder(environment: NodeJS.ProcessEnv): string {
  const { GRADUS_CACHE_DIR: own, XDG_CACHE_HOME: caches } = environment;
  if (own) return own;
  if (caches && isAbsolute(caches)) return join(caches, "gradus"); // a relative one counts as none, says the standard
  const home = environment.HOME || homedir();
  return process.platform === "darwin" ? join(home, "Library", "Caches", "gradus") : join(home, ".cache", "gradus");
}

/** Not by `recursive`, which in Node 20 never returns where the system refuses a folder by ENOENT, as /proc does. */
function makeFolder(folder: string): void {
  if (lstatSync(folder, { throwIfNoEntry: false }) !== undefined) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // else another process was faster
  }
}

function reserve(folder: string, extension: string): string {
  const path = join(folder, `tmp-${process.pid}-${randomBytes(8).toString("hex")}.${extension.replace(/^\./, "")}`);
  writeFileSync(path, "", { flag: "wx", mode: 0o600 });
  return path;
}

const privateFolders = new Set<string>();

function makePrivateFolder(): string {
  try {
    const folder = mkdtempSync(join(tmpdir(), "gradus-native-"));
    if (privateFolders.size === 0) process.once("exit", removePrivateFolders);
    privateFolders.add(folder);
    return folder;
  } catch (error) {
    throw new LibraryCacheError(messageOf(error), "Free some space, or set TMPDIR to another folder.", {
      cause: error,
    });
  }
}

function removePrivateFolders(): void {
  for (const folder of privateFolders) quietly(() => rmSync(folder, { recursive: true, force: true }));
}

function checkKey(key: string): void {
  if (!keyForm.test(key)) throw new GradusError(`"${key}" is no key of a library. Keys are lower-case hexadecimal.`);
}

/** For what may fail without harm: another process may have done it before. */
function quietly(action: () => void): void {
  try {
    action();
  } catch {}
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
