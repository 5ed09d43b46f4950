/** Channels that are gone for now: loss, learning and scores are those of the network without them. */
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import type { Tensors } from "../../src/finetune/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { findOperator } from "../../src/operators/index.js";
import { masksOf, withLast } from "../../src/pipeline/channel-masks.js";
import { findSites } from "../../src/saliency/index.js";
import { copyOf, trainerOf } from "../finetune/directions.js";
import { patternBatch, residualNetwork } from "../finetune/networks.js";

const batch = patternBatch([6, 2, 6, 6], 3, 5);

function network() {
  const model = residualNetwork("Relu");
  const analyzed = analyzeGraph(model, findOperator, { batch: 6 });
  const coupling = analyzeCoupling(analyzed, findOperator);
  const sites = findSites(analyzed, coupling);
  const group = coupling.groups.find((g) => g.frozen === undefined && g.size === 4)!;
  /** Of the one group that may be pruned, which runs through the residual sum. */
  const plan = (kept: readonly number[]) => ({
    kept: coupling.groups.map((g) => Int32Array.from(g === group ? kept : Array.from({ length: g.size }, (_, i) => i))),
  });
  const masks = (kept: readonly number[]) => masksOf(analyzed, coupling, plan(kept));
  return { model, coupling, sites, plan, masks };
}

const isGone = (i: number) => i % 2 === 1;

/** The weights, with zeros where they read channels that are gone. */
function without(tensors: Tensors): Tensors {
  const zeroed = new Map(tensors);
  for (const [name, channelOf] of [
    ["conv2.weight", (i: number) => Math.floor(i / 9) % 4],
    ["fc.weight", (i: number) => i % 4],
  ] as const) {
    const { dims, data } = tensors.get(name)!;
    zeroed.set(name, { dims, data: data.map((v, i) => (isGone(channelOf(i)) ? 0 : v)) });
  }
  return zeroed;
}

t.test("masked is as if the weights that read those channels were zero; their own weights stay", async (t) => {
  const { model, masks } = network();
  using trainer = trainerOf(model, 6, { masks: masks([0, 2]) });
  const before = copyOf(trainer);
  const zeroed = without(before);
  using other = trainerOf(model, 6, {});
  other.load(zeroed, 0);
  const here = trainer.step([batch], 0.1);
  const there = other.step([batch], 0.1);
  t.ok(Math.abs(here.loss - there.loss) < 1e-6, `${here.loss} and ${there.loss}`);

  const [after, otherAfter] = [copyOf(trainer), copyOf(other)];
  const held: readonly (readonly [string, (i: number) => number])[] = [
    ["conv1.weight", (i) => Math.floor(i / 18)],
    ["bn1.scale", (i) => i],
    ["bn1.bias", (i) => i],
    ["bn2.scale", (i) => i],
    ["conv2.weight", (i) => Math.floor(i / 36)],
    ["conv2.weight", (i) => Math.floor(i / 9) % 4],
    ["fc.weight", (i) => i % 4],
  ];
  for (const [name, channelOf] of held) {
    const [then, now] = [before.get(name)!.data, after.get(name)!.data];
    t.ok(
      then.every((v, i) => !isGone(channelOf(i)) || v === now[i]),
      `${name} stays where channels are gone`,
    );
    t.ok(
      then.some((v, i) => !isGone(channelOf(i)) && v !== now[i]),
      `${name} learns elsewhere`,
    );
  }
  // What stays learns as in the network without them.
  const moved = (name: string, i: number) => before.get(name)!.data[i]! - after.get(name)!.data[i]!;
  const otherMoved = (name: string, i: number) => zeroed.get(name)!.data[i]! - otherAfter.get(name)!.data[i]!;
  for (const i of [0, 2]) t.ok(Math.abs(moved("bn2.scale", i) - otherMoved("bn2.scale", i)) < 1e-6);
  for (let i = 0; i < 18; i++) t.ok(Math.abs(moved("conv1.weight", i) - otherMoved("conv1.weight", i)) < 1e-6);
});

t.test("what stays is scored as in the network without the rest, what is gone not at all", async (t) => {
  const { model, sites, masks } = network();
  const score = sites.map(({ value, axis, batchNorm }) => ({ value, axis, byBatchNorm: batchNorm !== undefined }));
  t.equal(score.length, 2, "behind both layers whose outputs are summed");
  using trainer = trainerOf(model, 6, { masks: masks([0, 2]), score });
  using other = trainerOf(model, 6, { score });
  other.load(without(copyOf(other)), 0);
  const [here, there] = [trainer, other].map((some) => some.step([batch], 0).scores);
  for (const { value } of score)
    for (const c of [0, 1, 2, 3]) {
      const [own, expected] = [here!.get(value)![c]!, isGone(c) ? 0 : there!.get(value)![c]!];
      t.ok(Math.abs(own - expected) < 1e-6, `${value}, channel ${c}: ${own}, ${expected} expected`);
    }
});

t.test("importance of what is gone is what it was last", async (t) => {
  const { coupling, plan } = network();
  const own = Float64Array.from({ length: coupling.channelCount }, (_, i) => i + 1);
  const last = own.map((v) => 10 * v);
  const { start } = coupling.groups.find((g) => g.size === 4)!;
  const expected = own.map((v, c) => (c === start + 1 || c === start + 3 ? 10 * v : v));
  t.same(withLast(own, coupling, plan([0, 2]), last), expected);
  t.same(withLast(own, coupling, undefined, last), own, "all there");
  t.equal(withLast(own, coupling, plan([0, 2]), undefined)[start + 1], 0, "never seen");
});
