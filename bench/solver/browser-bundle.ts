import { build } from "esbuild";

/**
 * Bundles a file as a browser gets it, minified.
 * @throws Error if anything is left to import
 */
export async function bundleForBrowser(entry: string, format: "esm" | "iife"): Promise<string> {
  const { outputFiles, metafile, warnings } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    platform: "browser",
    format,
    globalName: "halpSolver",
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "silent",
    // without import.meta there is no file beside the bundle: the pool then asks for startWorker
    logOverride: { "empty-import-meta": "silent" },
  });
  const imported = Object.values(metafile.outputs).flatMap((o) => o.imports);
  if (imported.length > 0 || warnings.length > 0) throw new Error(JSON.stringify({ imported, warnings }));
  return outputFiles[0]!.text;
}
