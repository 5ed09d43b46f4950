/** Compiles what the addon's tests need, once, and again when a source has changed. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const folder = "build/test/native/compiled";

/** Why there is no compiler to test with; undefined where there is one. */
export function missingCompiler(): string | undefined {
  if (process.platform !== "linux") return "the CUDA part is tested on Linux only";
  for (const compiler of ["gcc", "g++"]) {
    if (spawnSync(compiler, ["--version"]).status !== 0) return `there is no ${compiler}`;
  }
  return undefined;
}

export interface Compiled {
  readonly path: string;
  /** What the compiler said where it failed; undefined where it did not. */
  readonly failure: string | undefined;
}

/** The stub driver as a shared library. */
export function compileStub(sanitised: boolean): Compiled {
  const flags = ["-std=c11", "-O2", "-D_GNU_SOURCE", "-fPIC", "-shared", "-fvisibility=hidden"];
  return compile("gcc", sanitised ? "stub-sanitised.so" : "stub.so", [
    ...flags,
    ...(sanitised ? sanitisers : []),
    "test/native/stub-driver.c",
    "-lm",
  ]);
}

/** The addon's CUDA part in a program of its own, under the sanitisers for addresses, leaks and undefined behaviour. */
export function compileHarness(): Compiled {
  const sources = ["convolution-timer", "cuda-driver", "cudnn", "dynamic-library"].map((name) => `native/${name}.cc`);
  return compile("g++", "harness", ["-std=c++17", ...sanitisers, "test/native/harness.cc", ...sources, "-ldl"]);
}

/** The whole addon under the sanitisers; it can be loaded where {@link sanitiserRuntime} was loaded before. */
export function compileSanitisedAddon(): Compiled {
  const require = createRequire(import.meta.url);
  const { include_dir: api } = require("node-addon-api") as { include_dir: string };
  const headers = [join(dirname(dirname(process.execPath)), "include/node"), "/usr/include/node"].find((folder) =>
    existsSync(join(folder, "node_api.h")),
  );
  if (headers === undefined) return { path: "", failure: "there are no headers of Node" };
  const sources = readdirSync("native").filter((file) => file.endsWith(".cc"));
  return compile("g++", "halp_native_sanitised.node", [
    ...["-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", ...sanitisers, "-O0"],
    ...[
      "-DNAPI_VERSION=8",
      "-DNAPI_CPP_EXCEPTIONS",
      "-DNODE_ADDON_API_DISABLE_DEPRECATED",
      "-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      "-DNODE_GYP_MODULE_NAME=halp_native",
    ],
    // Its warnings are not ours.
    ...["-isystem", headers, "-isystem", api.replaceAll('"', "")],
    ...sources.map((file) => join("native", file)),
    "-ldl",
  ]);
}

/** What has to be loaded before a program that was built without the sanitisers. */
export function sanitiserRuntime(): string {
  return spawnSync("gcc", ["-print-file-name=libasan.so"], { encoding: "utf8" }).stdout.trim();
}

const sanitisers = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

function compile(compiler: string, name: string, args: readonly string[]): Compiled {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const sources = ["native", "test/native"]
    .flatMap((dir) => readdirSync(dir).map((file) => join(dir, file)))
    .filter((file) => /\.(c|cc|h)$/.test(file));
  const newest = Math.max(...sources.map((file) => statSync(file).mtimeMs));
  if (existsSync(path) && statSync(path).mtimeMs > newest) return { path, failure: undefined };
  const run = spawnSync(compiler, ["-Wall", "-Wextra", "-Werror", "-o", path, ...args], { encoding: "utf8" });
  return { path, failure: run.status === 0 ? undefined : `${run.stdout}${run.stderr}` };
}
