/** Channels that are gone for now: the loss is that of the network without them, and their scores tell what they would bring. */
import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { findOperator } from "../../src/operators/index.js";
import { masksOf } from "../../src/pipeline/channel-masks.js";
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
  const masks = (kept: readonly number[]) =>
    masksOf(analyzed, coupling, {
      kept: coupling.groups.map((g) =>
        Int32Array.from(g === group ? kept : Array.from({ length: g.size }, (_, i) => i)),
      ),
    });
  return { model, sites, group, masks };
}

t.test("masked is as if the weights that read those channels were zero; their own weights are held", async (t) => {
  const { model, masks } = network();
  using trainer = trainerOf(model, 6, { masks: masks([0, 2]) });
  const before = copyOf(trainer);
  const zeroed = new Map(before);
  const isGone = (i: number) => i % 2 === 1;
  for (const [name, channelOf] of [
    ["conv2.weight", (i: number) => Math.floor(i / 9) % 4],
    ["fc.weight", (i: number) => i % 4],
  ] as const) {
    const { dims, data } = before.get(name)!;
    zeroed.set(name, { dims, data: data.map((v, i) => (isGone(channelOf(i)) ? 0 : v)) });
  }
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
      `${name} is held where channels are gone`,
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

t.test("the score of a channel that is gone is the slope of the loss on its way back", async (t) => {
  const { model, sites, masks } = network();
  const gone = [1, 3];
  const score = sites.map(({ value, axis, batchNorm }) => ({ value, axis, byBatchNorm: batchNorm !== undefined }));
  t.equal(score.length, 2, "behind both layers whose outputs are summed");
  using trainer = trainerOf(model, 6, { masks: masks([0, 2]), score });
  const { scores } = trainer.step([batch], 0);
  for (const c of gone) {
    const lossAt = (factor: number) => {
      const { reads, ...rest } = masks([0, 2]);
      const there = reads.map((read) => ({
        ...read,
        factors: read.factors.map((f, i) => (i % 4 === c ? factor : f)),
      }));
      using some = trainerOf(model, 6, { masks: { reads: there, ...rest } });
      return some.step([batch], 0).loss;
    };
    const slope = (lossAt(0.02) - lossAt(-0.02)) / 0.04;
    const sum = score.reduce((total, { value }) => total + scores.get(value)![c]!, 0);
    t.ok(Math.abs(slope) > 1e-4, `channel ${c} would matter: ${slope}`);
    t.ok(Math.abs(sum - slope) < 0.02 * Math.abs(slope) + 2e-4, `score ${sum}, slope ${slope}`);
  }
});
