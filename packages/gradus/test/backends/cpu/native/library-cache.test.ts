import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { LibraryCache, LibraryCacheError } from "../../../../src/backends/cpu/native/library-cache.ts";
import { bundle, isRoot, newFolder } from "./support.ts";

const nobody = 65_534;
const key = "0123abcd";
const content = (seed: number, length = 1000) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + 1) & 255);

/** Adds a library and gives its path. */
function put(cache: LibraryCache, itsKey: string, bytes = content(1)): string {
  const temporary = cache.temporaryPath("so");
  writeFileSync(temporary, bytes);
  return cache.add(itsKey, temporary);
}

/** Runs as a user who is not root, whom no permission stops. */
function asUser<Result>(action: () => Result): Result {
  if (!isRoot) return action();
  process.seteuid!(nobody);
  try {
    return action();
  } finally {
    process.seteuid!(0);
  }
}

describe("a library in the cache", () => {
  it("is found by its key, with its content, for its owner alone, in this process and in others", () => {
    const folder = newFolder();
    const cache = LibraryCache.open({ folder });
    expect(cache.notice).toBeNull();
    expect(cache.folder).toBe(join(folder, "native"));
    expect(cache.find(key)).toBeNull();
    const path = put(cache, key);
    expect(basename(path)).toMatch(/^0123abcd\.[0-9a-f]{32}\.so$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const reader of [cache, LibraryCache.open({ folder })]) {
      expect(reader.find(key)).toBe(path);
      expect(reader.find("0123")).toBeNull();
    }
    expect(readFileSync(path)).toEqual(Buffer.from(content(1)));
    expect(readdirSync(cache.folder)).toEqual([basename(path)]);
  });

  it("is found though another process added it after the folder was read", () => {
    const folder = newFolder();
    const [first, second] = [LibraryCache.open({ folder }), LibraryCache.open({ folder })];
    expect(second.find(key)).toBeNull();
    const path = put(first, key);
    utimesSync(first.folder, 1, 1); // another time than before, however coarse the clock of the disk
    expect(second.find(key)).toBe(path);
  });

  it("may come from two processes under one key, with different bytes", () => {
    const folder = newFolder();
    const caches = [LibraryCache.open({ folder }), LibraryCache.open({ folder })];
    const temporaries = caches.map((cache, i) => {
      const path = cache.temporaryPath("so");
      writeFileSync(path, content(i));
      return path;
    });
    const paths = caches.map((cache, i) => cache.add(key, temporaries[i]));
    for (const cache of caches) expect(paths).toContain(cache.find(key));
  });

  it("counts as used when it is found", () => {
    const cache = LibraryCache.open({ folder: newFolder() });
    const path = put(cache, key);
    utimesSync(path, 1000, 1000);
    cache.find(key);
    expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(60_000);
  });

  const flaws: { readonly what: string; readonly harm: (path: string) => void; readonly stays?: boolean }[] = [
    {
      what: "with a changed byte",
      harm: (path) => {
        const bytes = readFileSync(path);
        bytes[500] ^= 1;
        writeFileSync(path, bytes);
      },
    },
    { what: "that was cut short", harm: (path) => truncateSync(path, 999) },
    { what: "that is empty", harm: (path) => truncateSync(path, 0) },
    { what: "that others may write", harm: (path) => chmodSync(path, 0o602) },
    { what: "that the group may write", harm: (path) => chmodSync(path, 0o620) },
    {
      what: "that is a symbolic link",
      harm: (path) => {
        renameSync(path, join(dirname(dirname(path)), "elsewhere.so"));
        symlinkSync(join(dirname(dirname(path)), "elsewhere.so"), path);
      },
    },
    {
      what: "that is a folder",
      stays: true,
      harm: (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    },
    { what: "whose name lacks the digest", harm: (path) => renameSync(path, join(dirname(path), `${key}.so`)) },
    ...(isRoot
      ? [{ what: "of another user", stays: true, harm: (path: string) => chownSync(path, nobody, nobody) }]
      : []),
  ];

  it.each(flaws)("$what is not found, and makes place for a sound one", ({ harm, stays = false }) => {
    const folder = newFolder();
    const cache = LibraryCache.open({ folder });
    harm(put(cache, key));
    const names = readdirSync(cache.folder);
    for (const reader of [cache, LibraryCache.open({ folder })]) expect(reader.find(key)).toBeNull();
    expect(readdirSync(cache.folder)).toEqual(stays ? names : []);
    const sound = put(cache, key, content(2));
    expect(cache.find(key)).toBe(sound);
  });

  it("is deleted when room is needed, the least recently used first, down to four fifths", () => {
    const cache = LibraryCache.open({ folder: newFolder(), maximumBytes: 10_000 });
    const keys = Array.from({ length: 10 }, (_, i) => `a${i}`);
    for (const [i, name] of keys.entries()) {
      const time = (i === 0 ? 50 : i) + 1000; // the first was used last
      utimesSync(put(cache, name, content(i)), time, time);
    }
    expect(readdirSync(cache.folder)).toHaveLength(10);
    put(cache, "b0", content(10));
    expect(readdirSync(cache.folder).map((name) => name.split(".")[0])).toEqual(
      // Eight are 8000 bytes.
      ["a0", "a4", "a5", "a6", "a7", "a8", "a9", "b0"],
    );
    expect(cache.find("a1")).toBeNull();
  });

  it("is not deleted for its own size", () => {
    const cache = LibraryCache.open({ folder: newFolder(), maximumBytes: 500 });
    put(cache, key);
    const path = put(cache, "b0", content(2));
    expect(cache.find("b0")).toBe(path);
    expect(cache.find(key)).toBeNull();
  });

  it("has a hexadecimal key", () => {
    const cache = LibraryCache.open({ folder: newFolder() });
    expect(() => cache.find("../0123")).toThrow('"../0123" is no key of a library. Keys are lower-case hexadecimal.');
    expect(() => cache.add("", "")).toThrow("no key");
  });
});

describe("temporary files", () => {
  it("have paths of their own in the folder, readable for the user alone", () => {
    const cache = LibraryCache.open({ folder: newFolder() });
    const paths = ["c", ".c", "so"].map((extension) => cache.temporaryPath(extension));
    expect(new Set(paths).size).toBe(3);
    for (const path of paths) {
      expect(dirname(path)).toBe(cache.folder);
      expect(path).toMatch(/[0-9a-f]\.(c|so)$/);
      expect(lstatSync(path).mode & 0o777).toBe(0o600);
    }
  });

  it("that are older than an hour are deleted, younger ones are not", () => {
    const folder = newFolder();
    const [old, young] = [1, 2].map(() => LibraryCache.open({ folder }).temporaryPath("c"));
    const [longAgo, lately] = [61, 59].map((minutes) => Date.now() / 1000 - 60 * minutes);
    utimesSync(old, longAgo, longAgo);
    utimesSync(young, lately, lately);
    put(LibraryCache.open({ folder }), key);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });
});

describe("the cache's folder", () => {
  it.each([
    ["GRADUS_CACHE_DIR", (at: string) => ({ GRADUS_CACHE_DIR: `${at}/own`, XDG_CACHE_HOME: at }), "own/native"],
    ["XDG_CACHE_HOME", (at: string) => ({ XDG_CACHE_HOME: at, HOME: "/nowhere" }), "gradus/native"],
    ["HOME", (at: string) => ({ HOME: at, GRADUS_CACHE_DIR: "", XDG_CACHE_HOME: "relative" }), null],
  ])("stands where %s says, and is the user's alone", (_name, environmentOf, place) => {
    const at = newFolder();
    const { folder, notice } = LibraryCache.open({ environment: environmentOf(at) });
    const ofHome = process.platform === "darwin" ? "Library/Caches/gradus/native" : ".cache/gradus/native";
    expect(notice).toBeNull();
    expect(folder).toBe(join(at, place ?? ofHome));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  const dangers: { readonly what: string; readonly make: (native: string) => void; readonly reason: string }[] = [
    {
      what: "others may write it",
      make: (native) => {
        mkdirSync(native);
        chmodSync(native, 0o777);
      },
      reason: "may be written by others (mode 777)",
    },
    {
      what: "it is a symbolic link",
      make: (native) => {
        mkdirSync(`${native}-really`);
        symlinkSync(`${native}-really`, native);
      },
      reason: "is a symbolic link",
    },
    { what: "it is a file", make: (native) => writeFileSync(native, "x"), reason: "is not a folder" },
    ...(isRoot
      ? [
          {
            what: "it belongs to another user",
            make: (native: string) => {
              mkdirSync(native, { mode: 0o700 });
              chownSync(native, nobody, nobody);
            },
            reason: `belongs to another user (${nobody})`,
          },
        ]
      : []),
  ];

  it.each(dangers)("is not used if $what: a private one is, with a notice", ({ make, reason }) => {
    const folder = newFolder();
    make(join(folder, "native"));
    const cache = LibraryCache.open({ folder });
    expect(cache.notice).toBe(
      `Native code is kept for this process only: ${join(folder, "native")} ${reason}. ` +
        "Set GRADUS_CACHE_DIR to a folder of your own to keep it.",
    );
    expect(cache.folder.startsWith(folder)).toBe(false);
    expect(statSync(cache.folder).mode & 0o777).toBe(0o700);
    expect(cache.find(key)).toBeNull();
    const path = put(cache, key);
    expect(cache.find(key)).toBe(path);
    rmSync(cache.folder, { recursive: true });
  });

  it("is a private one if it cannot be made", () => {
    const file = join(newFolder(), "file");
    writeFileSync(file, "x");
    const cache = LibraryCache.open({ environment: { GRADUS_CACHE_DIR: join(file, "below") } });
    expect(cache.notice).toMatch(/^Native code is kept for this process only: ENOTDIR: .*below.*$/);
    expect(cache.find(key)).toBeNull();
    const path = put(cache, key);
    expect(cache.find(key)).toBe(path);
    rmSync(cache.folder, { recursive: true });
  });

  it.runIf(isMainThread)("is still read if it cannot be written", () => {
    const folder = newFolder();
    if (isRoot) chownSync(folder, nobody, nobody);
    asUser(() => {
      const path = put(LibraryCache.open({ folder }), key);
      chmodSync(join(folder, "native"), 0o500);
      const cache = LibraryCache.open({ folder });
      expect(cache.notice).toContain("EACCES");
      expect(cache.find(key)).toBe(path);
      const another = put(cache, "b0", content(2));
      expect(dirname(another)).not.toBe(join(folder, "native"));
      expect(cache.find("b0")).toBe(another);
      rmSync(cache.folder, { recursive: true });
      chmodSync(join(folder, "native"), 0o700);
    });
  });

  it.runIf(isMainThread)("that stops to take files raises an error, and a private one can go on", () => {
    const folder = newFolder();
    if (isRoot) chownSync(folder, nobody, nobody);
    asUser(() => {
      const cache = LibraryCache.open({ folder });
      const path = put(cache, key);
      const temporary = cache.temporaryPath("so");
      chmodSync(cache.folder, 0o500);
      expect(() => cache.temporaryPath("so")).toThrow(LibraryCacheError);
      expect(() => cache.add("b0", temporary)).toThrow(/EACCES: .*\. Free some space, or set GRADUS_CACHE_DIR/);
      const successor = LibraryCache.private("the disk is full", cache);
      expect(successor.notice).toBe(
        "Native code is kept for this process only: the disk is full. " +
          "Set GRADUS_CACHE_DIR to a folder of your own to keep it.",
      );
      expect(successor.find(key)).toBe(path);
      expect(successor.find("b0")).toBeNull();
      expect(dirname(put(successor, "b0", content(2)))).toBe(successor.folder);
      rmSync(successor.folder, { recursive: true });
      chmodSync(cache.folder, 0o700);
    });
  });

  it("is private to a process no longer than it lives", { timeout: 20_000 }, async () => {
    const folder = newFolder();
    const file = await bundle(
      folder,
      `import { LibraryCache } from "native/library-cache.ts";
       const caches = [LibraryCache.open(), LibraryCache.private("of a test")];
       console.log(JSON.stringify(caches.map((cache) => cache.temporaryPath("c"))));`,
    );
    const env = { ...process.env, GRADUS_CACHE_DIR: join(file, "below-a-file"), TMPDIR: folder };
    const { stdout } = spawnSync(process.execPath, [file], { env, encoding: "utf8" });
    const paths = JSON.parse(stdout) as string[];
    expect(paths).toHaveLength(2);
    for (const path of paths) {
      expect(path.startsWith(join(folder, "gradus-native-"))).toBe(true);
      expect(existsSync(dirname(path))).toBe(false);
    }
  });
});
