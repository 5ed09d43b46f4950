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
  return io.bars ? makeBar(io, say) : makeLines(io, say);
}

function makeBar(io: Pick<CliIo, "stderr" | "clock">, say: (line: string) => void): ProgressReporter {
  let phase = "";
  let phaseStart = 0;
  let lastDrawn = Number.NEGATIVE_INFINITY;
  let picture = "";
  let drawn = false;
  const erase = () => {
    if (drawn) io.stderr("\r\u001b[2K");
    drawn = false;
  };
  const draw = () => {
    erase();
    io.stderr(picture);
    drawn = true;
  };
  return {
    update: (p) => {
      const now = io.clock();
      const isNew = p.phase !== phase;
      if (isNew) {
        phase = p.phase;
        phaseStart = now;
      }
      if (!isNew && !isComplete(p) && now - lastDrawn < barInterval) return;
      picture = barText(p, now - phaseStart);
      lastDrawn = now;
      draw();
    },
    say: (line) => {
      erase();
      say(line);
      if (picture !== "") draw();
    },
    end: () => {
      erase();
      picture = "";
    },
  };
}

/** A line when a phase begins, one now and then while it lasts, and one when it is complete and another begins. */
function makeLines(io: Pick<CliIo, "clock">, say: (line: string) => void): ProgressReporter {
  let phase = "";
  let lastSaid = Number.NEGATIVE_INFINITY;
  let held: string | undefined;
  const flush = () => {
    if (held !== undefined) say(held);
    held = undefined;
  };
  return {
    update: (p) => {
      const isNew = p.phase !== phase;
      if (isNew) flush();
      phase = p.phase;
      if (isNew || io.clock() - lastSaid >= lineInterval) {
        lastSaid = io.clock();
        held = undefined;
        say(lineText(p));
      } else if (isComplete(p)) held = lineText(p);
    },
    say,
    end: flush,
  };
}

function isComplete(p: Progress): boolean {
  return p.total > 0 && p.done >= p.total;
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
