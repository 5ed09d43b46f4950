/** Lists of images, in files and on a server of the test's own that fails in all the ways servers fail. */
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t from "tap";
import { openDataset } from "../../src/data/open-dataset.js";
import { collect, patternBytes, pngBytes } from "./files.js";

const names = ["a", "b", "c", "d"];
const images = await Promise.all(names.map((_, i) => pngBytes(5, 4, 3, patternBytes(60, 50 * i))));
const folder = t.testdir({
  images: Object.fromEntries(names.map((name, i) => [`${name}.png`, images[i]!])),
  outside: { "e.png": images[0]! },
});
const at = (...parts: string[]) => join(folder, ...parts);

/** Requests by path, and what answers some of them. */
const asked = new Map<string, number>();
const answers: Record<string, (response: ServerResponse, time: number) => void> = {
  "/list.txt": (r) => r.end("# as the folder has them\n\na.png\nimages/b.png\r\n/images/c.png\n/images/d.png\n"),
  "/a.png": (r) => r.writeHead(302, { location: "/images/a.png" }).end(),
  "/train.txt": (r) => r.end(names.map((n, i) => `images/${n}.png ${i}`).join("\n")),
  "/overloaded.png": (r, time) => (time < 3 ? r.writeHead(503).end() : r.end(images[1])),
  "/cut.png": (r, time) => {
    if (time > 1) return r.end(images[2]);
    r.writeHead(200, { "content-length": "999" }).write("part");
    return setTimeout(() => r.destroy(), 20);
  },
  "/round.png": (r) => r.writeHead(301, { location: "/round.png" }).end(),
  "/away.png": (r) => r.writeHead(302, { location: "/outside/e.png" }).end(),
  "/file.png": (r) => r.writeHead(302, { location: `file://${at("images", "a.png")}` }).end(),
  "/broken.png": (r) => r.end("no image"),
  "/silent.png": () => {},
};
const server = createServer(({ url = "" }, response) => {
  const { pathname } = new URL(url, "http://here");
  const time = (asked.get(pathname) ?? 0) + 1;
  asked.set(pathname, time);
  const answer = answers[pathname];
  if (answer) answer(response, time);
  else if (/^\/(images|outside)\/\w\.png$/.test(pathname)) response.end(readFileSync(at(pathname)));
  else response.writeHead(404).end();
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
t.teardown(() => {
  server.closeAllConnections();
  server.close();
});

let lists = 0;
function list(...lines: string[]): string {
  const path = at(`list-${lists++}.txt`);
  writeFileSync(path, lines.join("\n"));
  return path;
}
const samples = async (spec: Parameters<typeof openDataset>[0]) => {
  const batches = await collect(await openDataset(spec), { batchSize: 3 });
  return { images: batches.flatMap((b) => [...b.images]), labels: batches.flatMap((b) => [...(b.labels ?? [])]) };
};
const first = async (path: string, within?: string[]) => samples({ path, ...(within ? { within } : {}) });

t.test("files and addresses give what the folder gives", async (t) => {
  const { images: expected } = await samples({ path: at("images") });
  t.equal(expected.length, 4 * 60);
  t.strictSame(await first(`${root}/list.txt`), { images: expected, labels: [] }, "a list on the server");
  const files = names.map((n) => `images/${n}.png`);
  t.strictSame((await first(list(...files))).images, expected, "files by their place beside the list");
  const mixed = [at("images/a.png"), `${root}/overloaded.png`, `${root}/cut.png`, `${root}/images/d.png?token=secret`];
  t.strictSame((await first(list(...mixed))).images, expected, "servers that do not answer at first are asked again");
  t.equal(asked.get("/overloaded.png"), 3);
});

t.test("classes stand behind the images, and the split in the name of the list", async (t) => {
  const data = await openDataset({ path: `${root}/{split}.txt`, split: "train", classes: 4 });
  t.match(data, { size: 4, labelled: true, classes: 4, sampleDims: [3, 4, 5] });
  t.strictSame((await samples({ path: `${root}/{split}.txt`, split: "train" })).labels, [0, 1, 2, 3]);
  const spaced = at("images", "a b.png");
  writeFileSync(spaced, images[0]!);
  t.strictSame((await samples({ path: list(`${spaced}\t7`) })).labels, [7], "names may have spaces");
  writeFileSync(at("labels.txt"), "3\n1\n");
  const lines = ["images/a.png", "images/b.png"];
  t.strictSame((await samples({ path: list(...lines), labels: at("labels.txt") })).labels, [3, 1]);
  for (const [path, more, code] of [
    [list("images/a.png 1", "images/b.png"), {}, "HALP_DATA_FORMAT"],
    [list("images/a.png 1", "images/b.png 4"), { classes: 4 }, "HALP_LABEL_RANGE"],
    [list("images/a.png 1", "images/b.png -1"), {}, "HALP_LABEL_RANGE"],
    [list("images/a.png 1", "images/b.png 1"), { labels: at("labels.txt") }, "HALP_DATA_FORMAT"],
    [list("images/a.png"), { labels: at("labels.txt") }, "HALP_DATA_SHAPE"],
  ] as const)
    await t.rejects(openDataset({ path, ...more }), { code });
});

t.test("what cannot be had is said, without what may be secret", async (t) => {
  for (const [path, code, message] of [
    [list("# nothing"), "HALP_DATA_MISSING", /names no image/],
    [at("nowhere.txt"), "HALP_DATA_MISSING", /nothing at this path/],
    [`${root}/nowhere.txt?token=secret`, "HALP_DATA_FETCH", /nowhere\.txt cannot be fetched: the server answers 404/],
    [list(`${root}/nowhere.png?token=secret`), "HALP_DATA_FETCH", /answers 404/],
    [list(`${root}/round.png`), "HALP_DATA_FETCH", /leads on more than 5 times/],
    [list(`${root}/file.png`), "HALP_DATA_FETCH", /neither HTTP nor HTTPS/],
    [list(`${root}/broken.png`), "HALP_DATA_FORMAT", /broken\.png: cannot be decoded/],
    [list("http://someone:secret@127.0.0.1/a.png"), "HALP_DATA_FORMAT", /line 1/],
    [list("images/nowhere.png"), "HALP_DATA_FORMAT", /nowhere\.png/],
    [list("http://127.0.0.1:1/a.png"), "HALP_DATA_FETCH", /ECONNREFUSED|bad port/],
  ] as const) {
    const error = await first(path).then(
      () => undefined,
      (e: Error & { code: string; exitCode: number }) => e,
    );
    t.match(error, { code, exitCode: 2, message });
    if (path.startsWith("http")) t.notMatch(error?.message, /secret/);
  }
});

t.test("within bounds nothing is read beyond them, not by a redirect or a link either", async (t) => {
  const within = [`${root}/images`, at("images")];
  t.equal((await first(list(`${root}/images/a.png`, at("images/b.png")), within)).images.length, 120);
  for (const [place, told] of [
    [`${root}/outside/e.png`, /may read/],
    [`${root}/images/../outside/e.png`, /may read/],
    [`${root}/images/%2e%2e/outside/e.png`, /may read/],
    [`${root}/imagesx/a.png`, /may read/],
    [at("outside/e.png"), /may be read/],
    [at("images/../outside/e.png"), /may be read/],
  ] as const)
    await t.rejects(first(list(place), within), { message: told }, place);
  await t.rejects(first(list(`${root}/away.png`), [`${root}/away.png`]), {
    code: "HALP_DATA_FETCH",
    message: /outside/,
  });
  t.equal(asked.get("/imagesx/a.png"), undefined, "it was not asked for");
});

t.test("whoever stops does not wait for a server", async (t) => {
  const data = await openDataset({ path: list(`${root}/silent.png`), size: [4, 5] });
  const controller = new AbortController();
  const reading = collect(data, { batchSize: 1, signal: controller.signal });
  while (!asked.has("/silent.png")) await new Promise((resolve) => setTimeout(resolve, 10));
  controller.abort(new Error("no more"));
  await t.rejects(reading, { message: "no more" });
});
