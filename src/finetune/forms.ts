/** Which of several ways to compute something is the fastest on this machine: by trying each, once for each configuration. */
import { readFile } from "node:fs/promises";
import { GraphBuilder } from "../graph/builder.js";
import type { Model } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
import { parseJson } from "../json.js";
import { writeFiles } from "../onnx/index.js";
import { blockedDomain, fromBlocks, toBlocks, wholeBlocks } from "../operators/blocks.js";
import { emitter } from "../operators/emit.js";
import { findOperator } from "../operators/index.js";
import type { ChooseForm, FormTask } from "../operators/spec.js";
import { createSession, type Feeds, floatsOf, randomTensor, type Session, zeroTensor } from "../runtime/index.js";
import { keepBlocks } from "./blocked-layout.js";

/** Names of forms by configuration. */
export type KnownForms = ReadonlyMap<string, string>;

export interface FormChooser {
  readonly choose: ChooseForm;
  /** What was chosen: known before, or tried now. */
  readonly chosen: KnownForms;
  /** How many were tried. */
  readonly tried: number;
}

/** Timed runs of a form; the least counts. */
const runs = 4;
/** A form that its first run shows to be this much slower than the best is not run again. */
const hopeless = 1.5;
/** How much faster than the plain form another has to be. */
const worthwhile = 0.97;
/** Results that differ by more, relative to the greatest, are of another function. */
const sameResult = 1e-4;

/** @param known what earlier trials on this machine, with as many threads, said */
export function createFormChooser(opset: number, threads: number, known: KnownForms): FormChooser {
  const chosen = new Map<string, string>();
  let tried = 0;
  return {
    chosen,
    get tried() {
      return tried;
    },
    choose: Object.assign(choose, { blockSize: blockSize() }),
  };

  function choose(task: FormTask): string {
    const names = Object.keys(task.forms);
    const [plain = ""] = names;
    if (names.length < 2) return plain;
    const key = `${task.key} of ${task.inputs.map((i) => i.dims.join("x")).join(" ")}, ${threads} threads`;
    let name = chosen.get(key) ?? known.get(key);
    if (name === undefined || !Object.hasOwn(task.forms, name)) {
      name = fastest(task, opset, threads) ?? plain;
      tried++;
    }
    chosen.set(key, name);
    return name;
  }
}

let block: { readonly size: number | undefined } | undefined;

/** Asked of the runtime itself: it fills up a block of channels. Only x64 has such a layout. */
function blockSize(): number | undefined {
  block ??= { size: process.arch === "x64" ? probeBlockSize() : undefined };
  return block.size;
}

function probeBlockSize(): number | undefined {
  const builder = new GraphBuilder();
  const x = builder.input("x", [1, 4, 1, 1]);
  builder.output(builder.node("ReorderInput", [x], {}, { domain: blockedDomain }));
  try {
    using session = createSession(withBlocked(builder.model({ opset: 13 })));
    const [y] = Object.values(session.run({ x: zeroTensor("float32", [1, 4, 1, 1]) }));
    const size = y?.dims[1] ?? 0;
    return size > 1 ? size : undefined;
  } catch {
    return undefined;
  }
}

function withBlocked(model: Model): Model {
  return { ...model, opsets: [...model.opsets, { domain: blockedDomain, version: 1 }] };
}

interface Contender {
  readonly name: string;
  readonly images: number | undefined;
  readonly session: Session;
  readonly ns: number[];
}

function fastest(task: FormTask, opset: number, threads: number): string | undefined {
  const feeds: Feeds = Object.fromEntries(
    feedDims(task, blockSize()).map((dims, i) => [`in${i}`, randomTensor("float32", dims, i + 1)]),
  );
  const open: Contender[] = [];
  try {
    let expected: Float32Array | undefined;
    for (const name of Object.keys(task.forms)) {
      const contender = openForm(task, name, opset, threads);
      if (!contender) continue;
      open.push(contender);
      const result = tryOnce(contender, feeds);
      expected ??= result;
      if (result === undefined || !agree(result, expected as Float32Array)) drop(open, contender);
    }
    // The first runs of each have memory to ask for: they do not count.
    for (const c of open) {
      timeOnce(c, feeds);
      c.ns.length = 0;
    }
    for (let i = 0; i < runs; i++) {
      for (const c of open) timeOnce(c, feeds);
      const best = Math.min(...open.map(leastOf));
      for (const c of [...open]) if (leastOf(c) > hopeless * best) drop(open, c);
    }
    const [first, ...others] = open;
    const best = others.reduce((a, b) => (b && a && leastOf(b) < leastOf(a) ? b : a), others[0]);
    if (!first) return undefined;
    const plainIsIn = first.name === Object.keys(task.forms)[0];
    return best && leastOf(best) < (plainIsIn ? worthwhile : 1) * leastOf(first) ? best.name : first.name;
  } finally {
    for (const c of open) c.session[Symbol.dispose]();
  }
}

const leastOf = (c: Contender): number => Math.min(...c.ns);

function drop(open: Contender[], contender: Contender): void {
  contender.session[Symbol.dispose]();
  open.splice(open.indexOf(contender), 1);
}

/** Undefined where the runtime does not take it: a form may need operators that not every machine's runtime has. */
function openForm(task: FormTask, name: string, opset: number, threads: number): Contender | undefined {
  try {
    const session = createSession(modelOf(task, name, opset), { threads });
    return { name, images: task.images, session, ns: [] };
  } catch {
    return undefined;
  }
}

/** Among nodes that keep images in blocks: what takes or makes them otherwise is rearranged, as it is in a training graph. */
function modelOf(task: FormTask, name: string, opset: number): Model {
  const size = blockSize();
  const builder = new GraphBuilder();
  const e = emitter({ builder, opset });
  const inputs = feedDims(task, size).map((dims, i) => {
    const input = builder.input(`in${i}`, dims);
    const own = task.inputs[i]?.dims ?? [];
    return dims === own ? input : fromBlocks(e, input, own[1] as number);
  });
  const made = task.forms[name]?.(e, inputs) ?? "";
  builder.output(size === undefined || task.images === undefined ? made : toBlocks(e, made, task.images));
  const model = withBlocked(builder.model({ opset, contrib: true }));
  return size === undefined ? model : keepBlocks(model, size, new Map(), findOperator);
}

/** Of what is fed: images in blocks, but for those of so few channels that they will be the network's input. */
function feedDims(task: FormTask, size: number | undefined): (readonly number[])[] {
  return task.inputs.map(({ dims, isImages }) => {
    const [, channels = 0] = dims;
    return isImages && size !== undefined && channels >= 4 ? dims.with(1, wholeBlocks(channels, size)) : dims;
  });
}

/** Undefined where the runtime refuses to run it. */
function tryOnce(contender: Contender, feeds: Feeds): Float32Array | undefined {
  try {
    return timeOnce(contender, feeds);
  } catch {
    return undefined;
  }
}

function timeOnce({ images, session, ns }: Contender, feeds: Feeds): Float32Array | undefined {
  const start = process.hrtime.bigint();
  const outputs = session.run(feeds);
  ns.push(Number(process.hrtime.bigint() - start));
  const [output] = Object.values(outputs);
  if (!output) return undefined;
  const values = floatsOf(output);
  if (images !== undefined) emptyFill(values, output.dims, images);
  return values;
}

/** Makes 0 of what fills up the last block of images: it may be anything. */
function emptyFill(values: Float32Array, [, all = 1, ...space]: readonly number[], images: number): void {
  const size = blockSize() ?? 1;
  const first = images % size;
  if (all === images) return;
  const plane = sizeOf(space) * size;
  for (let end = (all / size) * plane; end <= values.length; end += (all / size) * plane)
    for (let at = end - plane; at < end; at += size) values.fill(0, at + first, at + size);
}

function agree(a: Float32Array, b: Float32Array): boolean {
  if (a.length !== b.length) return false;
  let [worst, scale] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs((a[i] as number) - (b[i] as number)));
    scale = Math.max(scale, Math.abs(b[i] as number));
  }
  return worst <= sameResult * scale;
}

const format = "halp.forms/2";

/** Empty where there is no such file, or none that halp wrote: it is tried anew then. */
export async function readForms(path: string): Promise<KnownForms> {
  try {
    const read = parseJson(await readFile(path, "utf8")) as { format?: unknown; forms?: Record<string, unknown> };
    if (read.format !== format) return new Map();
    return new Map(Object.entries(read.forms ?? {}).map(([key, name]) => [key, String(name)]));
  } catch {
    return new Map();
  }
}

export async function writeForms(path: string, forms: KnownForms): Promise<void> {
  const sorted = Object.fromEntries([...forms].sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = `${JSON.stringify({ format, forms: sorted }, null, 1)}\n`;
  await writeFiles([{ path, segments: [{ offset: 0, bytes: new TextEncoder().encode(text) }] }], 1);
}
