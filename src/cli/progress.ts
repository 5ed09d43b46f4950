/** Progress on stderr: a bar that redraws itself on a terminal, plain lines elsewhere. */
import type { Progress } from "../pipeline/types.js";
import type { CliIo } from "./io.js";
import { formatDuration } from "./quantities.js";
import { printable } from "./style.js";
import { truncate } from "./table.js";

export interface ProgressReporter {
  readonly update: (progress: Progress) => void;
  /** Writes a line of its own, the bar drawn anew below it. */
  readonly say: (line: string) => void;
  /** Takes the bar away. */
  readonly end: () => void;
}

/** Milliseconds between two pictures of the bar, and between two plain lines of one phase. */
const barInterval = 80;
const lineInterval = 10_000;

export function makeProgress(
  io: Pick<CliIo, "stderr" | "clock" | "bars">,
  options: { quiet: boolean },
): ProgressReporter {
  const say = (line: string) => io.stderr(`${line}\n`);
  if (options.quiet) return { update: () => {}, say, end: () => {} };
  let phase = "";
  let phaseStart = 0;
  let lastShown = Number.NEGATIVE_INFINITY;
  let lastText = "";
  let drawn = false;
  const erase = () => {
    if (drawn) io.stderr("\r\u001b[2K");
    drawn = false;
  };
  const update = (p: Progress) => {
    const now = io.clock();
    const isNew = p.phase !== phase;
    const isDone = p.total > 0 && p.done >= p.total;
    if (isNew) {
      phase = p.phase;
      phaseStart = now;
    }
    if (!isNew && !isDone && now - lastShown < (io.bars ? barInterval : lineInterval)) return;
    const text = io.bars ? barText(p, now - phaseStart) : lineText(p);
    if (!isNew && text === lastText) return;
    lastShown = now;
    lastText = text;
    if (io.bars) {
      io.stderr(`\r\u001b[2K${text}`);
      drawn = true;
    } else say(text);
  };
  return {
    update,
    say: (line) => {
      erase();
      say(line);
      if (io.bars && lastText !== "") {
        io.stderr(lastText);
        drawn = true;
      }
    },
    end: () => {
      erase();
      lastText = "";
    },
  };
}

function lineText(p: Progress): string {
  const count = p.total > 0 ? ` ${p.done}/${p.total}` : p.done > 0 ? ` ${p.done}` : "";
  return printable(`${p.phase}${count}${p.note ? `: ${p.note}` : ""}`);
}

/** `measuring  [########------------]  40 %  12/30  0:20 left  note`, at most 79 characters. */
function barText(p: Progress, elapsedMs: number): string {
  if (p.total <= 0) return truncate(lineText(p), 79);
  const fraction = Math.min(1, Math.max(0, p.done / p.total));
  const filled = Math.round(fraction * 20);
  const left = fraction > 0 && fraction < 1 && elapsedMs > 2000 ? (elapsedMs / fraction) * (1 - fraction) : undefined;
  const parts = [
    p.phase,
    `[${"#".repeat(filled)}${"-".repeat(20 - filled)}]`,
    `${String(Math.floor(fraction * 100)).padStart(3)} %`,
    `${p.done}/${p.total}`,
    left === undefined ? "" : `${formatDuration(left)} left`,
    p.note ?? "",
  ];
  return truncate(printable(parts.filter((s) => s !== "").join("  ")), 79);
}
