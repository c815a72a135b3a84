export interface Random {
  next(): number;
  below(n: number): number;
}
export function randomSource(seed: number): Random;
export function mutate(bytes: Uint8Array, random: Random): Uint8Array;
export function randomBytecode(random: Random): Uint8Array;
export function hostileObject(library: object, bytes: Uint8Array, random: Random): string;
export function hostileBytecode(library: object, bytes: Uint8Array, random: Random): string;
