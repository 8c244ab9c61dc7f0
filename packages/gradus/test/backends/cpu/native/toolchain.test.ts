import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { describe, expect, it } from "vitest";
import { findToolchain, type Toolchain } from "../../../../src/backends/cpu/native/toolchain.ts";
import { newFolder, script } from "./support.ts";

const installed = await findToolchain();
const works = (found: Toolchain | { readonly missing: string }): Toolchain => {
  if ("missing" in found) throw new Error(found.missing);
  return found;
};

/** What a script prints to pass for gcc 99.1.2. */
const gcc99 = "echo '#define __GNUC__ 99'; echo '#define __GNUC_MINOR__ 1'; echo '#define __GNUC_PATCHLEVEL__ 2'";

describe.skipIf("missing" in installed)("the installed compiler", () => {
  it("is found with its path, its name and its macros", () => {
    const { command, name, flags, macros } = works(installed);
    expect(isAbsolute(command)).toBe(true);
    expect(name).toMatch(/^(gcc|clang) \d+\.\d+\.\d+$/);
    expect(flags).toEqual(expect.arrayContaining(["-ffp-contract=off", "-shared"]));
    expect(Number(macros.get("__SIZEOF_FLOAT__"))).toBe(4);
  });

  it("has the same fingerprint each time, and another with other flags", async () => {
    const { command, fingerprint } = works(installed);
    const environment = (words: string) => ({ ...process.env, CC: `${command} ${words}` });
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(works(await findToolchain(environment(""))).fingerprint).toBe(fingerprint);
    const other = works(await findToolchain(environment("-DANSWER=42")));
    expect(other.macros.get("ANSWER")).toBe("42");
    expect(other.fingerprint).not.toBe(fingerprint);
  });
});

describe("the search for a compiler", () => {
  it("takes the first of cc, gcc and clang in PATH, by running it once", async () => {
    const folder = newFolder();
    script(folder, "clang", "echo clang >> $LOG; exit 1");
    script(folder, "gcc", `echo gcc >> $LOG; ${gcc99}`);
    const found = works(await findToolchain({ PATH: folder, LOG: join(folder, "log") }));
    expect(found).toMatchObject({ command: join(folder, "gcc"), name: "gcc 99.1.2" });
    expect(readFileSync(join(folder, "log"), "utf8")).toBe("gcc\n");
  });

  it("takes $CC before those, words before the flags and flags after them, so that they win", async () => {
    const [folder, elsewhere] = [newFolder(), newFolder()];
    script(folder, "cc", gcc99);
    const launcher = script(elsewhere, "launcher", gcc99);
    const { command, flags } = works(await findToolchain({ PATH: folder, CC: ` ${launcher}  gcc -O1 -m64 ` }));
    expect(command).toBe(launcher);
    expect(flags[0]).toBe("gcc");
    expect(flags.slice(-2)).toEqual(["-O1", "-m64"]);
    expect(flags).toContain("-O2");
  });

  it.each([
    { refused: "-march=native", taken: ["-mcpu=native"] },
    { refused: "-march=native|-mcpu=native", taken: [] },
  ])("does without $refused where the compiler does not know it", async ({ refused, taken }) => {
    const folder = newFolder();
    script(folder, "cc", `for flag; do case $flag in ${refused}) echo "$flag?" >&2; exit 1;; esac; done\n${gcc99}`);
    const { flags } = works(await findToolchain({ PATH: folder }));
    expect(flags.filter((flag) => flag.endsWith("=native"))).toEqual(taken);
  });

  it("goes on to the next where one does not work", async () => {
    const folder = newFolder();
    script(folder, "cc", "exit 1");
    script(folder, "clang", `echo '#define __clang__ 1'; echo '#define __clang_major__ 98'; ${gcc99}`);
    expect(works(await findToolchain({ PATH: folder })).name).toBe("clang 98.0.0");
  });

  it("says that there is none in PATH, relative entries, folders and plain files left out", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "cc"));
    writeFileSync(join(folder, "gcc"), gcc99);
    const missing = "no C compiler (cc, gcc or clang) in PATH";
    expect(await findToolchain({ PATH: `:.:${folder}` })).toEqual({ missing });
    expect(await findToolchain({})).toEqual({ missing });
    expect(await findToolchain({ PATH: folder, CC: "icc" })).toEqual({
      missing: "no C compiler (icc, cc, gcc or clang) in PATH",
    });
  });

  it.each([
    { what: "fails with a message", lines: "echo 'no licence' >&2; echo more >&2; exit 3", why: "no licence" },
    { what: "fails in silence", lines: "exit 3", why: "it exits with code 3" },
    { what: "is another program", lines: "echo hello", why: "it is neither gcc nor clang" },
  ])("says what is wrong with one that $what", async ({ lines, why }) => {
    const folder = newFolder();
    script(folder, "cc", lines);
    expect(await findToolchain({ PATH: folder })).toEqual({ missing: `cc does not work: ${why}` });
  });

  it("says what is wrong with one that cannot be started", async () => {
    const folder = newFolder();
    script(folder, "cc", "");
    writeFileSync(join(folder, "cc"), "#!/nowhere/sh\n");
    expect(await findToolchain({ PATH: folder })).toEqual({
      missing: expect.stringMatching(/^cc does not work: .*ENOENT/),
    });
  });
});
