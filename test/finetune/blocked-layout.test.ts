/** A training graph that is kept in blocks comes to the same step as the plain one, whatever lies between the convolutions. */
import fc from "fast-check";
import t from "tap";
import { patternBatch } from "./networks.js";
import {
  anyDrawn,
  blockSize,
  classifiers,
  drawnNetwork,
  inBlocks,
  most,
  outcome,
  type Subject,
  trainerOf,
} from "./subjects.js";

const skip = blockSize === undefined ? "this machine's runtime has no blocked layout" : false;

const apart = (a: Float32Array, b: Float32Array) => most(a.map((v, i) => v - b[i]!));

/**
 * Where the blocked step is further from the plain one than rounding explains. What rounding does differs much: a bias before a
 * batch norm has no gradient but rounding. So the plain step is also taken with images that differ by it.
 */
function compare(subject: Subject): { readonly wrong: readonly string[]; readonly operators: readonly string[] } {
  const batch = patternBatch(subject.dims, subject.classes, 3);
  const rounded = { ...batch, images: batch.images.map((v, i) => v * (1 + 1e-6 * ((i % 3) - 1))) };
  const [expected, near] = [batch, rounded].map((b) => {
    using trainer = trainerOf(subject);
    return outcome(trainer, b);
  }) as [ReadonlyMap<string, Float32Array>, ReadonlyMap<string, Float32Array>];
  using blocked = trainerOf(subject, { choose: inBlocks });
  const found = outcome(blocked, batch);
  const greatest = Math.max(...[...expected.values()].map(most));
  const wrong = [...expected].flatMap(([name, data]) => {
    const off = apart(found.get(name)!, data);
    const allowed = 2e-3 * most(data) + 100 * apart(near.get(name)!, data) + 1e-4 * greatest;
    return off <= allowed ? [] : [`${name}: ${off}, more than ${allowed}`];
  });
  return { wrong, operators: blocked.graph.graph.nodes.map((n) => n.opType) };
}

t.test("networks of many kinds", { skip }, async (t) => {
  const subjects = classifiers();
  for (const subject of subjects) t.same(compare(subject).wrong, [], `${subject.name}`);
  t.ok(subjects.length > 20, `${subjects.length} networks`);
});

t.test("drawn networks", { skip }, async (t) => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(anyDrawn, (drawn) => {
      const { operators, wrong } = compare(drawnNetwork(drawn));
      for (const operator of new Set(operators)) seen.set(operator, (seen.get(operator) ?? 0) + 1);
      if (wrong.length > 0) throw new Error(wrong.join("; "));
    }),
    { numRuns: 60 },
  );
  t.ok((seen.get("ReorderOutput") ?? 0) > 20, `${[...seen]}`);
});
