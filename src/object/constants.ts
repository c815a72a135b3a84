/** Prefix of configuration variables in `.rodata.config` (Cilium 1.15 and later). */
export const CONFIG_PREFIX = '__config_';

/** Section of configuration variables since Cilium 1.15. */
export const CONFIG_SECTION = '.rodata.config';

/**
 * Template constants that Cilium up to 1.14 keeps in `.data` and `.bss`: the address of such a variable stands
 * for its value.
 */
const TEMPLATE_CONSTANT =
  /^(LXC_ID|LXC_IPV4|LXC_IP_[1-4]|HOST_EP_ID|SECLABEL(_NB|_IPV4|_IPV6)?|(NODE|THIS_INTERFACE)_MAC_[12]|(ROUTER|HOST)_IP_[1-4]|SNAT_IPV6_EXTERNAL_[1-4]|POLICY_VERDICT_LOG_FILTER|SECCTX_FROM_IPCACHE|NATIVE_DEV_IFINDEX|IPV4_MASQUERADE|IPV6_MASQUERADE_[1-4]|ETH_HLEN|ENDPOINT_NETNS_COOKIE|interface_ifindex)$/;

/** Whether a variable of a `.data` or `.bss` section is one of Cilium's template constants, by its name. */
export function isTemplateConstant(name: string): boolean {
  return TEMPLATE_CONSTANT.test(name);
}
