import { type ContextField, type FieldOptions, whole } from './field.js';

/** Size of `struct xdp_md`. */
export const XDP_MD_SIZE = 24;

const PACKET: FieldOptions = { format: 'pointer', access: 'packet', isInput: false };
const GIVEN: FieldOptions = { isTestRunInput: true };

/** Six 4-byte fields, read in whole words only; egress_ifindex by devmap programs alone (xdp_is_valid_access). */
export function xdpFields(isDevmapProgram: boolean): ContextField[] {
  return [
    whole('data', 0, PACKET),
    whole('data_end', 4, PACKET),
    whole('data_meta', 8, PACKET),
    whole('ingress_ifindex', 12, GIVEN),
    whole('rx_queue_index', 16, GIVEN),
    whole('egress_ifindex', 20, isDevmapProgram ? {} : { reads: [] }),
  ];
}
