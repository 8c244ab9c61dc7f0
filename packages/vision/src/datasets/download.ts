// Downloads published files: resumable, checked, and never half there under their own name. For Node only.
// Bytes go to `<name>.part`; a later call continues where that ends (HTTP range requests, RFC 9110, section 14), and
// only a file whose size and checksum are the published ones is renamed. Uses node:http rather than fetch, because
// fetch unpacks content of its own accord and checksums are of packed bytes.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DatasetError } from "./errors.ts";
import { datasetFolder } from "./folders.ts";
import { type DatasetName, PUBLISHED, type PublishedFile } from "./published.ts";

/** How far the download of one file has come. */
export interface DownloadProgress {
  /** Its name. */
  readonly file: string;
  /** Bytes that are here, those of earlier attempts included. */
  readonly received: number;
  /** Bytes that the whole file has. */
  readonly total: number;
}

/** Options of `downloadFile`. */
export interface DownloadOptions {
  /** Called as bytes arrive; `progressBar()` makes one that draws. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** How often a connection is tried before giving up; each continues where the last one ended. Default 3. */
  readonly attempts?: number;
  /** Milliseconds without a single byte after which a connection counts as lost. Default 30,000. */
  readonly idleTimeout?: number;
  /** Stops the download; what has arrived is kept for the next call. */
  readonly signal?: AbortSignal;
}

/** Options of `downloadDataset`. */
export interface DatasetDownloadOptions extends DownloadOptions {
  /** The address of another server that has the same files, ending in a slash. Default: where they were published. */
  readonly from?: string;
}

const MOST_REDIRECTS = 5;

// HTTP status codes.
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const RANGE_TROUBLE: readonly number[] = [206, 416];
const TOO_MANY_REQUESTS = 429;
const SERVER_ERRORS = 500;

/** Milliseconds before the second attempt; before the third twice as many, and so on. */
const PAUSE_BETWEEN_ATTEMPTS = 500;

/** A failure that another attempt may get over. */
class InterruptedError extends DatasetError {}

/**
 * Downloads a dataset's original files from where they were published.
 *
 * @param name which dataset
 * @param folder where the files go; by default the one that the dataset's loader looks into
 * @returns the folder
 * @throws DatasetError if a file cannot be had or is not the published one
 */
export async function downloadDataset(
  name: DatasetName,
  folder: string = datasetFolder(name),
  options: DatasetDownloadOptions = {},
): Promise<string> {
  const { from, files } = PUBLISHED[name];
  for (const file of files) await downloadFile(new URL(file.name, options.from ?? from), file, folder, options);
  return folder;
}

/**
 * Downloads one file, unless it is there already with the right checksum.
 *
 * @param address where it is
 * @param file its name, size and checksum
 * @param folder where it goes; made if it does not exist
 * @returns its path
 * @throws DatasetError if it cannot be had or is not the published one; bytes that arrived are kept for the next call
 */
export async function downloadFile(
  address: string | URL,
  file: PublishedFile,
  folder: string,
  options: DownloadOptions = {},
): Promise<string> {
  return new Download(new URL(address), file, folder, options).run();
}

class Download {
  private readonly path: string;
  private readonly part: string;

  constructor(
    private readonly address: URL,
    private readonly file: PublishedFile,
    private readonly folder: string,
    private readonly options: DownloadOptions,
  ) {
    this.path = join(folder, file.name);
    this.part = `${this.path}.part`;
  }

  async run(): Promise<string> {
    const { attempts = 3, signal } = this.options;
    if ((await sizeOf(this.path)) === this.file.bytes && (await md5Of(this.path)) === this.file.md5) {
      this.report(this.file.bytes);
      return this.path;
    }
    await mkdir(this.folder, { recursive: true }).catch((cause) => this.cannotWrite(this.folder, cause));
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.attempt();
        return this.path;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof InterruptedError) || attempt >= attempts) throw error;
        await pause(PAUSE_BETWEEN_ATTEMPTS * attempt, undefined, { signal });
      }
    }
  }

  private async attempt(): Promise<void> {
    const { bytes, md5 } = this.file;
    let here = await sizeOf(this.part);
    if (here > bytes) here = 0;
    const resumed = here > 0;
    if (here < bytes) await this.transfer(here);
    const actual = await md5Of(this.part);
    if (actual === md5) return rename(this.part, this.path);
    await rm(this.part, { force: true });
    const problem = `its ${bytes} bytes have the MD5 checksum ${actual} instead of ${md5}`;
    const remedy = "The server sent another file than the published one: try another network or server.";
    // Old bytes may be to blame where new ones were put behind them, and those are gone now.
    throw new (resumed ? InterruptedError : DatasetError)(this.address.href, "", problem, remedy);
  }

  /** Appends what comes after the part's first `here` bytes, or fetches everything where the server cannot do that. */
  private async transfer(here: number): Promise<void> {
    const { bytes } = this.file;
    const response = await this.request(this.address, here, MOST_REDIRECTS);
    const status = response.statusCode ?? 0;
    const continues = status === 206 && continuesAt(response, here, bytes);
    if (status !== 200 && !continues) {
      response.destroy();
      // An unusable range says nothing about the file: without a part, the next attempt asks for all of it.
      if (RANGE_TROUBLE.includes(status)) await rm(this.part, { force: true });
      this.refused(status);
    }
    const from = continues ? here : 0;
    const length = response.headers["content-length"];
    if (length !== undefined && from + Number(length) !== bytes) {
      response.destroy();
      const problem = `the server offers ${from + Number(length)} bytes, but the published file has ${bytes}`;
      throw new DatasetError(this.address.href, "", problem, "Try another network or server.");
    }
    const handle = await open(this.part, from > 0 ? "a" : "w").catch((cause) => this.cannotWrite(this.part, cause));
    try {
      await this.receive(response, handle, from);
      // The name of a finished file must not outlive its content in a crash of the machine.
      await handle.sync();
    } finally {
      response.destroy();
      await handle.close();
    }
  }

  private async receive(response: IncomingMessage, handle: FileHandle, from: number): Promise<void> {
    const { bytes } = this.file;
    let received = from;
    this.report(received);
    try {
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        received += chunk.length;
        if (received > bytes) break;
        await handle.appendFile(chunk).catch((cause) => this.cannotWrite(this.part, cause));
        this.report(received);
      }
    } catch (cause) {
      if (cause instanceof DatasetError) throw cause;
      this.lost(received, cause);
    }
    if (received > bytes) {
      await rm(this.part, { force: true });
      const problem = `the server sends more than the ${bytes} bytes of the published file`;
      throw new DatasetError(this.address.href, "", problem, "Try another network or server.");
    }
    if (received < bytes) this.lost(received, new Error("the connection was closed"));
  }

  /** Asks for the file from byte `here` on, and resolves once the answer's head is there. */
  private async request(address: URL, here: number, redirects: number): Promise<IncomingMessage> {
    const { signal, idleTimeout = 30_000 } = this.options;
    const get = address.protocol === "https:" ? getHttps : address.protocol === "http:" ? getHttp : undefined;
    if (get === undefined) {
      const problem = `${address.protocol} is neither http: nor https:`;
      throw new DatasetError(this.address.href, "", problem, "Give an address that begins with one of them.");
    }
    const headers = { "accept-encoding": "identity", ...(here > 0 ? { range: `bytes=${here}-` } : {}) };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      let answer: IncomingMessage | undefined;
      const request = get(address, { headers, signal, timeout: idleTimeout }, (head) => resolve((answer = head)));
      request.on("error", reject);
      request.on("timeout", () => (answer ?? request).destroy(new Error(`no byte came for ${idleTimeout} ms`)));
    }).catch((cause) => this.lost(here, cause));
    const { location } = response.headers;
    if (!REDIRECTS.includes(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    if (redirects === 0) {
      const problem = `the server redirects more than ${MOST_REDIRECTS} times`;
      throw new DatasetError(this.address.href, "", problem, "Try another server.");
    }
    return this.request(new URL(location, address), here, redirects - 1);
  }

  private report(received: number): void {
    this.options.onProgress?.({ file: this.file.name, received, total: this.file.bytes });
  }

  private refused(status: number): never {
    const temporary = RANGE_TROUBLE.includes(status) || status === TOO_MANY_REQUESTS || status >= SERVER_ERRORS;
    const remedy = `Try again later, or put the file into ${this.folder} by hand.`;
    throw new (temporary ? InterruptedError : DatasetError)(
      this.address.href,
      "",
      `the server answered with the HTTP status ${status} instead of the file`,
      remedy,
    );
  }

  private lost(received: number, cause: unknown): never {
    const reason = cause instanceof Error ? cause.message || String((cause as { code?: unknown }).code) : String(cause);
    const problem = `the connection failed (${reason}) with ${received} of ${this.file.bytes} bytes here`;
    const remedy = `Check the network and call again: it continues there. Or put the file into ${this.folder} by hand.`;
    throw new InterruptedError(this.address.href, "", problem, remedy, { cause });
  }

  private cannotWrite(path: string, cause: unknown): never {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DatasetError(path, "", `it cannot be written (${reason})`, "Make room, or choose another folder.", {
      cause,
    });
  }
}

/** Whether an answer is the rest of the file from byte `here` on, and of a file of the right size. */
function continuesAt(response: IncomingMessage, here: number, bytes: number): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers["content-range"] ?? "");
  if (response.statusCode !== 206 || range === null) return false;
  return (
    Number(range[1]) === here && Number(range[2]) === bytes - 1 && (range[3] === "*" || Number(range[3]) === bytes)
  );
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash("md5");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}
