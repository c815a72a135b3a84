/** What the machine imports from the host. Arguments lie in registers and run state, so that crossing stays cheap. */

/** Runs helper `id` on the host: arguments in r1..r5, result to r0. Returns 0, or 1 after recording a fault. */
@external("host", "helper")
export declare function hostHelper(id: u32): u32;

/** Runs kfunc number `index` on the host, as hostHelper. */
@external("host", "kfunc")
export declare function hostKfunc(index: u32): u32;

/** The event log is full: the host takes what is in it. */
@external("host", "drain")
export declare function hostDrain(): void;
