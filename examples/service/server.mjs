// A service that answers budgets with plans.
//
//   node server.mjs 8080
//   curl -X PUT  localhost:8080/problems/resnet --data @problem.json     a halp.problem/1
//   curl 'localhost:8080/problems/resnet?budget=1200000'                 a halp.solution/1
//
// Solving happens in worker threads: a hard problem holds up nobody else, and ends after a second with the best that was
// found and its bound. A caller that goes away frees its worker.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { createSolverPool, parseProblem } from "halp/solver";

const timeLimitMs = 1000;
const largestBody = 64 * 2 ** 20;

/** @param {{ workers?: number }} options */
export async function createService({ workers = 2 } = {}) {
  const pool = await createSolverPool({ workers });
  /** @type {Map<string, import("halp/solver").Problem>} */
  const problems = new Map();

  async function answer(request, signal) {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const name = /^\/problems\/([\w.-]+)$/.exec(pathname)?.[1];
    if (name === undefined) return [404, { error: "Ask for /problems/NAME." }];
    if (request.method === "PUT") {
      // Whatever is wrong with it is said now, and by name.
      problems.set(name, parseProblem(JSON.parse(await bodyOf(request))));
      return [201, { name }];
    }
    const problem = problems.get(name);
    if (!problem) return [404, { error: `There is no problem "${name}". PUT it first.` }];
    const budget = searchParams.has("budget") ? Number(searchParams.get("budget")) : undefined;
    return [200, await pool.solve(problem, budget, { timeLimitMs, signal })];
  }

  const server = createServer((request, response) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    answer(request, gone.signal)
      // Errors of halp have a stable code and a message that says what to do.
      .catch((error) => [error.code?.startsWith("HALP_") || error instanceof SyntaxError ? 400 : 500, { error: error.message, code: error.code }])
      .then(([status, body]) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)));
  });
  server.on("close", () => void pool.close());
  return server;
}

async function bodyOf(request) {
  let size = 0;
  const parts = [];
  for await (const part of request) {
    size += part.length;
    if (size > largestBody) throw new SyntaxError(`A problem may take ${largestBody} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = Number(process.argv[2] ?? 8080);
  const server = await createService();
  server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
}
