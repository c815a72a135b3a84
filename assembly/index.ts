/** The only export list of the machine. */
export * from "./maps/exports";
export * from "./packet/exports";
export * from "./engine/exports";

/** AssemblyScript's assertion hook: a broken invariant of the machine itself, never of a BPF program. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}
