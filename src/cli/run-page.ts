/** The page that a run ends with. */
import type { CommandContext } from "./command.js";

/**
 * Writes it into the run folder. A page that cannot be written takes nothing from the run: that is warned of.
 * @returns its path; undefined where it was not written
 */
export async function writeRunPage(
  runFolder: string,
  { warn }: Pick<CommandContext, "warn">,
): Promise<string | undefined> {
  const { writeReport } = await import("../report/index.js");
  try {
    return await writeReport(runFolder);
  } catch (error) {
    // Whatever it was, hours of work may lie behind, and their result is still to be told.
    const why = error instanceof Error ? error.message : String(error);
    warn(`The page of the run was not written: ${why} halp report ${runFolder} --html FILE tries again.`);
    return undefined;
  }
}
