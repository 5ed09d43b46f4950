/** docs/operators.md carries the table of what is known of each operator. */
import { readFileSync } from "node:fs";
import t from "tap";
import { allOperators, findOperator, operatorTable } from "../../src/operators/index.js";
import { runHalp } from "../cli/run-halp.js";

const table = operatorTable(allOperators());
const yes = (x: boolean): string => (x ? "yes" : "");
const rows = table.map(
  (o) => `| ${o.name} | ${yes(o.folds)} | ${yes(o.channels)} | ${o.slicing} | ${yes(o.gradient)} |`,
);

t.test("the docs have the table as it is", async (t) => {
  const docs = readFileSync("docs/operators.md", "utf8").split("\n");
  const from = docs.indexOf("| operator | folds | channels | slicing | gradient |");
  t.ok(from >= 0);
  t.strictSame(docs.slice(from + 2, from + 2 + rows.length), rows);
  t.notMatch(docs[from + 2 + rows.length], /^\|/, "and no row more");
});

t.test("halp doctor --operators prints it", async (t) => {
  const ran = await runHalp(["doctor", "--operators", "--json"]);
  t.equal(ran.status, 0, ran.stderr);
  t.strictSame(JSON.parse(ran.stdout), { format: "halp.operators/1", operators: table });
  const lines = (await runHalp(["doctor", "--operators"])).stdout.trimEnd().split("\n");
  t.equal(lines.length, table.length + 1);
  t.match(
    lines.find((l) => l.startsWith("Conv ")),
    /Conv +- +yes +rule +yes/,
  );
});

t.test("what the issue of an operator asks for is known", async (t) => {
  const followed =
    "Conv ConvTranspose Gemm MatMul BatchNormalization InstanceNormalization GroupNormalization LayerNormalization LRN Relu LeakyRelu PRelu Clip Elu Selu Sigmoid HardSigmoid HardSwish Swish Mish Gelu Erf Tanh Softplus Softmax LogSoftmax Add Sub Mul Div Pow Sqrt Exp Log Abs Neg Min Max Where ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool Concat Split Slice Gather Pad Tile Expand Reshape Flatten Transpose Squeeze Unsqueeze DepthToSpace SpaceToDepth Resize Upsample Cast Identity Dropout Shape";
  for (const opType of followed.split(" ")) {
    const spec = findOperator(opType, "");
    t.ok(spec?.channels, `channels are followed through ${opType}`);
  }
});
