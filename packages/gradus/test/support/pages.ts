// Pages for a browser: a server of files in memory or folders, and a headless Chromium to open them.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type Browser, chromium, type Page } from "playwright";
import { chromiumArguments, isolationHeaders } from "./chromium.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

/** Where a path is served from: a folder, for paths that begin with the key, or a text, for the very path. */
export type Site = Readonly<Record<string, { readonly folder: string } | { readonly text: string }>>;

export interface Server {
  readonly address: string;
  /** Paths that were asked for. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

async function contentOf(site: Site, path: string): Promise<string | Buffer | null> {
  for (const [prefix, source] of Object.entries(site)) {
    if ("text" in source && path === prefix) return source.text;
    if ("folder" in source && path.startsWith(prefix)) {
      // Resolved against the root first, so that no ".." leads out of the folder.
      const inside = normalize(`/${path.slice(prefix.length)}`);
      return readFile(join(source.folder, inside)).catch(() => null);
    }
  }
  return null;
}

/** Serves a site on a free port of this machine, cross-origin isolated or not. */
export async function serve(site: Site, isolated: boolean): Promise<Server> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    requests.push(path);
    const content = await contentOf(site, path);
    const headers = isolated ? isolationHeaders : {};
    response.writeHead(content === null ? 404 : 200, { "Content-Type": types[extname(path)] ?? "", ...headers });
    response.end(content ?? `${path} is not here.`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    requests,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...chromiumArguments] });
}

/** Opens a page and notes everything that goes wrong in it. */
export async function open(browser: Browser, url: string): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}
