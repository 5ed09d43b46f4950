/** ARCHITECTURE.md says which room may import which; this holds the sources to it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import t from "tap";
import { importsOf, sourceFiles } from "./source.js";

/** Rooms in the order of the table, each with the rooms it may import. */
function readRooms(markdown: string): Map<string, ReadonlySet<string>> {
  const rooms = new Map<string, ReadonlySet<string>>();
  const rows = markdown.split("\n").filter((line) => /^\| `/.test(line));
  for (const row of rows) {
    const [, first = "", , last = ""] = row.split("|").map((cell) => cell.trim());
    const name = /^`(?:src\/)?([a-z]+)\/`$/.exec(first)?.[1];
    if (name === undefined) continue;
    const allowed = /^all above$/.test(last) ? [...rooms.keys()] : last === "nothing" ? [] : last.split(/,\s*/);
    rooms.set(name, new Set(allowed));
  }
  return rooms;
}

const rooms = readRooms(readFileSync("ARCHITECTURE.md", "utf8"));
/** "src/graph/ir.ts" -> "graph"; "src/errors.ts" -> "errors"; "native/addon.d.ts" -> "native". */
const roomOf = (file: string) => {
  const parts = file.split("/");
  return (parts[0] === "src" ? (parts[1] ?? "") : (parts[0] ?? "")).replace(/\.ts$/, "");
};

/** What every room may import. */
const shared: ReadonlySet<string> = new Set(["errors", "json"]);

t.test("the table names every room there is, and no other", async (t) => {
  const onDisk = readdirSync("src", { withFileTypes: true })
    .filter((f) => f.isDirectory() && sourceFiles(`src/${f.name}`).length > 0)
    .map((f) => f.name)
    .sort();
  const named = [...rooms.keys()].filter((name) => !existsSync(name)).sort();
  t.strictSame(named, onDisk);
  for (const [room, allowed] of rooms)
    for (const other of allowed) t.ok(rooms.has(other), `${room} may import ${other}, which is a room`);
});

t.test("no room imports what it may not", async (t) => {
  for (const file of sourceFiles("src")) {
    const room = roomOf(file);
    if (room === "index" || shared.has(room)) continue;
    const allowed = rooms.get(room) ?? new Set();
    const wrong = importsOf(file)
      .filter((i) => i.file !== undefined)
      .map((i) => ({ specifier: i.specifier, room: roomOf(i.file ?? "") }))
      .filter((i) => i.room !== room && !shared.has(i.room) && !allowed.has(i.room))
      .map((i) => i.specifier);
    t.strictSame(wrong, [], `${file} imports only what ${room} may`);
  }
  for (const file of shared)
    t.strictSame(
      importsOf(`src/${file}.ts`).map((i) => i.specifier),
      [],
      `${file}, which all may import, imports nothing`,
    );
});

t.test("a package is imported by the room that owns it", async (t) => {
  const owners: Readonly<Record<string, string>> = {
    "onnxruntime-node": "runtime",
    bullmq: "jobs",
    ioredis: "jobs",
    "@bufbuild/protobuf": "onnx",
    commander: "cli",
    "d3-scale": "report",
    "d3-shape": "report",
    fflate: "data",
    sharp: "data",
  };
  for (const file of sourceFiles("src")) {
    for (const { specifier, file: target } of importsOf(file)) {
      if (target !== undefined || specifier.startsWith("node:")) continue;
      const name = specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
      t.equal(owners[name], roomOf(file), `${file} imports ${specifier}`);
    }
  }
});
