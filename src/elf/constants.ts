/** Numbers of the ELF gABI and of the BPF machine (psABI) that the reader and the object loader use. */

export const SectionType = { PROGBITS: 1, SYMTAB: 2, STRTAB: 3, RELA: 4, NOBITS: 8, REL: 9 } as const;

export const SectionFlag = { WRITE: 1, ALLOC: 2, EXECINSTR: 4 } as const;

export const SymbolType = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4 } as const;

export const SymbolBinding = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;

/** Section indices from here on are reserved (SHN_LORESERVE): absolute, common ... */
export const FIRST_RESERVED_SECTION = 0xff00;

/** e_machine of BPF; objects of early LLVM versions carry 0. */
export const EM_BPF = 247;

/** 64-bit absolute address in data (LLVM 13 and later): initialisers of `values` in map definitions. */
export const R_BPF_64_ABS64 = 2;
