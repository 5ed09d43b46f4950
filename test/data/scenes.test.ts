import t from "tap";
import { sceneDataset } from "../../src/data/index.js";

async function samples(seed: number, batchSize: number, count: number): Promise<Float32Array[]> {
  const out: Float32Array[] = [];
  for await (const b of sceneDataset([3, 40, 48], seed).batches({ batchSize, limit: count }))
    for (let i = 0; i < (b.dims[0] ?? 0); i++) out.push(b.images.slice(i * 5760, (i + 1) * 5760));
  return out;
}

t.test("the same seed draws the same scenes, whatever the batch size; another seed others", async (t) => {
  const one = await samples(1, 1, 6);
  const four = await samples(1, 4, 6);
  t.equal(one.length, 6);
  one.forEach((s, i) => {
    t.strictSame(s, four[i]);
  });
  t.notSame(one[0], (await samples(2, 1, 1))[0]);
});

t.test("channels have mean 0 and deviation 1, and neighbours are alike as in photographs", async (t) => {
  for (const s of await samples(3, 2, 8))
    for (let k = 0; k < 3; k++) {
      const plane = s.subarray(k * 1920, (k + 1) * 1920);
      const mean = plane.reduce((a, b) => a + b, 0) / 1920;
      const squares = plane.reduce((a, b) => a + b * b, 0) / 1920;
      t.ok(Math.abs(mean) < 1e-3);
      t.ok(squares < 1.01);
      let steps = 0;
      for (let i = 1; i < plane.length; i++) if (plane[i] === plane[i - 1]) steps++;
      t.ok(steps > 0.6 * plane.length, "most pixels equal their neighbour");
    }
});
