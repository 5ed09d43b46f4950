/** Whether a name is what a pattern of the user's means; `*` stands for any run of characters. Nothing means the empty name. */
export function matcher(pattern: string): (name: string) => boolean {
  const source = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const regexp = new RegExp(`^${source.join(".*")}$`);
  return (name) => name !== "" && regexp.test(name);
}
