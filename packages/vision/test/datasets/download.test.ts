// Downloads from a server on this machine that behaves as badly as servers do.

import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PUBLISHED } from "../../src/datasets/published.ts";
import { DatasetError } from "../../src/index.ts";
import {
  CIFAR10,
  CIFAR100,
  type DownloadProgress,
  downloadDataset,
  downloadFile,
  KMNIST,
  progressBar,
} from "../../src/node.ts";

const CONTENT = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 131 + (i >> 7) * 17) & 0xff);
const FILE = { name: "data.gz", bytes: CONTENT.length, md5: createHash("md5").update(CONTENT).digest("hex") };

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let folder: string;
let server: Server;
let address: string;
/** How the server answers, one handler a request; the last one stays. */
let handlers: Handler[];
/** The range each request asked for. */
let ranges: (string | undefined)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-download-"));
  handlers = [];
  ranges = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    (handlers.length > 1 ? handlers.shift()! : handlers[0]!)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.gz`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

const download = (options = {}) => downloadFile(address, FILE, folder, { attempts: 1, ...options });
const partSize = async () => (await readFile(join(folder, "data.gz.part"))).length;

/** Sends the file, or the rest of it if a range asks for that. */
const serve =
  (content: Uint8Array = CONTENT): Handler =>
  (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (from > 0) {
      response.writeHead(206, {
        "content-range": `bytes ${from}-${content.length - 1}/${content.length}`,
        "content-length": content.length - from,
      });
    } else response.writeHead(200, { "content-length": content.length });
    response.end(content.subarray(from));
  };

/** Sends all of the file, whatever was asked for. */
const serveWithoutRange: Handler = (_, response) => response.end(CONTENT);

/** Promises the file or its rest, sends so many bytes of it, and then does `afterwards` to the connection. */
const serveOnly =
  (count: number, afterwards: (response: ServerResponse) => void): Handler =>
  (_, response) => {
    response.writeHead(200, { "content-length": CONTENT.length });
    response.write(CONTENT.subarray(0, count), () => afterwards(response));
  };
const cut = (response: ServerResponse) => response.destroy();

const status =
  (code: number, headers = {}): Handler =>
  (_, response) =>
    response.writeHead(code, headers).end("an explanation for people");

async function expectWholeFile(path: string): Promise<void> {
  expect(path).toBe(join(folder, "data.gz"));
  expect(Buffer.compare(await readFile(path), CONTENT)).toBe(0);
  expect(await readdir(folder)).toEqual(["data.gz"]);
}

describe("a download", () => {
  it("leaves the checked file under its name and nothing else, and reports every step", async () => {
    handlers = [serve()];
    const steps: DownloadProgress[] = [];
    await expectWholeFile(await download({ onProgress: (step: DownloadProgress) => steps.push(step) }));
    expect(steps[0]).toEqual({ file: "data.gz", received: 0, total: CONTENT.length });
    expect(steps.at(-1)).toEqual({ file: "data.gz", received: CONTENT.length, total: CONTENT.length });
    expect(steps.map((step) => step.received)).toEqual(steps.map((step) => step.received).sort((a, b) => a - b));
  });

  it("does not ask for a file that is there with the right checksum", async () => {
    await writeFile(join(folder, "data.gz"), CONTENT);
    await expectWholeFile(await download());
    expect(ranges).toEqual([]);
  });

  it("replaces a file of that name with another checksum", async () => {
    await writeFile(join(folder, "data.gz"), CONTENT.toReversed());
    handlers = [serve()];
    await expectWholeFile(await download());
  });

  it("that is cut off keeps what arrived, says how much, and the next call fetches only the rest", async () => {
    handlers = [serveOnly(50_000, () => {}), serve()];
    // Cut once the bytes have arrived: those under way are lost with a connection.
    const onProgress = ({ received }: DownloadProgress) => received === 50_000 && server.closeAllConnections();
    await expect(download({ onProgress })).rejects.toThrow(/connection failed .* with 50000 of 200000 bytes here/);
    expect(await partSize()).toBe(50_000);
    expect(await readdir(folder)).toEqual(["data.gz.part"]);
    await expectWholeFile(await download());
    expect(ranges).toEqual([undefined, "bytes=50000-"]);
  });

  it("that is cut off goes on by itself while attempts are left", async () => {
    handlers = [serveOnly(50_000, cut), serve()];
    await expectWholeFile(await download({ attempts: 2 }));
    expect(ranges.length).toBe(2);
  });

  it("starts over where the server ignores ranges", async () => {
    await writeFile(join(folder, "data.gz.part"), CONTENT.subarray(0, 70_000));
    handlers = [serveWithoutRange];
    await expectWholeFile(await download());
    expect(ranges).toEqual(["bytes=70000-"]);
  });

  it.each([
    ["refuses the range", status(416)],
    ["answers another range", status(206, { "content-range": "bytes 5-199999/200000" })],
    ["answers the range of another file", status(206, { "content-range": "bytes 70000-299999/300000" })],
  ])("starts over where the server %s", async (_, handler) => {
    await writeFile(join(folder, "data.gz.part"), CONTENT.subarray(0, 70_000));
    handlers = [handler, serve()];
    await expectWholeFile(await download({ attempts: 2 }));
    expect(ranges).toEqual(["bytes=70000-", undefined]);
  });

  it("starts over when the bytes of an earlier call turn out to be wrong", async () => {
    await writeFile(join(folder, "data.gz.part"), CONTENT.toReversed().subarray(0, 70_000));
    handlers = [serve()];
    await expectWholeFile(await download({ attempts: 2 }));
    expect(ranges).toEqual(["bytes=70000-", undefined]);
  });

  it("only checks and renames where an earlier call got every byte", async () => {
    await writeFile(join(folder, "data.gz.part"), CONTENT);
    await expectWholeFile(await download());
    expect(ranges).toEqual([]);
  });

  it("follows redirects, but not in circles", async () => {
    handlers = [status(302, { location: "/moved/data.gz" }), serve()];
    await expectWholeFile(await download());
    await rm(join(folder, "data.gz"));
    handlers = [status(302, { location: "/data.gz" })];
    await expect(download()).rejects.toThrow(/redirects more than 5 times/);
  });
});

describe("a download is refused, with the address and without leaving a file, when", () => {
  it("the checksum is wrong", async () => {
    handlers = [serve(CONTENT.toReversed())];
    const wrong = createHash("md5").update(CONTENT.toReversed()).digest("hex");
    await expect(download({ attempts: 3 })).rejects.toThrow(
      `${address}: its 200000 bytes have the MD5 checksum ${wrong} instead of ${FILE.md5}`,
    );
    expect(ranges.length).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ["the server announces another size", serve(CONTENT.subarray(1)), /offers 199999 bytes.* has 200000/],
    [
      "the server sends more than it should",
      ((_, response) => {
        response.write(CONTENT);
        response.end(CONTENT);
      }) satisfies Handler,
      /sends more than the 200000 bytes/,
    ],
    ["the file is not there", status(404), /HTTP status 404/],
    ["the server is out of order", status(503), /HTTP status 503/],
    ["a redirect leads out of the web", status(302, { location: "file:///etc/passwd" }), /file: is neither http:/],
  ])("%s", async (_, handler, message) => {
    handlers = [handler];
    const attempt = download();
    await expect(attempt).rejects.toThrow(DatasetError);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toThrow(address);
    expect(await readdir(folder)).toEqual([]);
  });

  it("the server ends early without having said how much would come", async () => {
    handlers = [
      (_, response) => {
        response.flushHeaders();
        response.end(CONTENT.subarray(0, 1_000));
      },
    ];
    await expect(download()).rejects.toThrow(/connection was closed\) with 1000 of 200000 bytes here/);
    expect(await partSize()).toBe(1_000);
  });

  it("the server falls silent before or after its first bytes", async () => {
    handlers = [() => {}];
    await expect(download({ idleTimeout: 100 })).rejects.toThrow(/no byte came for 100 ms\) with 0 of 200000/);
    handlers = [serveOnly(1_000, () => {})];
    await expect(download({ idleTimeout: 100 })).rejects.toThrow(/no byte came for 100 ms\) with 1000 of 200000/);
  });

  it("nobody answers at the address", async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(download()).rejects.toThrow(/ECONNREFUSED.* Check the network and call again/);
    server.listen(0);
  });

  it("the caller aborts, and what arrived is kept", async () => {
    handlers = [serveOnly(1_000, () => {})];
    const controller = new AbortController();
    const onProgress = ({ received }: DownloadProgress) => received > 0 && controller.abort();
    await expect(download({ attempts: 3, signal: controller.signal, onProgress })).rejects.toThrow(/abort/i);
    expect(ranges.length).toBe(1);
    expect(await partSize()).toBe(1_000);
  });

  it("its folder cannot be made", async () => {
    await writeFile(join(folder, "file"), "in the way");
    await expect(downloadFile(address, FILE, join(folder, "file", "below"))).rejects.toThrow(/cannot be written/);
  });
});

describe("downloading a dataset", () => {
  it("asks for its files one after the other, and stops at the first that cannot be had", async () => {
    const asked: (string | undefined)[] = [];
    handlers = [
      (request, response) => {
        asked.push(request.url);
        status(404)(request, response);
      },
    ];
    const from = address.replace("data.gz", "mirror/");
    await expect(downloadDataset("mnist", folder, { from })).rejects.toThrow(`${from}train-images-idx3-ubyte.gz`);
    expect(asked).toEqual(["/mirror/train-images-idx3-ubyte.gz"]);
  });

  it.each([
    ["KMNIST", KMNIST, "train-images-idx3-ubyte.gz"],
    ["CIFAR10", CIFAR10, "cifar-10-binary.tar.gz"],
    ["CIFAR100", CIFAR100, "cifar-100-binary.tar.gz"],
  ] as const)("is what %s.load does first where it is told to", async (_, source, file) => {
    handlers = [status(404)];
    const from = address.replace("data.gz", "");
    const loading = source.load({ folder, download: { from, attempts: 1 } });
    await expect(loading).rejects.toThrow(`${from}${file}: the server answered with the HTTP status 404`);
    expect(ranges.length).toBe(1);
    // Without, it says how to get them.
    await expect(source.load({ folder })).rejects.toThrow(/Call downloadDataset\("(kmnist|cifar-100?)"\)/);
    expect(ranges.length).toBe(1);
  });

  it("goes to addresses that end in a slash, for files with whole checksums", () => {
    for (const { from, files } of Object.values(PUBLISHED)) {
      expect(from).toMatch(/^https?:.*\/$/);
      expect(files.map(({ md5 }) => md5).filter((md5) => !/^[0-9a-f]{32}$/.test(md5))).toEqual([]);
      expect(new Set(files.map(({ md5 }) => md5)).size).toBe(files.length);
    }
  });
});

describe("a progress bar", () => {
  const draw = (isTTY: boolean) => {
    let written = "";
    const bar = progressBar({ isTTY, write: (text) => (written += text) });
    for (const received of [0, 50_100, 50_200, 100_000, 200_000]) bar({ file: "data.gz", received, total: 200_000 });
    return written;
  };

  it("redraws one line of a terminal when it changes, and ends it", () => {
    expect(draw(true)).toBe(
      "\rdata.gz [..............................]   0 % of 0.20 MB" +
        "\rdata.gz [#######.......................]  25 % of 0.20 MB" +
        "\rdata.gz [###############...............]  50 % of 0.20 MB" +
        "\rdata.gz [##############################] 100 % of 0.20 MB\n",
    );
  });

  it("writes one line for a finished file where there is no terminal", () => {
    expect(draw(false)).toBe("data.gz [##############################] 100 % of 0.20 MB\n");
  });
});
